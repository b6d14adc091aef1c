"""``/v1/explain``: which words of one text an answer hangs on."""

from __future__ import annotations

from fastapi import APIRouter

from serving import problems
from serving.explain import contributions
from serving.messages import LABELS, Contribution, ExplainRequest, ExplainResponse, Probabilities
from serving.service import Service


def router(service: Service) -> APIRouter:
    """One address."""
    routes = APIRouter(prefix="/v1", tags=["predictions"])

    @routes.post("/explain", responses=problems.described(400, 413, 422, 429, 500, 503))
    async def explain(body: ExplainRequest) -> ExplainResponse:
        """What each word of one text adds to its label, found by leaving it out. Costs as many predictions as the text has words."""
        model, text, places, probabilities = await service.occlude(body.text)
        label = LABELS.index(body.label) if body.label else int(probabilities[0].argmax())
        added = contributions(probabilities, label).tolist()
        without = probabilities[2:, label].tolist()
        return ExplainResponse(
            model=model.name,
            version=model.version.version,
            run_id=model.version.run_id,
            text=text,
            label=LABELS[label],
            probabilities=_named(probabilities[0]),
            base=_named(probabilities[1]),
            words=[
                Contribution(word=text[place.start : place.end], start=place.start, end=place.end, contribution=much, without=left)
                for place, much, left in zip(places, added, without, strict=True)
            ],
        )

    return routes


def _named(row) -> Probabilities:
    return Probabilities(**dict(zip(LABELS, row.tolist(), strict=True)))
