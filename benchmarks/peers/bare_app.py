"""The bare peer: FastAPI over ONNX Runtime, one session a process, no batching across requests. Run by uvicorn.

Reads the export that ``PEER_EXPORT`` names. ``PEER_ENDPOINT`` is ``async`` (it computes on the event loop) or ``def`` (in FastAPI's threads);
``PEER_THREADS`` are the session's threads.
"""

import os
from pathlib import Path

from fastapi import FastAPI
from int8_model import Model
from pydantic import BaseModel

model = Model(Path(os.environ["PEER_EXPORT"]), int(os.environ["PEER_THREADS"]))
app = FastAPI()


class Request(BaseModel):
    texts: list[str]


class Prediction(BaseModel):
    label: str
    probabilities: dict[str, float]


@app.get("/health")
def health() -> dict:
    return {}


def in_a_thread(request: Request) -> list[Prediction]:
    return model.predict(request.texts)


async def on_the_loop(request: Request) -> list[Prediction]:
    return model.predict(request.texts)


app.post("/predict")({"def": in_a_thread, "async": on_the_loop}[os.environ["PEER_ENDPOINT"]])
