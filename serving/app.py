"""The HTTP service: routes that only translate between the wire and the keeper's champion.

Reads what the keeper holds; writes nothing. Refuses what is not as the OpenAPI document says, with a problem that never repeats
what was sent; answers 429 when too much is waiting and 503 while there is no champion.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from groundswell import __version__
from serving import problems
from serving.config import ServingSettings
from serving.copies import Copies
from serving.keeper import Keeper, Registry
from serving.loading import LoadedModel, load_model
from serving.messages import LABELS, Alive, Fault, Heard, ModelResponse, PredictRequest, PredictResponse, Problem, Ready
from serving.metrics import Metrics
from serving.middleware import BodyLimit, Measured
from serving.pool import Busy, Pool
from serving.registry import ALIAS
from serving.signature import is_signed

PROBE_SECONDS = 10
PROBE_TEXTS = ("Is anybody there? I hope so.",)
_PAGE = Path(__file__).with_name("page.html")


def create_app(settings: ServingSettings, registry: Registry) -> FastAPI:
    """The application for one topic. Nothing is started until its lifespan begins."""
    metrics = Metrics()
    keeper = Keeper(
        registry,
        Copies(settings.folder),
        lambda folder, version: load_model(folder, version, name=settings.model_name, topic=settings.topic),
        metrics,
        poll_seconds=settings.serving_poll_seconds,
        retry_seconds=settings.serving_retry_seconds,
    )
    pool = Pool(threads=settings.threads, max_waiting_texts=settings.serving_max_waiting_texts)
    metrics.waiting_texts.set_function(lambda: pool.waiting_texts)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        keeper.start()
        yield
        await asyncio.to_thread(keeper.stop)
        await asyncio.to_thread(pool.close)

    app = FastAPI(
        title="Groundswell",
        summary="The sentiment of social-media posts: negative, neutral or positive.",
        version=__version__,
        docs_url=None,  # FastAPI's pages load from a CDN: ours, at /, works without
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.keeper, app.state.pool, app.state.metrics = keeper, pool, metrics
    problems.install(app)
    app.add_middleware(BodyLimit, most_bytes=settings.serving_max_body_bytes)
    app.add_middleware(Measured, metrics=metrics)
    _add_prediction(app, keeper, pool, metrics)
    _add_health(app, keeper, pool)
    _add_hook(app, keeper, metrics, settings.serving_webhook_secret.get_secret_value())
    _add_pages(app, metrics)
    app.openapi = lambda: _openapi(app)
    return app


def _add_prediction(app: FastAPI, keeper: Keeper, pool: Pool, metrics: Metrics) -> None:
    @app.post("/v1/predict", tags=["predictions"], response_model=PredictResponse, responses=problems.described(400, 413, 422, 429, 500, 503))
    async def predict(body: PredictRequest) -> Response:
        """The label and the probabilities of 1 to 128 texts, and the model version that gave all of them."""
        model = _champion(keeper)
        started = time.perf_counter()
        try:
            probabilities = await pool.predict(model, body.texts)
        except Busy:
            metrics.busy.inc()
            raise
        metrics.predict_seconds.observe(time.perf_counter() - started)
        for label, count in zip(LABELS, np.bincount(probabilities.argmax(axis=1), minlength=len(LABELS)), strict=True):
            metrics.texts.labels(label).inc(int(count))
        return Response(json.dumps(answer(model, probabilities)), media_type="application/json")

    @app.get("/v1/model", tags=["predictions"], responses=problems.described(503))
    async def model() -> ModelResponse:
        """Which model answers now, what it was trained on, and whether anything stands in the way of a newer one."""
        return describe(_champion(keeper), keeper.trouble)


def _add_health(app: FastAPI, keeper: Keeper, pool: Pool) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> Alive:
        """The process is alive. Says nothing about a model: /readyz does."""
        return Alive()

    @app.get("/readyz", tags=["health"], responses=problems.described(503))
    async def readyz() -> Ready:
        """A prediction was made just now, by the model that would answer you."""
        model = _champion(keeper)
        try:
            probabilities = await asyncio.wait_for(pool.probe(model, PROBE_TEXTS), PROBE_SECONDS)
        except TimeoutError:
            raise problems.NotReady(f"a prediction took more than {PROBE_SECONDS} seconds") from None
        if not np.isfinite(probabilities).all():
            raise problems.NotReady("a prediction was no number")
        return Ready(version=model.version.version, trouble=keeper.trouble)


def _add_hook(app: FastAPI, keeper: Keeper, metrics: Metrics, secret: str) -> None:
    @app.post("/hooks/mlflow", tags=["hooks"], status_code=202, responses=problems.described(403, 413))
    async def heed(request: Request) -> Heard:
        """MLflow's webhook: something moved in the registry, so look there now. What it says is not believed, only that it was said."""
        body = await request.body()
        if not is_signed(secret, request.headers, body, now=time.time()):
            metrics.hooks.labels("refused").inc()
            raise problems.Unsigned(
                "expected MLflow's signature, made within five minutes with the secret in GROUNDSWELL_SERVING_WEBHOOK_SECRET"
                if secret
                else "no secret is set here (GROUNDSWELL_SERVING_WEBHOOK_SECRET), so no delivery can be trusted; the registry is polled all the same"
            )
        metrics.hooks.labels("heard").inc()
        keeper.wake()
        return Heard()


def _add_pages(app: FastAPI, metrics: Metrics) -> None:
    page = _PAGE.read_text(encoding="utf-8")

    @app.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def read_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/", include_in_schema=False)
    async def page_for_people() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src data:; frame-ancestors 'none'"})


def answer(model: LoadedModel, probabilities: np.ndarray) -> dict:
    """`PredictResponse` as a dict: float32 numbers as they are, not rounded, so that they can be compared with offline ones."""
    rows = probabilities.tolist()
    predictions = [
        {"label": LABELS[best], "probabilities": dict(zip(LABELS, row, strict=True))}
        for best, row in zip(probabilities.argmax(axis=1).tolist(), rows, strict=True)
    ]
    return {"model": model.name, "version": model.version.version, "run_id": model.version.run_id, "predictions": predictions}


def describe(model: LoadedModel, trouble: str | None = None) -> ModelResponse:
    """What is known about ``model``."""
    config = model.predictor.config
    return ModelResponse(
        model=model.name,
        version=model.version.version,
        run_id=model.version.run_id,
        alias=ALIAS,
        base=str(config.get("base", "")),
        dataset_md5=str(config.get("dataset_md5", "")),
        labels=list(model.predictor.labels),
        digest=model.digest,
        loaded_at=model.loaded_at,
        trouble=trouble,
    )


def _champion(keeper: Keeper) -> LoadedModel:
    model = keeper.current
    if model is None:
        raise problems.NoChampion(keeper.trouble or "it is being loaded")
    return model


def _openapi(app: FastAPI) -> dict:
    """FastAPI's document, with the problem's schema in the place of FastAPI's own shape of errors."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas["Problem"].pop("$defs", None)
        schemas["Fault"] = Fault.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
