"""How far a new version has come: read-only, because who decides does so in the registry."""

from __future__ import annotations

from fastapi import APIRouter

from serving.messages import RolloutResponse
from serving.service import Service


def router(service: Service) -> APIRouter:
    """The canary's state."""
    routes = APIRouter(prefix="/v1", tags=["models"])

    @routes.get("/rollout")
    async def rollout() -> RolloutResponse:
        """Which version is on trial, its share, the points per metric, and the last decision with its reason; the same from every worker."""
        return RolloutResponse.model_validate(service.rollout.report())

    return routes
