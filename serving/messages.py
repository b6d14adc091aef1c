"""What goes over the wire: requests, answers, problems. The OpenAPI document is made of these and their examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Label = Literal["negative", "neutral", "positive"]

LABELS: tuple[str, ...] = get_args(Label)
"""`groundswell.schema.LABELS`, held equal by a test: the schema needs pyarrow, which serving does not have."""

MAX_TEXTS = 128
MAX_TEXT_CHARACTERS = 2_000
"""Of a text that is sent here, far past what a model reads; longer ones are refused, not cut: whoever sends one means something else."""


def mend(text):
    """``text`` with lone surrogates (half an emoji, legal in JSON as ``\\ud83d``) as U+FFFD; anything but such a string as it is."""
    if not isinstance(text, str) or text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), BeforeValidator(mend)]


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PredictRequest(Message):
    """Texts to be read; each is normalised as in training, and read up to the model's longest length."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"texts": ["The new patch is wonderful", "Servers down again 😡"]}]})

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]


class Probabilities(Message):
    """One probability a label, calibrated; they sum to 1."""

    negative: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)
    positive: float = Field(ge=0, le=1)


class Prediction(Message):
    id: str = Field(description="Says which prediction this is, e.g. to /v1/feedback; nothing about the text can be learnt from it")
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
                    "predictions": [
                        {
                            "id": "AQJpHqQAAAAAA6urq6sC4vsu8TwdbhNqfIyfE6-noNDVSUsG_-oUi2nw",
                            "label": "positive",
                            "probabilities": {"negative": 0.02, "neutral": 0.08, "positive": 0.9},
                        }
                    ],
                }
            ]
        },
    )

    model: str
    version: str
    run_id: str
    predictions: list[Prediction]


class ExplainRequest(Message):
    """A text, and the label that is to be explained; left out: the one that the model gives it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "The new patch is wonderful"}]})

    text: Text
    label: Label | None = None


class Contribution(Message):
    """A word of the text, or a run of words where it has many, and what it adds."""

    word: str
    start: int = Field(ge=0, description="Its first character in `text`, counted in Unicode code points")
    end: int = Field(ge=0, description="The character after its last")
    contribution: float = Field(description="What it adds to the label's log-odds: without it they are so much lower")
    without: float = Field(ge=0, le=1, description="The label's probability without it")


class ExplainResponse(Message):
    """What each word adds to the label, found by leaving it out. The contributions do not add up to the answer."""

    model: str
    version: str
    run_id: str
    text: str = Field(description="The text as the model reads it: links, mentions and markup normalised")
    label: Label
    probabilities: Probabilities
    base: Probabilities = Field(description="What the model says of no words at all")
    words: list[Contribution] = Field(description="In the order of the text, as far as the model reads it")


class FeedbackRequest(Message):
    """Which label a prediction should have had; its text too, if you like: it is kept only if you send it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"id": "AQJpHqQAAAAAA6urq6sC4vsu8TwdbhNqfIyfE6-noNDVSUsG_-oUi2nw", "label": "negative"}]},
    )

    id: str = Field(pattern="^[A-Za-z0-9_-]{56}$", description="Of the prediction, as /v1/predict gave it")
    label: Label
    text: Text | None = Field(None, description="The text of that prediction, as it was sent")


class FeedbackResponse(Message):
    """Your word is kept, and waits for a person's judgement."""

    id: str
    predicted: Label
    label: Label
    state: Literal["quarantined"] = "quarantined"


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


class Row(Probabilities):
    """A row of MLflow's answer, as the registered model's signature says."""

    label: Label


class Invoked(Message):
    """MLflow's answer to an invocation, a row a text."""

    predictions: list[Row]


class Endpoint(Message):
    """An endpoint as the client of `mlflow.deployments` reads it."""

    name: str
    endpoint_type: Literal["groundswell/v1/sentiment"] = "groundswell/v1/sentiment"
    model: dict[str, str]
    endpoint_url: str
    limit: None = None


class Endpoints(Message):
    endpoints: list[Endpoint]


class ServerMetadata(Message):
    """The Open Inference Protocol's words on a server."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Message):
    name: str
    datatype: Literal["BYTES", "FP32"]
    shape: list[int] = Field(description="-1: as many as there are texts")


class ModelMetadata(Message):
    """The Open Inference Protocol's words on a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelIsReady(Message):
    name: str
    ready: Literal[True] = True


class Tensor(TensorMetadata):
    """An output: its values row by row, or how many bytes of the body are they."""

    data: list[str] | list[float] | None = None
    parameters: dict[str, int] = {}


class Inferred(Message):
    """The Open Inference Protocol's answer; tensors asked for as binary follow it in the body."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, str] = {}
    outputs: list[Tensor]


class RolloutResponse(Message):
    """How far the version with the alias canary has come."""

    state: Literal["none", "running", "ready", "rolled back"]
    version: str | None
    champion: str | None
    share: float = Field(description="Of clients that the canary answers now")
    step: int = Field(description="1 for the first; 0 when there is none")
    steps: list[float]
    points: dict[str, int] = Field(description="Data points of the metric that has the fewer of the two arms, at this step")
    points_needed: int
    seconds_left: float = Field(description="Before the next step, at least")
    numbers: dict
    decision: str | None = Field(description="The last one, and why")


class Alive(Message):
    status: Literal["alive"] = "alive"


class Live(Message):
    live: Literal[True] = True


class IsReady(Message):
    ready: Literal[True] = True


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
    error: str = Field(description="The detail again: where clients of the Open Inference Protocol look for it")
    faults: list[Fault] = []
