"""The page for people, at ``/``: loads nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

_PAGE = Path(__file__).parent.with_name("page.html")
_POLICY = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src data:; frame-ancestors 'none'"}


def router() -> APIRouter:
    """One page."""
    routes = APIRouter()
    page = _PAGE.read_text(encoding="utf-8")

    @routes.get("/", include_in_schema=False)
    async def for_people() -> HTMLResponse:
        return HTMLResponse(page, headers=_POLICY)

    return routes
