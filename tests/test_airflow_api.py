"""Airflow's interface against a small HTTP server that answers as Airflow does; the real one is in tests/dags and tests/e2e."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from groundswell import airflow_api
from groundswell.airflow_api import Airflow, pools
from groundswell.errors import StackError
from groundswell.params import Params
from groundswell.window import Window


class Server(ThreadingHTTPServer):
    """Answers ``routes``: (method, path) → a list of (status, body), the last one for ever. Keeps what it was asked in ``asked``."""

    def __init__(self, routes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes = {("POST", "/auth/token"): [(201, {"access_token": "a token"})], **routes}
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def bodies(self, method, path):
        return [body for asked_method, asked_path, body, _ in self.asked if (asked_method, asked_path.partition("?")[0]) == (method, path)]


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        path = self.path.partition("?")[0]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        answers = self.server.routes.get((self.command, path), [(404, {"detail": f"no {path}"})])
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer(self.path) if callable(answer) else answer).encode())

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *_):
        pass


@contextmanager
def airflow(routes=None):
    server = Server(routes or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server, Airflow(server.url, "admin", "a password")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(airflow_api.time, "sleep", lambda seconds: None)


def test_it_logs_in_once_and_again_when_the_token_is_old():
    runs = ("GET", "/api/v2/dags/collect/dagRuns/a")
    with airflow({runs: [(200, {"state": "running"}), (401, {"detail": "Token Expired"}), (200, {"state": "success"})]}) as (server, client):
        assert [client.run("collect", "a")["state"] for _ in range(2)] == ["running", "success"]
        assert server.bodies("POST", "/auth/token") == [{"username": "admin", "password": "a password"}] * 2
        assert {authorization for method, _, _, authorization in server.asked if method == "GET"} == {"Bearer a token"}


def test_a_wrong_password_and_nobody_there_are_told_apart():
    with (
        airflow({("POST", "/auth/token"): [(401, {"detail": "Invalid credentials"})]}) as (_, client),
        pytest.raises(StackError, match="check name and"),
    ):
        client.runs("collect")
    with pytest.raises(StackError, match="does not answer.*is it up"):
        client.runs("collect")


RUNS = ("POST", "/api/v2/dags/retrain/dagRuns")
FAILED = (500, {"detail": {"reason": "Internal server error"}})


def test_a_run_is_asked_for_again_by_the_same_id_when_airflow_went_wrong():
    with airflow({RUNS: [FAILED, (200, {"dag_run_id": "as asked"})]}) as (server, client):
        assert client.trigger("retrain") == "as asked"
        first, second = (body["dag_run_id"] for body in server.bodies(*RUNS))
        assert first == second
        assert client.trigger("retrain") == "as asked"
        assert server.bodies(*RUNS)[-1]["dag_run_id"] != first


def test_a_run_that_was_started_although_airflow_went_wrong_is_the_run():
    with airflow({RUNS: [FAILED, (409, {"detail": "exists"})]}) as (server, client):
        assert client.trigger("retrain") == server.bodies(*RUNS)[0]["dag_run_id"]
    with airflow({RUNS: [(409, {"detail": "exists"})]}) as (_, client), pytest.raises(StackError, match="409"):
        client.trigger("retrain")


def test_an_airflow_that_goes_on_going_wrong_is_not_asked_for_ever():
    with airflow({RUNS: [FAILED]}) as (server, client):
        with pytest.raises(StackError, match="500"):
            client.trigger("retrain")
        assert len(server.bodies(*RUNS)) == 3


def test_health_needs_no_login_and_leaves_out_what_does_not_run():
    health = {"scheduler": {"status": "healthy"}, "triggerer": {"status": None}}
    with airflow({("GET", "/api/v2/monitor/health"): [(200, health)]}) as (server, client):
        assert client.health() == {"scheduler": "healthy"}
        assert len(server.asked) == 1


def test_lists_are_read_to_their_end():
    numbered = [{"dag_run_id": str(number)} for number in range(230)]

    def page(path):
        offset = int(path.rpartition("offset=")[2])
        return {"dag_runs": numbered[offset : offset + 100]}

    with airflow({("GET", "/api/v2/dags/collect/dagRuns"): [(200, page)]}) as (_, client):
        assert client.runs("collect", state="success") == numbered


def test_pools_are_made_and_mended_and_left_alone():
    there = {"pools": [{"name": "heavy", "slots": 3}, {"name": "seal", "slots": 1}]}
    routes = {("GET", "/api/v2/pools"): [(200, there)], ("POST", "/api/v2/pools"): [(201, {})], ("PATCH", "/api/v2/pools/heavy"): [(200, {})]}
    with airflow(routes) as (server, client):
        client.ensure_pools({"source_steam": 2, "heavy": 1, "seal": 1})
        assert [body["name"] for body in server.bodies("POST", "/api/v2/pools")] == ["source_steam"]
        assert server.bodies("PATCH", "/api/v2/pools/heavy") == [{"pool": "heavy", "slots": 1}]


def test_the_pools_are_one_a_source():
    params = Params.model_validate({"topic": "games", "topics": {"games": {"steam": {"app_ids": [1]}}, "news": {"hackernews": {"query": "q"}}}})
    assert pools(params) == {"source_hackernews": 2, "source_steam": 2, "heavy": 1, "seal": 1}


def test_a_run_is_started_with_its_partition():
    with airflow({("POST", "/api/v2/dags/collect/dagRuns"): [(200, {"dag_run_id": "made"})]}) as (server, client):
        assert client.trigger("collect", partition_key="2026-10-19", conf={"sources": ["steam"]}) == "made"
        (body,) = server.bodies("POST", "/api/v2/dags/collect/dagRuns")
        assert body.pop("dag_run_id").startswith("manual__")
        assert body == {"logical_date": None, "conf": {"sources": ["steam"]}, "partition_key": "2026-10-19"}


def test_a_backfill_waits_for_one_that_is_over_but_not_closed():
    made = {"id": 1, "dag_id": "collect", "created_at": "2026-11-20T12:00:00Z"}
    routes = {
        ("POST", "/api/v2/backfills"): [(409, {"detail": "There is already a running backfill"}), (200, made)],
        ("GET", "/api/v2/dags/collect/dagRuns"): [(200, {"dag_runs": [{"state": "success"}]})],
    }
    with airflow(routes) as (server, client):
        assert client.backfill("collect", Window.parse("2026-10-19"), Window.parse("2026-10-20"), reprocess="completed") == made
        (first, second) = server.bodies("POST", "/api/v2/backfills")
        assert first == second
        assert (first["from_date"], first["to_date"]) == ("2026-10-19T00:00:00+00:00", "2026-10-20T00:00:00+00:00")
        assert (first["max_active_runs"], first["reprocess_behavior"], first["dag_run_conf"]) == (4, "completed", {})


def test_a_backfill_beside_one_that_runs_is_refused_in_airflows_words():
    routes = {
        ("POST", "/api/v2/backfills"): [(409, {"detail": "There is already a running backfill"})],
        ("GET", "/api/v2/dags/collect/dagRuns"): [(200, {"dag_runs": [{"state": "running"}]})],
    }
    with airflow(routes) as (_, client), pytest.raises(StackError, match="already a running backfill"):
        client.backfill("collect", Window.parse("2026-10-19"), Window.parse("2026-10-20"))


def test_the_runs_of_a_backfill_are_those_queued_since():
    def run(key, queued_at, state="success"):
        return {"partition_key": key, "run_after": None, "queued_at": queued_at, "state": state}

    runs = [run("2026-10-20", "2026-11-20T12:00:01Z"), run("2026-10-19", "2026-11-20T12:00:01Z"), run("2026-10-19", "2026-11-20T11:00:00Z", "failed")]
    with airflow({("GET", "/api/v2/dags/collect/dagRuns"): [(200, {"dag_runs": runs})]}) as (_, client):
        found = client.wait_for_backfill({"dag_id": "collect", "created_at": "2026-11-20T12:00:00Z"}, seconds=5)
    assert [(each["partition_key"], each["state"]) for each in found] == [("2026-10-19", "success"), ("2026-10-20", "success")]


def test_waiting_ends_with_what_is_not_done(monkeypatch):
    routes = {
        ("GET", "/api/v2/dags/retrain/dagRuns/a"): [(200, {"state": "running"})],
        ("GET", "/api/v2/dags/retrain/dagRuns/a/taskInstances"): [
            (200, {"task_instances": [{"task_id": "train", "state": "running"}, {"task_id": "judge", "state": None}]})
        ],
    }
    with airflow(routes) as (_, client), pytest.raises(StackError, match="train is running, judge is waiting after 0 s"):
        client.wait_for_run("retrain", "a", seconds=0)


def test_an_answer_is_never_too_quick(monkeypatch):
    waited = []
    monkeypatch.setattr(airflow_api.time, "sleep", waited.append)
    path = "/api/v2/dags/retrain/dagRuns/a/taskInstances/approval/-1/hitlDetails"
    task = {"dag_id": "retrain", "dag_run_id": "a", "task_id": "approval", "map_index": -1}
    question = {"created_at": "2026-11-20T12:00:00Z", "task_instance": task}
    asked = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    with airflow({("PATCH", path): [(200, {})]}) as (server, client):
        client.answer(question, "Approve", now=lambda: asked + 2)
        client.answer(question, "Reject", now=lambda: asked + 60)
        assert server.bodies("PATCH", path) == [{"chosen_options": ["Approve"]}, {"chosen_options": ["Reject"]}]
    assert waited == [3, 0]


def test_events_are_asked_for_again_while_airflow_cant_tell_them():
    events = ("GET", "/api/v2/assets/events")
    with airflow({events: [(500, "Internal Server Error"), (200, {"asset_events": [{"id": 1}]})]}) as (_, client):
        assert client.events("posts") == [{"id": 1}]


def test_a_log_has_the_errors_that_stand_beside_its_lines():
    content = [{"event": "Task failed", "error_detail": [{"exc_type": "StackError", "exc_value": "no luck"}]}, {"event": "plain"}, "a line"]
    path = "/api/v2/dags/collect/dagRuns/a/taskInstances/topic.validate/logs/1"
    with airflow({("GET", path): [(200, {"content": content})]}) as (_, client):
        assert client.log("collect", "a", "topic.validate", map_index=0) == ["Task failed: StackError: no luck", "plain", "a line"]


def test_an_asset_that_no_dag_names_is_told():
    routes = {("GET", "/api/v2/assets"): [(200, {"assets": [{"name": "posts_of_old", "id": 3}, {"name": "posts", "id": 4}]})]}
    routes[("POST", "/api/v2/assets/events")] = [(200, {})]
    with airflow(routes) as (server, client):
        client.emit("posts", extra={"topic": "games"})
        assert server.bodies("POST", "/api/v2/assets/events") == [{"asset_id": 4, "extra": {"topic": "games"}}]
        with pytest.raises(StackError, match="no asset 'pots'"):
            client.emit("pots")
