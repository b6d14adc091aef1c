"""``/v1/feedback``: a person's word on a prediction."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from serving import problems
from serving.feedback import Correction
from serving.messages import FeedbackRequest, FeedbackResponse
from serving.service import Service


def router(service: Service) -> APIRouter:
    """One address."""
    routes = APIRouter(prefix="/v1", tags=["feedback"])
    again = {200: {"model": FeedbackResponse, "description": "You have said so before"}}

    @routes.post("/feedback", status_code=201, responses=again | problems.described(400, 404, 413, 422, 429, 503))
    async def feedback(body: FeedbackRequest, response: Response) -> FeedbackResponse:
        """Which label a prediction should have had, in your eyes. Kept for a person to judge; no model learns from it by itself."""
        client = service.keys.client()
        client.charge(1)
        prediction = service.ids.read(body.id)
        if body.text is not None and not prediction.is_of(body.text):
            raise problems.Invalid("body.text", "the text of that prediction, as it was sent, or none")
        correction = Correction(
            received_at=datetime.now(UTC).isoformat(timespec="seconds"),
            client=client.name,
            prediction_id=body.id,
            predicted_at=prediction.made_at.isoformat(timespec="seconds"),
            version=prediction.version,
            digest=prediction.digest,
            predicted=prediction.label,
            label=body.label,
            text_hash=prediction.text_hash,
            text=body.text,
        )
        is_new = await service.feedback.keep(correction)
        service.metrics.feedback.labels("kept" if is_new else "repeated").inc()
        if not is_new:
            response.status_code = 200
        return FeedbackResponse(id=body.id, predicted=prediction.label, label=body.label)

    return routes
