"""What an orchestrator and a monitoring system ask."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from serving import problems
from serving.messages import Alive, IsReady, Live, Ready
from serving.service import Service


def router(service: Service) -> APIRouter:
    """Liveness, readiness, Prometheus: ours, and what MLflow's clients and those of the Open Inference Protocol ask."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> Alive:
        """The process is alive. Says nothing about a model: /readyz does."""
        return Alive()

    @routes.get("/readyz", responses=problems.described(503))
    async def readyz() -> Ready:
        """A prediction was made just now, by the model that would answer you."""
        model = await service.probe()
        return Ready(version=model.version.version, trouble=service.keeper.trouble)

    @routes.get("/ping", response_class=PlainTextResponse, responses=problems.described(503))
    @routes.get("/health", response_class=PlainTextResponse, responses=problems.described(503))
    async def ping() -> str:
        """MLflow's: there is a model to answer with."""
        _ = service.champion  # raises where there is none
        return "\n"

    @routes.get("/version", response_class=PlainTextResponse)
    async def mlflow_version() -> str:
        """MLflow's: the version of MLflow whose protocol is spoken."""
        return version("mlflow-skinny")

    @routes.get("/v2/health/live")
    async def live() -> Live:
        """The Open Inference Protocol's /healthz."""
        return Live()

    @routes.get("/v2/health/ready", responses=problems.described(503))
    async def ready() -> IsReady:
        """The Open Inference Protocol's /readyz."""
        await service.probe()
        return IsReady()

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus, of every worker: the label ``worker`` tells them apart where there are several."""
        return Response(await service.metrics_page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
