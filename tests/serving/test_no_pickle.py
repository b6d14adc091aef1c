"""No pickle can be reached from the serving process: not by what it loads, not by what it is sent, in a whole life of it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import time

import httpx2
import numpy as np
import pytest

from groundswell.files import sha256_of
from groundswell.settings import Settings
from tests.serving.servers import NAME, SERVING_PYTHON, start_mlflow, start_serving
from tests.serving.test_serving_process import register

pytestmark = pytest.mark.slow

LISTENING = """
import sys
def heard(event, arguments):
    if event == "pickle.find_class":
        with open({heard!r}, "a") as log:
            log.write(f"{{arguments}}\\n")
        raise RuntimeError("something was unpickled")
sys.addaudithook(heard)
with open({started!r}, "a") as log:
    log.write("a process listens\\n")
"""
"""Runs at the start of every Python of this environment: ``pickle.find_class`` is how a pickle gets at anything that can be called."""


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def listening(tmp_path, monkeypatch):
    """Files that say which processes listened, and what they heard, for every process that is started from here on."""
    folder = tmp_path / "hook"
    folder.mkdir()
    paths = {"heard": str(folder / "heard"), "started": str(folder / "started")}
    (folder / "sitecustomize.py").write_text(LISTENING.format(**paths))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def changed(export, folder, **files: bytes):
    """A copy of ``export`` with ``files`` in it, vouched for by its manifest as if training had written them."""
    shutil.copytree(export, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, content in files.items():
        (folder / name).write_bytes(content)
        manifest["files"][name] = sha256_of(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def wait_until(is_so, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_the_hook_hears_a_pickle(listening):
    code = "import os, pickle; pickle.loads(pickle.dumps(os.getcwd))"
    done = subprocess.run([SERVING_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    assert "something was unpickled" in done.stderr
    assert "getcwd" in (listening / "heard").read_text()


def test_a_life_without_a_pickle(exports, tmp_path, listening, monkeypatch):
    """Two workers: start, load from a real registry, every protocol, swap, a version with a pickle in it, another with one in an .npy, restart."""
    import mlflow

    from groundswell import tracking

    trap = str(tmp_path / "sprung")
    poison = pickle.dumps(Trap(trap))
    with_pickle = changed(exports["2"], tmp_path / "pickle" / "export", **{"weights.pkl": poison})
    np.save(tmp_path / "objects.npy", np.array([Trap(trap)], dtype=object), allow_pickle=True)
    with_objects = changed(exports["2"], tmp_path / "objects" / "export", **{"trained_on.npy": (tmp_path / "objects.npy").read_bytes()})
    environment = os.environ.pop("PYTHONPATH")
    registry = start_mlflow(tmp_path).wait(120)
    serving = None
    try:
        settings = Settings(project=tmp_path / "pipeline", mlflow_uri=registry.url)
        for export in (exports["1"], with_pickle, with_objects):
            register(settings, export)
        client = tracking.client(settings)
        client.set_registered_model_alias(NAME, "champion", "1")
        monkeypatch.setenv("PYTHONPATH", environment)
        serving = start_serving(tmp_path, registry.url, serving_workers="2", serving_poll_seconds="0.2").wait(120, "/readyz")
        url = serving.url
        everything_is_asked(url)
        client.set_registered_model_alias(NAME, "champion", "2")
        wait_until(lambda: "version 2 is refused" in (httpx2.get(f"{url}/readyz", timeout=30).json()["trouble"] or ""))
        assert httpx2.get(f"{url}/readyz", timeout=30).json()["version"] == "1"
        client.set_registered_model_alias(NAME, "champion", "3")
        wait_until(lambda: all(httpx2.get(f"{url}/readyz", timeout=30).json()["version"] == "3" for _ in range(8)))
        everything_is_asked(url)
        assert serving.stop() == 0
        serving = start_serving(tmp_path, "http://127.0.0.1:9", serving_workers="2").wait(120, "/readyz")
        everything_is_asked(serving.url)
        assert serving.stop() == 0
    finally:
        mlflow.set_tracking_uri(None)
        if serving is not None:
            serving.stop(signal.SIGKILL)
        registry.stop(signal.SIGKILL)
    assert (listening / "started").read_text().count("a process listens") >= 6, "two lives of a supervisor and two workers"
    assert not (listening / "heard").exists(), (listening / "heard").read_text()
    assert not os.path.exists(trap)


def everything_is_asked(url: str) -> None:
    """Each protocol once, and a pickle where a body is expected."""
    texts = ["great love", "awful crash"]
    given = httpx2.post(f"{url}/v1/predict", json={"texts": texts}, timeout=30).json()["predictions"][0]["id"]
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": texts}
    bodies = {
        "/v1/explain": {"text": texts[0]},
        "/v1/feedback": {"id": given, "label": "negative"},
        "/invocations": {"dataframe_records": [{"text": text} for text in texts]},
        f"/v2/models/{NAME}/infer": {"inputs": [tensor]},
    }
    for path, body in bodies.items():
        assert httpx2.post(url + path, json=body, timeout=30).status_code in (200, 201), path
    for path in [*bodies, "/v1/predict", "/hooks/mlflow"]:
        for kind in ("application/json", "application/octet-stream", "application/x-python-pickle"):
            answer = httpx2.post(url + path, content=pickle.dumps(os.getcwd), headers={"Content-Type": kind}, timeout=30)
            assert 400 <= answer.status_code < 500, (path, kind)
    for path in ("/v1/model", "/metrics", "/readyz", "/openapi.json"):
        assert httpx2.get(url + path, timeout=30).status_code == 200
