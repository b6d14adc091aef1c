"""The reports as pages of Airflow's own server: what stages leave below var/reports, to whoever is logged in there.

Reads files below ``var/reports`` that end in .html or .json; writes nothing. Refuses callers without Airflow's token or cookie
(Airflow does not do that for plugins), names that lead elsewhere, and every other kind of file. A report's scripts run in a
sandbox of their own origin: whatever a post's text does to a page, the page can't act as the person who reads it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin
from groundswell_links import LINKS, REPORTS, RequestedRunLink

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

    from groundswell.config import load_settings

    folder = load_settings().root / "reports"
    application = FastAPI(title="Groundswell's reports", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])

    @application.get("/{name:path}")
    def show(name: str) -> FileResponse:
        path = found_report(folder, name)
        if path is None:
            raise HTTPException(404, "no such report")
        return FileResponse(path, media_type=_KINDS[path.suffix], headers=_HEADERS)

    return application


class GroundswellPlugin(AirflowPlugin):
    """The stage operator's links, and the pages that two of them lead to."""

    name = "groundswell"
    fastapi_apps = [{"app": reports, "url_prefix": REPORTS, "name": "Groundswell's reports"}]
    operator_extra_links = [*LINKS, RequestedRunLink()]
