"""The reports and the lake's coverage as pages of Airflow's own server, to whoever is logged in there.

Reads files below ``var/reports`` that end in .html or .json, and the lake's footers; writes nothing. Coverage is as it is when it is asked
for, with a place in Airflow's menu. Refuses callers without Airflow's token or cookie
(Airflow does not do that for plugins), names that lead elsewhere, and every other kind of file. A report's scripts run in a
sandbox of their own origin: whatever a post's text does to a page, the page can't act as the person who reads it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin
from groundswell_links import LINKS, REPORTS, RequestedRunLink

COVERAGE = "/groundswell/coverage"
_WINDOWS = 92
"""So many windows, the last ones, are on the coverage page: a quarter of days. ``?from=A&to=B`` shows others, up to `_MOST`."""
_MOST = 800
_KINDS = {".html": "text/html; charset=utf-8", ".json": "application/json"}
_HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-popups; default-src 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval' blob:; img-src data: blob:; font-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def found_report(folder: Path, name: str) -> Path | None:
    """The file that ``name`` means below ``folder``; None for a name that leads out of it, is hidden, or is of another kind."""
    parts = name.split("/")
    if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    try:
        path = folder.joinpath(*parts).resolve()
        is_report = path.is_relative_to(folder.resolve()) and path.suffix in _KINDS and path.is_file()
    except OSError:  # a name longer than any file's
        return None
    return path if is_report else None


async def reports(scope, receive, send):
    """The pages as an ASGI application, made when the API server first needs it: every task loads this file too."""
    await _application()(scope, receive, send)


@cache
def _application():
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse

    from groundswell.settings import load_settings

    folder = load_settings().root / "reports"
    application = FastAPI(title="Groundswell's reports", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])

    @application.get("/{name:path}")
    def show(name: str) -> FileResponse:
        path = found_report(folder, name)
        if path is None:
            raise HTTPException(404, "no such report")
        return FileResponse(path, media_type=_KINDS[path.suffix], headers=_HEADERS)

    return application


async def coverage(scope, receive, send):
    """The coverage page as an ASGI application, made when it is first asked for."""
    await _coverage()(scope, receive, send)


@cache
def _coverage():
    from datetime import UTC, datetime

    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI, Query
    from fastapi.responses import HTMLResponse

    application = FastAPI(title="Groundswell's coverage", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])

    @application.get("/")
    def show(first: str | None = Query(None, alias="from"), last: str | None = Query(None, alias="to"), topic: str = "") -> HTMLResponse:
        page, status = shown_coverage(first, last, topic, f"{datetime.now(UTC):%Y-%m-%d %H:%MZ}")
        return HTMLResponse(page, status, headers=_HEADERS)

    return application


def shown_coverage(first: str | None, last: str | None, topic: str, at: str) -> tuple[str, int]:
    """The coverage page and its HTTP status; what can't be shown is a page that says why."""
    from groundswell.coverage import between
    from groundswell.coverage_page import coverage_page, empty_page
    from groundswell.errors import GroundswellError, LakeError, UsageError
    from groundswell.overview import overview
    from groundswell.params import load_params
    from groundswell.settings import load_settings

    try:
        settings = load_settings()
        params = load_params(settings)
        windows = (between(settings, params, first, last) or [])[-_MOST:] or None
        topics = [params.topic_named(topic)[0]] if topic else []
        return coverage_page(overview(settings, params, topics=topics, windows=windows, last=_WINDOWS), at=at), 200
    except LakeError as error:
        return empty_page(str(error)), 200
    except UsageError as error:
        return empty_page(str(error)), 400
    except GroundswellError as error:
        return empty_page(str(error)), 500


class GroundswellPlugin(AirflowPlugin):
    """The stage operator's links, the pages that two of them lead to, and the lake's coverage in the menu."""

    name = "groundswell"
    fastapi_apps = [
        {"app": reports, "url_prefix": REPORTS, "name": "Groundswell's reports"},
        {"app": coverage, "url_prefix": COVERAGE, "name": "Groundswell's coverage"},
    ]
    external_views = [{"name": "Coverage", "href": f"{COVERAGE}/", "destination": "nav", "url_route": "groundswell-coverage"}]
    operator_extra_links = [*LINKS, RequestedRunLink()]
