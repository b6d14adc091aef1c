"""The links of a task, and the pages behind two of them: shown to who is logged in, and nothing but reports."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from groundswell_links import LINKS, ComparisonLink, DriftLink, ReportLink, RequestedRunLink, RunLink, ValidationLink
from groundswell_operator import StageOperator
from groundswell_plugin import GroundswellPlugin, found_report

pytestmark = pytest.mark.slow


def link(kind, **report):
    return kind().get_link(SimpleNamespace(report=report), ti_key=None)


def test_links_lead_where_the_report_says(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_URI", "http://mlflow.test")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.test")
    assert link(RunLink, run_id="abc") == "http://mlflow.test/#/runs/abc"
    page = {"topic": "games", "window": "2026-10-19"}
    assert link(ValidationLink, stage="validate", **page) == "http://airflow.test/groundswell/reports/validate/games/2026-10-19.html"
    assert link(DriftLink, stage="monitor", **page) == "http://airflow.test/groundswell/reports/monitor/games/2026-10-19.html"
    assert link(ComparisonLink, stage="compare", topic="games", run_id="abc") == "http://airflow.test/groundswell/reports/compare/games.html"
    assert link(ReportLink, stage="report", topic="games", files=["reports/report/games.html"]) == (
        "http://airflow.test/groundswell/reports/report/games.html"
    )


def test_a_stage_without_a_page_has_no_link(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_URI", "sqlite:///somewhere.db")
    assert link(RunLink, run_id="abc") == ""
    assert link(ValidationLink, stage="monitor", topic="games", window="2026-10-19") == ""
    assert link(DriftLink, stage="monitor") == ""
    assert link(ComparisonLink, stage="train", topic="games") == ""
    assert {kind.get_link(SimpleNamespace(), ti_key=None) for kind in LINKS} == {""}


def test_a_request_links_to_its_run_and_no_request_to_nothing(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.test")
    asked = SimpleNamespace(trigger_dag_id="retrain", trigger_run_id="drift__games__2026-10-20")
    assert RequestedRunLink().get_link(asked, ti_key=None) == "http://airflow.test/dags/retrain/runs/drift__games__2026-10-20"
    assert RequestedRunLink().get_link(SimpleNamespace(trigger_dag_id="retrain", trigger_run_id=None), ti_key=None) == ""


def test_airflow_knows_the_links():
    assert StageOperator.operator_extra_links == LINKS
    assert [type(each).__name__ for each in GroundswellPlugin.operator_extra_links] == [
        "RunLink",
        "ValidationLink",
        "DriftLink",
        "ComparisonLink",
        "ReportLink",
        "RequestedRunLink",
    ]


@pytest.fixture
def reports(tmp_path):
    folder = tmp_path / "var" / "reports"
    for name in ("validate/games/2026-10-19.html", "validate/games/2026-10-19.json", "notes.txt", ".hidden.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a report")
    (tmp_path / "var" / "secret.json").write_text("a secret")
    (folder / "out.json").symlink_to(tmp_path / "var" / "secret.json")
    return folder


@pytest.mark.parametrize("name", ["validate/games/2026-10-19.html", "validate/games/2026-10-19.json"])
def test_a_report_is_found(reports, name):
    assert found_report(reports, name).read_text() == "a report"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "validate",
        "validate/games",
        "validate/games/2026-10-20.html",
        "notes.txt",
        ".hidden.json",
        "out.json",
        "../secret.json",
        "validate/../../secret.json",
        "/etc/passwd",
        "validate//games/2026-10-19.html",
        "validate/./games/2026-10-19.html",
        "..\\secret.json",
        "validate/games/2026-10-19.html\0.json",
        "x" * 5000 + ".json",
    ],
)
def test_nothing_else_is(reports, name):
    assert found_report(reports, name) is None


@pytest.fixture
def client(reports, monkeypatch):
    """Airflow's own API server with our plugin's pages, on the reports of a test."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from groundswell_plugin import _application
    from groundswell_plugin import reports as application

    monkeypatch.setenv("GROUNDSWELL_HOME", str(reports.parent))
    _application.cache_clear()
    app = FastAPI()
    app.mount("/groundswell/reports", application)
    yield TestClient(app)
    _application.cache_clear()


def test_who_is_not_logged_in_sees_nothing(client):
    for name in ("validate/games/2026-10-19.html", "nothing.html"):
        assert client.get(f"/groundswell/reports/{name}").status_code == 401


@pytest.fixture
def covered(reports, monkeypatch):
    """The coverage page on an empty home; who asks is logged in."""
    from airflow.api_fastapi.core_api import security
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from groundswell_plugin import COVERAGE, _coverage, coverage

    monkeypatch.setenv("GROUNDSWELL_HOME", str(reports.parent))
    _coverage.cache_clear()
    app = FastAPI()
    app.mount(COVERAGE, coverage)
    client = TestClient(app)
    assert client.get(f"{COVERAGE}/").status_code == 401, "who is not logged in sees nothing"
    _coverage().dependency_overrides[security.get_user] = lambda: SimpleNamespace(name="admin")
    yield client
    _coverage.cache_clear()


def test_the_coverage_page_shows_the_lake_as_it_is_now(covered, reports):
    from groundswell.lake import Lake
    from groundswell.schema import POST
    from groundswell.window import Window

    empty = covered.get("/groundswell/coverage/")
    assert (empty.status_code, "no day of games" in empty.text) == (200, True)
    lake = Lake(reports.parent / "lake")
    lake.write(lake.partition("raw", "steam", "games", Window.parse("2026-10-19")), pa.Table.from_pylist([], schema=POST), {"status": "complete"})
    answer = covered.get("/groundswell/coverage/")
    assert "2026-10-19: collected, 0 raw posts" in answer.text
    assert "allow-same-origin" not in answer.headers["content-security-policy"]
    assert covered.get("/groundswell/coverage/?from=2026-10-18&to=2026-10-19").text.count("missing") > answer.text.count("missing")
    for wrong in ("?from=<script>", "?topic=gammes"):
        refused = covered.get(f"/groundswell/coverage/{wrong}")
        assert (refused.status_code, "<script>" in refused.text) == (400, False)


def test_who_is_sees_the_page_in_a_sandbox(client, monkeypatch):
    from airflow.api_fastapi.core_api import security
    from groundswell_plugin import _application

    _application().dependency_overrides[security.get_user] = lambda: SimpleNamespace(name="admin")
    answer = client.get("/groundswell/reports/validate/games/2026-10-19.html")
    assert answer.status_code == 200
    assert answer.text == "a report"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in answer.headers["content-security-policy"]
    for path in ("%2e%2e/secret.json", "..%2fsecret.json", "validate/..%2f..%2f..%2fsecret.json", "notes.txt", "out.json"):
        assert client.get(f"/groundswell/reports/{path}").status_code == 404
