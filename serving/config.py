"""The serving process's settings: ``GROUNDSWELL_*`` in the environment, read once, by the entry points.

The pipeline's ``groundswell.settings`` is not used here: it needs pyarrow, which serving does not have. Names that both read
(``GROUNDSWELL_HOME``, ``GROUNDSWELL_MLFLOW_URI``, ``GROUNDSWELL_SERVING_PORT``) mean the same in both.
"""

from __future__ import annotations

import math
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell.errors import ParamsError

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SECRETS = Path("/run/secrets")
"""Where a container finds its secrets, a file each, named as the variable: read for what the environment does not say."""


class ServingSettings(BaseSettings):
    """What one serving process needs to know; every field is ``GROUNDSWELL_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="GROUNDSWELL_", extra="ignore", frozen=True, secrets_dir=_SECRETS if _SECRETS.is_dir() else None)

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
    serving_slowest_ratio: float = Field(4, ge=1)
    """A candidate that takes more than so many times the champion's time for the same texts is refused, and one that takes more than"""
    serving_slowest_seconds: float = Field(5, gt=0)
    """so long for a trial text, whatever the champion takes."""
    serving_shadow_share: float = Field(0.05, ge=0, le=1)
    """The share of requests that the version with the alias challenger is asked too, when there is nothing else to do; 0: it is not loaded."""
    serving_canary_points: int = Field(50, ge=1)
    """Data points that each metric of a rollout has in each arm before the next step."""
    serving_canary_step_seconds: float = Field(60, ge=0)
    """How long each step of a rollout takes at least."""
    serving_canary_slower: float = Field(2, ge=1)
    """A canary is rolled back when more than 1 % of its requests take more than so many times the champion's 99th percentile."""
    serving_canary_disagreement: float = Field(0.15, gt=0, lt=1)
    """A canary is rolled back when its label differs from the champion's on more than this share of texts."""
    serving_workers: int = Field(1, ge=1, le=64)
    """Processes that answer; with more than one a supervisor replaces those that die or hang."""
    serving_hung_seconds: float = Field(30, ge=3)
    """How long a worker's event loop may be silent before its supervisor kills it."""
    serving_threads: int = Field(0, ge=0, le=64)
    """Predictions at once in a worker, each with an ONNX Runtime session of one thread; 0: its share of the cores this server may use."""
    serving_max_waiting_tokens: int = Field(16_384, ge=1)
    """Tokens under way or waiting, estimated from characters; a request that would go past it gets 429."""
    serving_deadline_seconds: float = Field(10, gt=0)
    """What has waited longer is not computed any more, and gets 503."""
    serving_max_body_bytes: int = Field(256 * 1024, ge=1024)
    serving_read_seconds: float = Field(10, gt=0)
    """How long a client may take to send a request's headers, as long again for its body, and to read an answer."""
    serving_max_connections: int = Field(4096, ge=2)
    """Open connections of a process; one more takes the place of the one that has been idle longest. Each is a file descriptor."""
    serving_allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    """The names, with commas, that requests may call this server by; ``*.example.org`` for all below one, ``*`` for any."""
    serving_auth: Literal["keys", "off"] = "keys"
    """Whether clients need an API key; off is for the demo and for tests, on loopback."""
    serving_keys_file: str = ""
    """The keys, as ``groundswell keys`` writes them; left out: ``serving/keys.json`` under home."""
    serving_secret: SecretStr = SecretStr("")
    """What prediction ids and cache keys are made with, 32 characters at least; left out: made once, in serving's folder of the topic."""
    serving_secret_before: SecretStr = SecretStr("")
    """The one in use before: prediction ids that were made with it are still taken."""
    serving_cache: SecretStr = SecretStr("memory")
    """Where answers are remembered: memory, off, or a Redis as redis://, rediss:// or unix:// (with its password, if it has one)."""
    serving_cache_entries: int = Field(65_536, ge=1)
    """Answers in each worker's memory, about 300 bytes each; the least recently asked for goes first. A Redis bounds itself (maxmemory)."""
    serving_cache_seconds: int = Field(86_400, ge=1)
    """How long a Redis keeps an answer."""
    serving_drain_seconds: int = Field(30, ge=0)
    """How long requests under way may take to finish after SIGTERM."""
    serving_webhook_secret: SecretStr = SecretStr("")
    """The secret that MLflow signs its webhooks with; empty: the hook refuses everything and polling is all there is."""
    serving_webhook_url: str = ""
    """Where MLflow reaches this process's /hooks/mlflow; set (with the secret), the webhook is registered at the start."""

    @field_validator("serving_secret", "serving_secret_before")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise ValueError("expected at least 32 characters that nobody can guess, e.g. of: openssl rand -hex 32")
        return value

    @field_validator("serving_cache")
    @classmethod
    def _is_a_cache(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        place = value.get_secret_value()
        if place in ("memory", "off"):
            return value
        if not place.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("expected memory, off, or the address of a Redis as redis://HOST:PORT/0")
        if not info.data.get("serving_secret", value).get_secret_value():
            raise ValueError("processes that share a Redis need one secret to make its keys with: set GROUNDSWELL_SERVING_SECRET in all of them")
        return value

    @field_validator("serving_auth")
    @classmethod
    def _is_only_off_on_loopback(cls, auth: str, given: ValidationInfo) -> str:
        host = given.data.get("serving_host", "")
        if auth == "off" and not (host == "localhost" or _is_loopback(host)):
            raise ValueError(
                f"expected keys, found off with GROUNDSWELL_SERVING_HOST {host}, which others can reach: make a key, or listen on 127.0.0.1"
            )
        return auth

    @property
    def keys_file(self) -> Path | None:
        """Where the API keys are, as `groundswell.settings.Settings.keys_file` has it; None where nobody needs one."""
        if self.serving_auth == "off":
            return None
        return self.project / self.serving_keys_file if self.serving_keys_file else (self.project / self.home).resolve() / "serving" / "keys.json"

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
        return self.serving_threads or max(1, usable_cores() // self.serving_workers)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


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
