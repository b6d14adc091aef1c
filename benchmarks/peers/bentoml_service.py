"""The BentoML peer: a batchable API over ONNX Runtime, as its documentation shows.

Reads the export that ``PEER_EXPORT`` names; ``PEER_WORKERS`` processes, each with a session of ``PEER_THREADS`` threads.
"""

import os
from pathlib import Path

import bentoml
from int8_model import Model


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]))
class Sentiment:
    def __init__(self) -> None:
        self.model = Model(Path(os.environ["PEER_EXPORT"]), int(os.environ["PEER_THREADS"]))

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, texts: list[str]) -> list[dict]:
        return self.model.predict(texts)
