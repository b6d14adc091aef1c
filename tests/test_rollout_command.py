"""The rollout's commands on a real registry, and a serving that says what it says."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundswell import cli, registry, rollout, tracking
from groundswell.errors import RegistryError, UsageError
from groundswell.params import load_params
from groundswell.settings import Settings
from tests.models import project_with_registry, register
from tests.test_promote import _verdict

pytestmark = pytest.mark.slow

NAME = "groundswell-sentiment-games"
PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def serving():
    """An address whose /v1/rollout answers ``said``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(self.server.said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.said = {"state": "running", "version": "2", "share": 0.1, "decision": "every metric is within its bounds"}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(tmp_path, serving):
    settings = Settings(project=tmp_path, serving_url=f"http://127.0.0.1:{serving.server_port}")
    client = tracking.client(settings)
    client.create_registered_model(NAME)
    for number in ("1", "2"):
        client.create_model_version(NAME, f"file:///nowhere/{number}")
    return settings


def test_a_rollout_from_start_to_ready_and_back(settings, serving):
    with pytest.raises(UsageError, match="has no champion to compare"):
        rollout.start("games", "2", settings=settings)
    registry.set_alias(settings, "games", registry.CHAMPION, "1")
    with pytest.raises(UsageError, match="is the champion"):
        rollout.start("games", "1", settings=settings)
    with pytest.raises(RegistryError, match="no version 9"):
        rollout.start("games", "9", settings=settings)
    assert rollout.start("games", "2", settings=settings) == {"topic": "games", "canary": "2", "champion": "1"}
    assert rollout.status("games", settings=settings)["serving"]["state"] == "running"
    with pytest.raises(UsageError, match="not ready .running at 10 %"):
        rollout.require_ready("games", settings=settings)
    serving.said = {"state": "ready", "version": "2", "share": 1.0, "decision": "finish"}
    with pytest.raises(UsageError, match="they must be one"):
        rollout.require_ready("games", settings=settings)
    registry.set_alias(settings, "games", registry.CHALLENGER, "2")
    assert rollout.require_ready("games", settings=settings) == "2"
    assert rollout.stop("games", settings=settings)["stopped"] == "2"
    assert rollout.stop("games", settings=settings)["stopped"] is None
    assert registry.version_by_alias(settings, "games", rollout.CANARY) is None


def test_a_serving_that_is_gone_is_said_and_not_ready(settings):
    registry.set_alias(settings, "games", registry.CHAMPION, "1")
    rollout.start("games", "2", settings=settings)
    gone = settings.model_copy(update={"serving_url": "http://127.0.0.1:9"})
    assert rollout.status("games", settings=gone)["serving"] is None
    with pytest.raises(UsageError, match="not ready"):
        rollout.require_ready("games", settings=gone)


def test_finish_promotes_what_is_ready_and_takes_the_canary_away(tmp_path, serving, monkeypatch):
    settings = project_with_registry(tmp_path / "project").model_copy(update={"serving_url": f"http://127.0.0.1:{serving.server_port}"})
    champion = register(settings, "good", dataset_md5=f"{1:032d}.dir", champion=True)
    version = register(settings, "better", dataset_md5=f"{2:032d}.dir")
    registry.set_alias(settings, "games", registry.CHALLENGER, version)
    digest = _verdict(settings, version, champion, judged_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    rollout.start("games", version, settings=settings)
    serving.said = {"state": "ready", "version": version, "share": 1.0, "decision": "finish"}
    monkeypatch.setattr("groundswell.commands.rollout.configured", lambda: (settings, load_params(Settings(project=PROJECT))))
    done = CliRunner().invoke(cli.app, ["rollout", "finish", "--by", "ann", "--topic", "games", "--verdict", digest], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert registry.version_by_alias(settings, "games", registry.CHAMPION).version == version
    assert registry.version_by_alias(settings, "games", rollout.CANARY) is None
