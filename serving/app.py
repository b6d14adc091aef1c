"""The HTTP service: one `Service`, the routes of every protocol that it speaks, and what stands around each request.

Reads and writes nothing itself. Refuses what is not as the OpenAPI document says, with a problem that never repeats what was sent.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from groundswell import __version__
from serving import keys, problems
from serving.config import ServingSettings
from serving.keeper import Registry
from serving.messages import Fault, PredictRequest, Problem
from serving.middleware import BodyLimit, Hosts, Measured, TrustedHost
from serving.routes import explain, feedback, health, hooks, inference, mlflow, page, predictions, rollout
from serving.service import Service
from serving.siblings import Siblings


def create_app(settings: ServingSettings, registry: Registry, siblings: Siblings | None = None) -> FastAPI:
    """The application for one topic, of one worker among ``siblings`` where there are several. Nothing is started until its lifespan begins."""
    service = Service(settings, registry, siblings)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Groundswell",
        summary="The sentiment of social-media posts: negative, neutral or positive.",
        version=__version__,
        docs_url=None,  # FastAPI's pages load from a CDN: ours, at /, works without
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    problems.install(app)
    hosts, most_bytes = Hosts([name.strip() for name in settings.serving_allowed_hosts.split(",")]), settings.serving_max_body_bytes
    app.add_middleware(BodyLimit, most_bytes=most_bytes)
    app.add_middleware(TrustedHost, hosts=hosts)
    app.add_middleware(Measured, metrics=service.metrics)
    app.add_middleware(predictions.Shortcut, service=service, hosts=hosts, most_bytes=most_bytes)
    keyed = problems.described(401) if service.keys.are_required else {}
    for protocol in (predictions, explain, feedback, rollout, mlflow, inference):
        app.include_router(protocol.router(service), dependencies=keys.required(service.keys), responses=keyed)
    for router in (health.router(service), hooks.router(service), page.router()):  # open to everybody: docs/security.md says why each is
        app.include_router(router)
    app.openapi = lambda: _openapi(app)
    return app


def _openapi(app: FastAPI) -> dict:
    """FastAPI's document, with the problem's schema in the place of FastAPI's own shape of errors."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for responses in (operation["responses"] for methods in document["paths"].values() for operation in methods.values()):
            if "HTTPValidationError" in str(responses.get("422")):
                responses["422"] = problems.described(422)[422]
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas["Problem"].pop("$defs", None)
        schemas["Fault"] = Fault.model_json_schema()
        schemas["PredictRequest"] = PredictRequest.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
