"""``/v1``: Groundswell's own protocol."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from serving import problems
from serving.messages import ModelResponse, PredictRequest, PredictResponse
from serving.routes.bodies import texts_of
from serving.service import Answered, Service, describe


class ShortRoute(APIRoute):
    """A route that is documented as every other, and whose endpoint is asked without FastAPI's solving of dependencies around it, which took
    a third of a request's time: it reads the body and shows the key itself (`Service.predict` serves nobody whose key was not asked for)."""

    def __init__(self, *positional, **named):
        super().__init__(*positional, **named)
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self.endpoint(Request(scope, receive))
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


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

    short = {"route_class_override": ShortRoute, "openapi_extra": problems.takes(PredictRequest)}

    async def predict(request: Request) -> bytes:
        """The label and the probabilities of 1 to 128 texts, and the model version that gave all of them."""
        service.keys.authenticate(request.scope["headers"])
        service.refuse_if_full()
        texts = texts_of(await read(request.receive), request.headers.get("content-type", ""))
        answered = await service.predict(texts)
        ids = service.ids.make(answered.model, texts, answered.probabilities)
        return to_json(response(answered, ids))

    routes.add_api_route("/predict", predict, methods=["POST"], response_model=PredictResponse, responses=statuses, **short)

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
