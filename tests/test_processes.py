"""Local processes: nothing is left behind, a taken port is named with the setting that moves it."""

import json
import socket
import sys
import time

import psutil
import pytest

from groundswell import processes
from groundswell.errors import StackError

STUBBORN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
time.sleep(300)  # ends without its child, as some servers do
"""


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


def test_children_are_ended_though_their_leader_was_killed(service, tmp_path):
    child = start(service, tmp_path)
    processes.alive("stubborn", tmp_path / "run").kill()
    time.sleep(0.1)
    processes.stop("stubborn", tmp_path / "run")
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_start_twice_is_one_process(service, tmp_path):
    start(service, tmp_path)
    first = processes.alive("stubborn", tmp_path / "run").pid
    processes.start(service, folder=tmp_path, run=tmp_path / "run", log=tmp_path / "log")
    assert processes.alive("stubborn", tmp_path / "run").pid == first
    processes.stop("stubborn", tmp_path / "run")


def test_a_recycled_number_is_not_our_process(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"pid": psutil.Process().pid, "started": 1.0}))
    assert processes.alive("old", tmp_path) is None


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
