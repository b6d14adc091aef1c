"""What goes over the wire: requests, answers, problems. The OpenAPI document is made of these and their examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Label = Literal["negative", "neutral", "positive"]

LABELS: tuple[str, ...] = get_args(Label)
"""`groundswell.schema.LABELS`, held equal by a test: the schema needs pyarrow, which serving does not have."""

MAX_TEXTS = 128


def mend(text):
    """``text`` with lone surrogates (half an emoji, legal in JSON as ``\\ud83d``) as U+FFFD; anything but such a string as it is."""
    if not isinstance(text, str) or text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PredictRequest(Message):
    """Texts to be read; each is normalised as in training, and read up to the model's longest length."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"texts": ["The new patch is wonderful", "Servers down again 😡"]}]})

    texts: Annotated[list[Annotated[str, BeforeValidator(mend)]], Field(min_length=1, max_length=MAX_TEXTS)]


class Probabilities(Message):
    """One probability a label, calibrated; they sum to 1."""

    negative: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)
    positive: float = Field(ge=0, le=1)


class Prediction(Message):
    label: Label
    probabilities: Probabilities


class PredictResponse(Message):
    """One prediction a text, in the order of the request, and which model gave all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "groundswell-sentiment-games",
                    "version": "3",
                    "run_id": "5f0c0a8c2d6e4d0f9d6f1f5a7c1b2e3d",
                    "predictions": [{"label": "positive", "probabilities": {"negative": 0.02, "neutral": 0.08, "positive": 0.9}}],
                }
            ]
        },
    )

    model: str
    version: str
    run_id: str
    predictions: list[Prediction]


class ModelResponse(Message):
    """The model that answers now, and what stands in the way of a newer one, if anything does."""

    model: str
    version: str
    run_id: str
    alias: str
    base: str
    dataset_md5: str
    labels: list[str]
    digest: str = Field(description="sha256 of the export's manifest, which holds the sha256 of every file")
    loaded_at: datetime
    trouble: str | None = Field(description="Why a newer champion, or the registry itself, can't be had; null when all is well")


class Alive(Message):
    status: Literal["alive"] = "alive"


class Ready(Message):
    status: Literal["ready"] = "ready"
    version: str
    trouble: str | None = None


class Heard(Message):
    status: Literal["heard"] = "heard"


class Fault(Message):
    """One thing that is wrong with a request: where, and what was expected there. What was found is never repeated."""

    where: str
    expected: str


class Problem(Message):
    """Every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    faults: list[Fault] = []
