"""Everything that can go wrong with a request, as one shape: problem+json (RFC 9457). What was sent is never repeated."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.feedback import FeedbackUnavailable
from serving.keys import RateLimited, Unauthenticated
from serving.messages import MAX_TEXTS, Fault, PredictRequest, Problem
from serving.pool import Busy, Late, PredictionFailed
from serving.prediction_ids import UnknownPrediction

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

_TITLES = {
    400: "The request can't be read",
    401: "A key is needed",
    404: "There is nothing here",
    405: "This method is not for this address",
    408: "The request is too slow",
    413: "The request is too large",
    415: "This kind of body is not read here",
    422: "The request is not as it should be",
}


class NoChampion(Exception):
    """There is no model to answer with; the message says why."""


class NotReady(Exception):
    """There is a model, and it does not answer."""


class Invalid(Exception):
    """A body that is not as its protocol says: ``where``, and what was ``expected`` there. What was found is not repeated."""

    def __init__(self, where: str, expected: str):
        super().__init__(f"{where}: expected {expected}")
        self.fault = Fault(where=where, expected=expected)


class Unsigned(Exception):
    """A webhook delivery that nobody vouches for."""


def problem(name: str, status: int, title: str, detail: str, *, faults: Iterable[Fault] = (), headers: dict | None = None) -> Response:
    """A problem as an answer; ``name`` is what programs tell it by."""
    body = Problem(type=f"urn:groundswell:problem:{name}", title=title, status=status, detail=detail, error=detail, faults=list(faults))
    return Response(body.model_dump_json(), status, media_type=MEDIA_TYPE, headers=headers)


def described(*statuses: int) -> dict:
    """The ``responses`` of a route for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    titles = _TITLES | {403: "Not signed", 429: "Too busy", 500: "The prediction failed", 503: "There is no model to answer with"}
    return {status: {"description": titles[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def takes(body: type[BaseModel]) -> dict:
    """The ``openapi_extra`` of a route that reads its body itself: it is a ``body``, which `serving.app` puts among the document's schemas."""
    schema = {"$ref": f"#/components/schemas/{body.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def install(app: FastAPI) -> None:
    """Have ``app`` answer every error as a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer(request: Request, error: Exception) -> Response:
    """The problem that ``error``, one of `PROBLEMS`, is."""
    handler = next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)
    return await handler(request, error)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    asked = _asked_for(request)
    faults = [Fault(where=_where(detail, asked), expected=expected(detail, asked)) for detail in error.errors()[:10]]
    return problem("invalid", 422, _TITLES[422], "; ".join(f"{fault.where}: {fault.expected}" for fault in faults), faults=faults)


async def _not_as_said(request: Request, error: Invalid) -> Response:
    return problem("invalid", 422, _TITLES[422], str(error), faults=[error.fault])


async def _http(request: Request, error: HTTPException) -> Response:
    title = _TITLES.get(error.status_code, "The request was refused")
    return problem(f"http-{error.status_code}", error.status_code, title, str(error.detail), headers=error.headers)


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return problem("http-400", 400, _TITLES[400], "the connection ended before the body did")  # read by nobody, and counted


async def _no_champion(request: Request, error: NoChampion) -> Response:
    headers = {"Retry-After": "5"}
    return problem("no-champion", 503, "There is no model to answer with", str(error), headers=headers)


async def _not_ready(request: Request, error: NotReady) -> Response:
    return problem("not-ready", 503, "The model does not answer", str(error), headers={"Retry-After": "5"})


async def _unauthenticated(request: Request, error: Unauthenticated) -> Response:
    return problem("unauthenticated", 401, _TITLES[401], str(error), headers={"WWW-Authenticate": 'Bearer realm="groundswell"'})


async def _rate_limited(request: Request, error: RateLimited) -> Response:
    request.app.state.service.metrics.rate_limited.labels(error.client).inc()
    seconds = max(1, math.ceil(error.retry_after_seconds))
    detail = f"this key allows no more texts now: send the request again in {seconds} s, or ask for a key with a higher rate"
    return problem("rate-limited", 429, "More texts than this key allows", detail, headers={"Retry-After": str(seconds)})


async def _unsigned(request: Request, error: Unsigned) -> Response:
    return problem("unsigned", 403, "The delivery is not signed as it should be", str(error))


_BUSY = problem(
    "busy",
    429,
    "Too much is waiting",
    "as much is waiting as is allowed to: send it again later, and fewer at once",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
)
"""Made once: when it is needed, it is needed often."""


async def _busy(request: Request, error: Busy) -> Response:
    return _BUSY


async def _late(request: Request, error: Late) -> Response:
    detail = "the request waited longer than it may and was not computed: send it again later, and fewer at once"
    return problem("late", 503, "It took too long", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _failed(request: Request, error: PredictionFailed) -> Response:
    return problem("prediction-failed", 500, "The prediction failed", f"the model raised {error}; the texts are not in the log")


async def _unknown_prediction(request: Request, error: UnknownPrediction) -> Response:
    detail = "no prediction of this service has that id: expected one as /v1/predict gave it, with a secret that is still in use"
    return problem("unknown-prediction", 404, "There is no such prediction", detail)


async def _feedback_unavailable(request: Request, error: FeedbackUnavailable) -> Response:
    detail = "the correction could not be written, and is not kept: send it again later; the log says why"
    return problem("feedback-unavailable", 503, "Feedback can't be kept now", detail, headers={"Retry-After": "5"})


_HANDLERS = {
    RequestValidationError: _invalid,
    Invalid: _not_as_said,
    HTTPException: _http,
    ClientDisconnect: _gone,
    NoChampion: _no_champion,
    NotReady: _not_ready,
    Unauthenticated: _unauthenticated,
    RateLimited: _rate_limited,
    Unsigned: _unsigned,
    Busy: _busy,
    Late: _late,
    PredictionFailed: _failed,
    UnknownPrediction: _unknown_prediction,
    FeedbackUnavailable: _feedback_unavailable,
}
PROBLEMS = tuple(_HANDLERS)
"""What has an answer of its own; any other error is a fault of ours, and a 500 without words."""


def _asked_for(request: Request) -> type[BaseModel]:
    """What the body of this route should be."""
    body = getattr(request.scope.get("route"), "body_field", None)
    return body.field_info.annotation if body else PredictRequest


def _where(detail: dict, asked: type[BaseModel]) -> str:
    """``body.texts[3]``; a key that we do not know is the client's own words, so it is not repeated."""
    location = detail["loc"]
    if not location or location == ("body",) or location[1:2] and isinstance(location[1], int):
        return "body"
    is_ours = location[0] != "body" or location[1] in asked.model_fields
    return f"{location[0]}.{location[1] if is_ours else 'an unknown key'}" + "".join(f"[{part}]" for part in location[2:] if isinstance(part, int))


def expected(detail: dict, asked: type[BaseModel] = PredictRequest) -> str:
    """What pydantic's ``detail`` says was expected in a message of type ``asked``, without what was found there."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "json_invalid":
        return f"JSON; it stops being JSON at character {detail['loc'][-1]}"
    if kind == "extra_forbidden":
        return f"only {', '.join(asked.model_fields)}"
    if kind == "missing":
        return f"expected as in {_example(asked)}, is not there"
    if kind in ("too_short", "too_long"):
        return f"{context.get('min_length', 1)} to {MAX_TEXTS} texts, found {'none' if kind == 'too_short' else 'more'}"
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters, found more"
    if kind in _PYDANTICS_OWN:
        return detail["msg"]
    return {"string_type": "a string", "list_type": "a list of strings"}.get(
        kind, f"an object as {_example(asked)} with Content-Type: application/json"
    )


_PYDANTICS_OWN = {"literal_error", "string_pattern_mismatch", "string_too_short", "int_parsing", "greater_than_equal", "less_than_equal"}
"""Kinds of which pydantic says what was expected, and nothing of what was found."""


def _example(asked: type[BaseModel]) -> str:
    examples = (asked.model_config.get("json_schema_extra") or {}).get("examples") or [{name: "…" for name in asked.model_fields}]
    return '{"texts": ["…"]}' if asked is PredictRequest else json.dumps(examples[0], ensure_ascii=False)
