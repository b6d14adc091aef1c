"""Local processes: nothing is left behind, a taken port is named with the setting that moves it."""

import json
import socket
import subprocess
import sys
import time

import psutil
import pytest

from groundswell import processes
from groundswell.errors import StackError

pytestmark = pytest.mark.slow

STUBBORN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
time.sleep(300)  # ends without its child, as some servers do
"""


QUIET = processes.Service("stubborn", [sys.executable, "-c", ""], ports={}, health_url="")


@pytest.fixture
def service():
    return processes.Service("stubborn", [sys.executable, "-c", STUBBORN], ports={}, health_url="")


def start(service, folder):
    processes.start(service, folder=folder, run=folder / "run", log=folder / "log")
    log = folder / "log" / "stubborn.log"
    processes.wait_until(lambda: log.read_text().strip(), seconds=10, what="the test's child", every=0.02)
    return int(log.read_text())


def test_stop_ends_the_whole_session(service, tmp_path):
    child = start(service, tmp_path)
    leader = processes.alive("stubborn", tmp_path / "run")
    assert leader and psutil.pid_exists(child)
    resident, proportional = processes.memory_bytes(tmp_path / "run")
    assert resident > proportional > 1_000_000
    processes.stop("stubborn", tmp_path / "run")
    assert not leader.is_running()
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert processes.names(tmp_path / "run") == []


@pytest.mark.parametrize("end", [processes.stop, lambda name, run: processes.start(QUIET, folder=run, run=run, log=run)])
def test_children_are_ended_though_their_leader_was_killed(service, tmp_path, end):
    child = start(service, tmp_path)
    processes.alive("stubborn", tmp_path / "run").kill()
    time.sleep(0.1)
    end("stubborn", tmp_path / "run")
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_start_twice_is_one_process(service, tmp_path):
    start(service, tmp_path)
    first = processes.alive("stubborn", tmp_path / "run").pid
    processes.start(service, folder=tmp_path, run=tmp_path / "run", log=tmp_path / "log")
    assert processes.alive("stubborn", tmp_path / "run").pid == first
    processes.stop("stubborn", tmp_path / "run")


@pytest.mark.parametrize("started", [1.0, psutil.boot_time() + 0.5])
def test_a_recycled_number_is_not_our_process_and_is_left_alone(tmp_path, started):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    (tmp_path / "old.json").write_text(json.dumps({"pid": stranger.pid, "started": started}))
    assert processes.alive("old", tmp_path) is None
    assert processes.members("old", tmp_path) == []
    processes.stop("old", tmp_path)
    assert stranger.poll() is None
    assert processes.names(tmp_path) == []
    stranger.kill()
    stranger.wait()


def test_another_port_for_what_runs_is_refused(service, tmp_path):
    moved = processes.Service("stubborn", service.command, ports={"GROUNDSWELL_WEB_PORT": 5}, health_url="")
    start(moved, tmp_path)
    elsewhere = processes.Service("stubborn", service.command, ports={"GROUNDSWELL_WEB_PORT": 6}, health_url="")
    with pytest.raises(StackError, match="runs on port 5 already, not on 6: set GROUNDSWELL_WEB_PORT=5"):
        processes.require_free([elsewhere], tmp_path / "run")
    processes.stop("stubborn", tmp_path / "run")


def test_a_taken_port_is_named_with_its_setting(service, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        wanted = processes.Service("web", ["true"], ports={"GROUNDSWELL_WEB_PORT": port}, health_url="")
        with pytest.raises(StackError, match=rf"port {port} for web is taken by process .*set GROUNDSWELL_WEB_PORT"):
            processes.require_free([wanted], tmp_path)
    processes.require_free([wanted], tmp_path)


def test_waiting_ends_when_the_process_dies_or_time_is_up():
    with pytest.raises(StackError, match="ended while starting"):
        processes.wait_until(lambda: False, seconds=5, what="it", alive_check=lambda: False)
    with pytest.raises(StackError, match="did not come up"):
        processes.wait_until(lambda: False, seconds=0.05, what="it", every=0.01)
