"""Everything that can go wrong with a request, as one shape: problem+json (RFC 9457). What was sent is never repeated."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.messages import MAX_TEXTS, Fault, PredictRequest, Problem
from serving.pool import Busy, PredictionFailed

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

_TITLES = {
    400: "The request can't be read",
    404: "There is nothing here",
    405: "This method is not for this address",
    413: "The request is too large",
    422: "The request is not as it should be",
}


class NoChampion(Exception):
    """There is no model to answer with; the message says why."""


class NotReady(Exception):
    """There is a model, and it does not answer."""


class Unsigned(Exception):
    """A webhook delivery that nobody vouches for."""


def problem(name: str, status: int, title: str, detail: str, *, faults: Iterable[Fault] = (), headers: dict | None = None) -> Response:
    """A problem as an answer; ``name`` is what programs tell it by."""
    body = Problem(type=f"urn:groundswell:problem:{name}", title=title, status=status, detail=detail, faults=list(faults))
    return Response(body.model_dump_json(), status, media_type=MEDIA_TYPE, headers=headers)


def described(*statuses: int) -> dict:
    """The ``responses`` of a route for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    titles = _TITLES | {403: "Not signed", 429: "Too busy", 500: "The prediction failed", 503: "There is no model to answer with"}
    return {status: {"description": titles[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def install(app: FastAPI) -> None:
    """Have ``app`` answer every error as a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NoChampion, _no_champion)
    app.add_exception_handler(NotReady, _not_ready)
    app.add_exception_handler(Unsigned, _unsigned)
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(PredictionFailed, _failed)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    faults = [Fault(where=_where(detail["loc"]), expected=_expected(detail)) for detail in error.errors()[:10]]
    return problem("invalid", 422, _TITLES[422], "; ".join(f"{fault.where}: {fault.expected}" for fault in faults), faults=faults)


async def _http(request: Request, error: HTTPException) -> Response:
    title = _TITLES.get(error.status_code, "The request was refused")
    return problem(f"http-{error.status_code}", error.status_code, title, str(error.detail), headers=error.headers)


async def _no_champion(request: Request, error: NoChampion) -> Response:
    headers = {"Retry-After": "5"}
    return problem("no-champion", 503, "There is no model to answer with", str(error), headers=headers)


async def _not_ready(request: Request, error: NotReady) -> Response:
    return problem("not-ready", 503, "The model does not answer", str(error), headers={"Retry-After": "5"})


async def _unsigned(request: Request, error: Unsigned) -> Response:
    return problem("unsigned", 403, "The delivery is not signed as it should be", str(error))


async def _busy(request: Request, error: Busy) -> Response:
    detail = "as much is waiting as is allowed to: send it again later, and fewer at once"
    return problem("busy", 429, "Too much is waiting", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _failed(request: Request, error: PredictionFailed) -> Response:
    return problem("prediction-failed", 500, "The prediction failed", f"the model raised {error}; the texts are not in the log")


def _where(location: tuple) -> str:
    """``body.texts[3]``; a key that we do not know is the client's own words, so it is not repeated."""
    if not location or location == ("body",) or location[1:2] and isinstance(location[1], int):
        return "body"
    name = location[1] if location[1] in PredictRequest.model_fields else "an unknown key"
    return f"{location[0]}.{name}" + "".join(f"[{part}]" for part in location[2:] if isinstance(part, int))


def _expected(detail: dict) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "json_invalid":
        return f"JSON; it stops being JSON at character {detail['loc'][-1]}"
    if kind == "extra_forbidden":
        return f"only {', '.join(PredictRequest.model_fields)}"
    if kind == "missing":
        return 'expected as in {"texts": ["…"]}, is not there'
    if kind in ("too_short", "too_long"):
        return f"{context.get('min_length', 1)} to {MAX_TEXTS} texts, found {'none' if kind == 'too_short' else 'more'}"
    return {"string_type": "a string", "list_type": "a list of strings"}.get(
        kind, 'an object as {"texts": ["…"]} with Content-Type: application/json'
    )
