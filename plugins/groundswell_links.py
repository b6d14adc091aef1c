"""Where a task's results can be looked at: its MLflow run, its window's validation page and drift report, its topic's comparison and report.

A link is made of the stage's report when the task ends and kept with the task (Airflow stores it as an XCom), so an old try
shows the page of that try's window. A stage that has no such page has no such link.
"""

from __future__ import annotations

import os
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

REPORTS = "/groundswell/reports"
"""Where the API server shows what is below var/reports; see groundswell_plugin.py."""


class RunLink(BaseOperatorLink):
    """The MLflow run that the stage wrote to."""

    name = "MLflow run"

    def get_link(self, operator, *, ti_key) -> str:
        server, run_id = os.environ.get("GROUNDSWELL_MLFLOW_URI", ""), _report(operator).get("run_id")
        return f"{server}/#/runs/{quote(str(run_id))}" if run_id and server.startswith("http") else ""


class ValidationLink(BaseOperatorLink):
    """What Great Expectations found in the window."""

    name = "Validation page"

    def get_link(self, operator, *, ti_key) -> str:
        return _page("validate", _report(operator))


class DriftLink(BaseOperatorLink):
    """Evidently's report of the window against the champion's reference."""

    name = "Drift report"

    def get_link(self, operator, *, ti_key) -> str:
        return _page("monitor", _report(operator))


class ComparisonLink(BaseOperatorLink):
    """Every approach in one table."""

    name = "Comparison"

    def get_link(self, operator, *, ti_key) -> str:
        return _topic_page("compare", _report(operator), "run_id")


class ReportLink(BaseOperatorLink):
    """The whole report of a topic."""

    name = "Report"

    def get_link(self, operator, *, ti_key) -> str:
        return _topic_page("report", _report(operator), "files")


class RequestedRunLink(BaseOperatorLink):
    """The run that was asked for; Airflow's own link leads to a run called None where nothing was."""

    name = "Requested run"

    def get_link(self, operator, *, ti_key) -> str:
        run_id = operator.trigger_run_id
        return f"{_airflow()}/dags/{operator.trigger_dag_id}/runs/{quote(run_id)}" if run_id else ""


LINKS = (RunLink(), ValidationLink(), DriftLink(), ComparisonLink(), ReportLink())


def _report(operator) -> dict:
    return getattr(operator, "report", None) or {}


def _airflow() -> str:
    return conf.get("api", "base_url", fallback="").rstrip("/")


def _topic_page(stage: str, report: dict, written: str) -> str:
    """The page of a stage's topic; ``written`` is in the report of a stage that got to its end."""
    is_there = report.get("stage") == stage and report.get(written)
    return f"{_airflow()}{REPORTS}/{stage}/{quote(report['topic'])}.html" if is_there else ""


def _page(stage: str, report: dict) -> str:
    if report.get("stage") != stage or not report.get("topic") or not report.get("window"):
        return ""
    return f"{_airflow()}{REPORTS}/{stage}/{quote(report['topic'])}/{quote(report['window'])}.html"
