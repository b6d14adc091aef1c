"""The registered model as MLflow runs it: models from code, no torch.

MLflow executes this file, when the model is logged and each time it is loaded, with its neighbours (`packaging.CODE`)
beside it; nothing else of groundswell is there. Reads the export folder among the model's artifacts. Nobody imports it.
"""

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from groundswell.predictor import Predictor


class Sentiment(PythonModel):
    """A table with a column ``text`` in; ``label`` and one probability a label out, a row a text."""

    def load_context(self, context):
        self.predictor = Predictor.load(context.artifacts["export"])

    def predict(self, context, model_input: pd.DataFrame, params=None):
        probabilities = self.predictor.predict(model_input["text"].tolist())
        labels = np.array(self.predictor.labels)
        answers = {label: probabilities[:, place].astype(float) for place, label in enumerate(labels)}
        return pd.DataFrame({"label": labels[probabilities.argmax(axis=1)], **answers})


set_model(Sentiment())
