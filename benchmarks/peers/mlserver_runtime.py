"""The MLServer peer: a custom runtime over ONNX Runtime, as its documentation shows. Reads the export at the model settings' ``uri``."""

import os
from pathlib import Path

from int8_model import Model
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Sentiment(MLModel):
    async def load(self) -> bool:
        self.model = Model(Path(self.settings.parameters.uri), int(os.environ["PEER_THREADS"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        probabilities = self.model.probabilities(StringCodec.decode_input(payload.inputs[0]))
        labels = [self.model.labels[place] for place in probabilities.argmax(axis=1).tolist()]
        outputs = [StringCodec.encode_output("label", labels), NumpyCodec.encode_output("probabilities", probabilities)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
