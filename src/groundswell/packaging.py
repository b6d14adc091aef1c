"""An export as an MLflow model: pyfunc from code, with what it needs to run and nothing of torch.

Reads an export folder and this package's own sources; writes a logged model into a run. Its requirements are the versions
that made it, so `mlflow models serve` can build an environment for it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from groundswell.schema import LABELS

CODE = ("__init__.py", "errors.py", "files.py", "text.py", "onnx_runtime.py", "predictor.py")
"""The sources that travel with the model, beside pyfunc.py itself."""

REQUIREMENTS = ("mlflow", "numpy", "pandas", "onnxruntime", "tokenizers")

_EXAMPLES = ("What a wonderful day", "Nothing works any more", "The update is out on Monday")


def log_model(settings, run_id: str, export: Path, *, metrics: dict[str, float]) -> str:
    """Log ``export`` as the run's model with ``metrics`` on it; its ``models:/m-…`` address."""
    import mlflow

    from groundswell import tracking

    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="groundswell-code-") as box, tracking.registry_errors(settings):
        tracking.client(settings)
        code = Path(box) / "groundswell"
        code.mkdir()
        for name in CODE:
            shutil.copyfile(here / name, code / name)
        logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # pip is left without a version: it may be
        logged = mlflow.pyfunc.log_model(
            name="sentiment",
            python_model=str(here / "pyfunc.py"),
            artifacts={"export": str(export)},
            code_paths=[str(code)],
            signature=signature(),
            input_example=_example(),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
        mlflow.log_metrics(metrics, run_id=run_id, model_id=logged.model_id)
    return logged.model_uri


def signature():
    """A column ``text`` in; ``label`` and a probability a label out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    answers = [ColSpec(DataType.string, "label"), *(ColSpec(DataType.double, label) for label in LABELS)]
    return ModelSignature(inputs=Schema([ColSpec(DataType.string, "text")]), outputs=Schema(answers))


def _example():
    import pandas as pd

    return pd.DataFrame({"text": list(_EXAMPLES)})
