"""What others call when something happened."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request

from serving import problems
from serving.messages import Heard
from serving.service import Service
from serving.signature import is_signed


def router(service: Service) -> APIRouter:
    """MLflow's webhook."""
    routes = APIRouter(prefix="/hooks", tags=["hooks"])
    secret = service.settings.serving_webhook_secret.get_secret_value()

    @routes.post("/mlflow", status_code=202, responses=problems.described(403, 413))
    async def heed(request: Request) -> Heard:
        """MLflow's webhook: something moved in the registry, so look there now. What it says is not believed, only that it was said."""
        body = await request.body()
        if not is_signed(secret, request.headers, body, now=time.time()):
            service.metrics.hooks.labels("refused").inc()
            raise problems.Unsigned(
                "expected MLflow's signature, made within five minutes with the secret in GROUNDSWELL_SERVING_WEBHOOK_SECRET"
                if secret
                else "no secret is set here (GROUNDSWELL_SERVING_WEBHOOK_SECRET), so no delivery can be trusted; the registry is polled all the same"
            )
        service.metrics.hooks.labels("heard").inc()
        await service.wake()
        return Heard()

    return routes
