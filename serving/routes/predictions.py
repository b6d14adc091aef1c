"""``/v1``: Groundswell's own protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problems
from serving.canary import note_client
from serving.keys import Unauthenticated
from serving.messages import ModelResponse, PredictRequest, PredictResponse
from serving.middleware import Hosts
from serving.problems import PROBLEMS, Invalid
from serving.routes.bodies import texts_of
from serving.service import Answered, Service, describe

PATH = "/v1/predict"


class Shortcut:
    """`PATH` past the framework: a sound request is answered here, after the same checks; every other is the framework's, as if it came there first.

    Between two texts that are computed little is left in the caches, so each of the framework's steps costs several times what it does alone.
    """

    def __init__(self, app: ASGIApp, *, service: Service, hosts: Hosts, most_bytes: int):
        self.app, self.service, self.hosts, self.most_bytes = app, service, hosts, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or not self._is_sound(scope):
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        try:
            self.service.refuse_if_full()  # its body is not read: under a crowd this is what most requests come to
            texts, again = await _texts_of(scope, receive)
            if again is not None:
                status = None
                await self.app(scope, again, send)
                return
            said, status = await predicted(self.service, texts), 200
            headers = [(b"content-length", b"%d" % len(said)), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": said})
        except PROBLEMS as error:
            answer = await problems.answer(Request(scope), error)
            status = answer.status_code
            await answer(scope, receive, send)
        finally:
            if status is not None:  # the framework counts what it is handed
                self.service.metrics.request(PATH, status, time.perf_counter() - started)

    def _is_sound(self, scope: Scope) -> bool:
        """Whether nothing before the body is in the way. Asks for the key, and says to this task whose request it is."""
        headers = scope["headers"]
        length = b"".join(value for name, value in headers if name == b"content-length")
        # a length that is announced is kept to by who reads the connection; without one the body is counted as it comes, elsewhere
        if scope["method"] != "POST" or not length.isdigit() or int(length[:20]) > self.most_bytes or not self.hosts.are_named_in(headers):
            return False
        note_client(scope)
        try:
            self.service.keys.authenticate(headers)
        except Unauthenticated:
            return False
        return True


async def _texts_of(scope: Scope, receive: Receive) -> tuple[list[str], Receive | None]:
    """The texts in the body; or, where there are none to be had, what gives the framework what was received here."""
    try:
        body = await read(receive)
        return texts_of(body, _content_type(scope)), None
    except ClientDisconnect:
        return [], _again({"type": "http.disconnect"})
    except (Invalid, HTTPException, RequestValidationError):
        return [], _again({"type": "http.request", "body": body})


def _content_type(scope: Scope) -> str:
    return next((value for name, value in scope["headers"] if name == b"content-type"), b"").decode("latin-1")


def _again(message: Message) -> Receive:
    """``message``, which was received already, and after it that nobody is there any more."""
    messages = iter([message])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


async def predicted(service: Service, texts: Sequence[str]) -> bytes:
    """A `PredictResponse` as JSON."""
    answered = await service.predict(texts)
    return to_json(response(answered, service.ids.make(answered.model, texts, answered.probabilities)))


async def read(receive: Receive) -> bytes:
    """A request's whole body; `ClientDisconnect` when it will not come."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def router(service: Service) -> APIRouter:
    """Predictions, and which model gives them."""
    routes = APIRouter(prefix="/v1", tags=["predictions"])

    statuses = problems.described(400, 413, 422, 429, 500, 503)

    @routes.post("/predict", response_model=PredictResponse, responses=statuses, openapi_extra=problems.takes(PredictRequest))
    async def predict(request: Request) -> Response:
        """The label and the probabilities of 1 to 128 texts, and the model version that gave all of them."""
        service.refuse_if_full()
        texts = texts_of(await read(request.receive), request.headers.get("content-type", ""))
        return Response(await predicted(service, texts), media_type="application/json")

    @routes.get("/model", responses=problems.described(503))
    async def model() -> ModelResponse:
        """Which model answers now, what it was trained on, and whether anything stands in the way of a newer one."""
        return describe(service.champion, service.keeper.trouble)

    return routes


def response(answered: Answered, ids: Sequence[str]) -> dict:
    """`PredictResponse` as a dict."""
    model = answered.model
    predictions = [{"id": each, **prediction} for each, prediction in zip(ids, answered.predictions(), strict=True)]
    return {"model": model.name, "version": model.version.version, "run_id": model.version.run_id, "predictions": predictions}
