import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.dags.airflow_home import PROJECT, environment, read_dags

# Airflow reads its settings on import: its home must be set before, and never be a person's own.
_HOME = Path(tempfile.gettempdir(), f"groundswell-test-airflow-{os.getuid()}")
for _name, _value in environment(_HOME).items():
    if _name.startswith("AIRFLOW"):
        os.environ.setdefault(_name, _value)
sys.path.insert(0, str(PROJECT / "plugins"))


@pytest.fixture(scope="session")
def read(tmp_path_factory):
    """The DAG files as a fresh process reads them; no database is made for that."""
    return read_dags(tmp_path_factory.mktemp("airflow"))
