"""An Airflow of the tests' own: environment, a database in a folder, and the reading of our DAGs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent


def environment(home: Path) -> dict[str, str]:
    """What a process needs to be an Airflow on ``home``, reading this project's DAGs and plugins."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "GROUNDSWELL"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__API__BASE_URL": "http://airflow.test",
        "GROUNDSWELL_PROJECT": str(PROJECT),
        "GROUNDSWELL_IS_DEMO": "true",
        "GROUNDSWELL_MLFLOW_URI": "http://mlflow.test",
    }


_READ = """
import json, sys, time
sys.path.insert(0, {plugins!r})
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
began = time.process_time()
bag = DagBag({dags!r})
print(json.dumps({{
    "errors": bag.import_errors,
    "processor_seconds": time.process_time() - began,
    "modules": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "dags": {{dag.dag_id: {{
        "tasks": {{task.task_id: {{
            "upstream": sorted(task.upstream_task_ids), "pool": task.pool, "trigger_rule": str(task.trigger_rule), "retries": task.retries,
            "outlets": [asset.name for asset in task.outlets], "stage": getattr(task, "stage", None),
            "options": getattr(task, "options", None),
        }} for task in dag.tasks}},
        "doc": dag.doc_md, "catchup": dag.catchup, "max_active_runs": dag.max_active_runs, "params": list(dag.params),
        "timetable": type(dag.timetable).__name__, "key_format": getattr(dag.timetable, "key_format", None),
        "end_date": str(dag.end_date) if dag.end_date else None, "every": str(getattr(dag.timetable, "delta", None)),
    }} for dag in bag.dags.values()}},
}}))
"""


def read_dags(home: Path, **settings: str) -> dict:
    """What a fresh process finds when it reads the DAG files: errors, processor seconds, modules loaded, DAGs with their tasks."""
    code = _READ.format(plugins=str(PROJECT / "plugins"), dags=str(PROJECT / "dags"))
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment(home), **settings}, cwd=home, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
