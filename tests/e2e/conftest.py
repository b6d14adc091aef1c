"""The whole loop, run once for all tests of this folder: real servers on free ports, and `groundswell demo`."""

import pytest

from groundswell import stack
from tests.e2e.project import Project


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("loop") / "project")
    yield made
    stack.down(made.settings)


@pytest.fixture(scope="session")
def demonstrated(project):
    """The project after `groundswell demo`: everything stopped, all state there."""
    done = project.command("demo")
    assert done.returncode == 0, done.stderr[-3000:]
    project.demo_output = done
    return project


@pytest.fixture(scope="session")
def running(demonstrated):
    """The same with the stack up again, as `groundswell up` leaves it."""
    done = demonstrated.command("up", seconds=300)
    assert done.returncode == 0, done.stderr[-3000:]
    yield demonstrated
    down = demonstrated.command("down", seconds=60)
    assert down.returncode == 0, down.stderr[-3000:]
