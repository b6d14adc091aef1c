"""The serving process's settings: ``GROUNDSWELL_*`` in the environment, read once, by the entry points.

The pipeline's ``groundswell.config`` is not used here: it needs pyarrow, which serving does not have. Names that both read
(``GROUNDSWELL_HOME``, ``GROUNDSWELL_MLFLOW_URI``, ``GROUNDSWELL_SERVING_PORT``) mean the same in both.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell.errors import ParamsError

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class ServingSettings(BaseSettings):
    """What one serving process needs to know; every field is ``GROUNDSWELL_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="GROUNDSWELL_", extra="ignore", frozen=True)

    project: Path = Path(".")
    home: Path = Path("var")
    """All state, relative to the project unless absolute; serving writes only under ``serving/<topic>/`` of it."""
    topic: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """Whose champion is served: one process, one topic."""
    mlflow_uri: str = "http://127.0.0.1:5000"
    """The MLflow server that holds the registry; mlflow-skinny speaks HTTP to it, not SQL."""
    serving_host: str = "127.0.0.1"
    serving_port: int = Field(8000, ge=0, le=65535)
    serving_poll_seconds: float = Field(2, gt=0)
    """How often the alias is looked up; a webhook makes it sooner."""
    serving_retry_seconds: float = Field(30, gt=0)
    """How long a version that was refused is left alone; doubled each time, at most an hour. A moved alias ends it."""
    serving_threads: int = Field(0, ge=0, le=64)
    """Predictions at once, each with an ONNX Runtime session of one thread; 0: the cores this process may use."""
    serving_max_waiting_texts: int = Field(1024, ge=1)
    """Texts under way or waiting; a request that would go past it gets 429."""
    serving_max_body_bytes: int = Field(1024 * 1024, ge=1024)
    serving_drain_seconds: int = Field(30, ge=0)
    """How long requests under way may take to finish after SIGTERM."""
    serving_webhook_secret: SecretStr = SecretStr("")
    """The secret that MLflow signs its webhooks with; empty: the hook refuses everything and polling is all there is."""
    serving_webhook_url: str = ""
    """Where MLflow reaches this process's /hooks/mlflow; set (with the secret), the webhook is registered at the start."""

    @property
    def folder(self) -> Path:
        """Where this topic's model copies lie."""
        return (self.project / self.home).resolve() / "serving" / self.topic

    @property
    def model_name(self) -> str:
        """The registered model: `groundswell.schema.registered_model`, held equal by a test."""
        return f"groundswell-sentiment-{self.topic}"

    @property
    def threads(self) -> int:
        return self.serving_threads or usable_cores()


def load_serving_settings() -> ServingSettings:
    """`ServingSettings` from the environment; `ParamsError` naming the variable, never its value where that is a secret."""
    try:
        return ServingSettings()
    except ValidationError as error:
        raise ParamsError("; ".join(_explain(detail) for detail in error.errors(include_input=False))) from None


def usable_cores(quota: Path = _CGROUP_QUOTA) -> int:
    """The cores this process may use: its affinity, cut by the container's CPU quota, not the host's number of cores."""
    cores = len(os.sched_getaffinity(0))
    try:
        allowed, period = quota.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if allowed == "max" else max(1, min(cores, math.ceil(int(allowed) / int(period))))


def _explain(detail: dict) -> str:
    name = f"GROUNDSWELL_{str(detail['loc'][0]).upper()}"
    if detail["type"] == "missing":
        return f"{name} is not set: serving needs to know it, e.g. {name}=games"
    return f"{name}: {detail['msg']}"
