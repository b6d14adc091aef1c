"""The simulated annotators: people who label a share of a window's posts, and err at a known rate.

Who labels what, and where they err, depends on the post's id and the seed alone: the same question has the same answer.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from groundswell.schema import LABELS
from groundswell.simulator.content import PLATFORMS, TOPICS, Post, shown
from groundswell.simulator.settings import SimulatorSettings

ANNOTATORS = ("annotator-1", "annotator-2", "annotator-3", "annotator-4")


class Key(BaseModel):
    source: str
    post_id: str


class Question(BaseModel):
    """Which posts of ``[start, end)`` to label; the share, the error rate and the seed are the simulated annotators' own."""

    topic: str
    start: AwareDatetime
    end: AwareDatetime
    posts: list[Key] = Field(max_length=1000)
    share: float = Field(1.0, ge=0, le=1)
    error_rate: float = Field(0.0, ge=0, le=1)
    seed: int = 1


class Annotation(Key):
    label: str
    annotator: str
    labelled_at: datetime


def router(settings: SimulatorSettings) -> APIRouter:
    """``POST /annotations``."""
    routes = APIRouter()

    @routes.post("/annotations")
    def annotations(question: Question) -> dict[str, list[Annotation]]:
        known = _known(settings, question)
        found = (_annotation(key, known.get((key.source, key.post_id)), question) for key in question.posts)
        return {"annotations": [annotation for annotation in found if annotation]}

    return routes


def _known(settings: SimulatorSettings, question: Question) -> dict[tuple[str, str], Post]:
    days = {(question.start + timedelta(hours=hours)).date() for hours in range(0, int((question.end - question.start) / timedelta(hours=1)))}
    return {
        (source, str(post.post_id)): post
        for source in {key.source for key in question.posts} & set(PLATFORMS)
        for day in sorted(days)
        for post in (shown(settings, source, question.topic, day) if question.topic in TOPICS else ())
    }


def _annotation(key: Key, post: Post | None, question: Question) -> Annotation | None:
    if post is None or not post.text.strip():
        return None
    chance = random.Random(f"{question.seed}/{key.source}/{key.post_id}")
    if chance.random() >= question.share:
        return None
    label = post.sentiment
    if chance.random() < question.error_rate:
        label = chance.choice([other for other in LABELS if other != post.sentiment])
    late = timedelta(minutes=chance.randrange(10, 600))
    return Annotation(
        **key.model_dump(), label=label, annotator=chance.choice(ANNOTATORS), labelled_at=datetime.fromtimestamp(post.created, UTC) + late
    )
