"""Where things are, and secrets: ``GROUNDSWELL_*`` in the environment, or a file each where a container keeps its secrets.

Read at entry points only (`load_settings`); a value that can't be is an error that names the variable, and shows no secret. What changes a result:
`groundswell.params`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell.errors import ParamsError

DEMO_PSEUDONYM_KEY = "known-to-everybody-and-only-for-the-demo"
DEMO_VERDICT_KEY = "known-to-everybody-and-signs-in-the-demo-only"
DRIVER = "postgresql+psycopg2://"
"""How a database's URL begins: plain ``postgresql://`` would mean another driver to SQLAlchemy."""
SECRETS = Path("/run/secrets")
"""Where a container finds its secrets, a file each, named as the variable: read for what the environment does not say."""


@dataclass(frozen=True)
class Place:
    """A folder's path or object storage: a URL down to a root, and what its fsspec file system must be told (endpoint_url, key, secret …)."""

    url: str
    options: dict = field(default_factory=dict, repr=False)
    key_file: Path | None = None
    """The keys to encrypt what lies there with; None: not encrypted."""


class Settings(BaseSettings):
    """Where things are, and secrets: ``GROUNDSWELL_HOME``, ``GROUNDSWELL_MLFLOW_URI`` …"""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDSWELL_", extra="ignore", frozen=True, hide_input_in_errors=True, secrets_dir=SECRETS if SECRETS.is_dir() else None
    )

    project: Path = Path(".")
    """The folder with params.yaml, dvc.yaml and dags/."""
    home: Path = Path("var")
    """All state, relative to the project unless absolute."""
    params: Path = Path("params.yaml")
    is_demo: bool = False
    """Demo mode: known keys are allowed, approvals are answered automatically."""
    pseudonym_key: SecretStr = SecretStr("")
    """The HMAC key of author pseudonyms. Keep it: another key makes every author a stranger."""
    pseudonym_keys_before: SecretStr = SecretStr("")
    """The keys that were in use before, the latest first, between commas: erasure and tombstones know authors by every one of them."""
    verdict_key: SecretStr = SecretStr("")
    """The HMAC key that judge signs its verdicts with and promote checks them by: both must have it, and nobody else."""
    hackernews_url: str = "https://hn.algolia.com"
    hackernews_items_url: str = "https://hacker-news.firebaseio.com"
    """Single Hacker News items, for asking whether they are still there."""
    steam_url: str = "https://api.steampowered.com"
    reddit_url: str = "https://oauth.reddit.com"
    reddit_token_url: str = "https://www.reddit.com/api/v1/access_token"
    reddit_client_id: str = ""
    reddit_client_secret: SecretStr = SecretStr("")
    """Of the app that Reddit approved; it reads without a user."""
    reddit_user_agent: str = ""
    """Unique and true, as Reddit wants it: PLATFORM:APP:VERSION (by /u/NAME)."""
    x_url: str = "https://api.x.com"
    x_bearer_token: SecretStr = SecretStr("")
    """The app-only bearer token of X's developer console; reading costs money."""
    bluesky_url: str = "https://bsky.social"
    bluesky_handle: str = ""
    """Whose session Bluesky's search is asked in: it answers nobody without one."""
    bluesky_app_password: SecretStr = SecretStr("")
    lemmy_url: str = ""
    """The instance whose communities are read; as with Mastodon, there is no default."""
    mastodon_url: str = ""
    """The instance whose hashtags are read; there is no default, because each instance has rules of its own."""
    mastodon_token: SecretStr = SecretStr("")
    """For an instance that shows its timelines to nobody without one."""
    rss_url: str = ""
    """What addresses of feeds without a host are relative to; empty: there are none."""
    gdelt_url: str = "https://api.gdeltproject.org"
    gdelt_pause_seconds: float = 5
    """How far GDELT wants requests to be apart; one's own simulator has no such wish."""
    lake_key: str = ""
    """The file with the keys that encrypt the lake, outside of home; empty: the lake is not encrypted."""
    annotator_url: str = ""
    """Where annotations come from; empty: nobody annotates."""
    mlflow_uri: str = ""
    """The tracking server; empty: the SQLite store under home that the embedded server uses too."""
    airflow_database_url: SecretStr = SecretStr("")
    """The embedded Airflow's metadata database, postgresql+psycopg2://…; empty: SQLite under home."""
    mlflow_database_url: SecretStr = SecretStr("")
    """The embedded MLflow's store, postgresql+psycopg2://…; empty: SQLite under home."""
    tune_database_url: SecretStr = SecretStr("")
    """Where studies of hyperparameters are kept, postgresql+psycopg2://…; empty: SQLite under home, a file a topic."""
    airflow_url: str = "http://127.0.0.1:8080"
    airflow_user: str = "admin"
    """Who our own commands are to Airflow."""
    airflow_password: SecretStr = SecretStr("")
    """Empty: the embedded Airflow, whose password is known here."""
    serving_url: str = "http://127.0.0.1:8000"
    serving_key: SecretStr = SecretStr("")
    """The API key that our own commands show to serving; empty: none, for a serving that asks for none."""
    serving_keys_file: str = ""
    """Serving's API keys, which `keys` changes; left out: ``serving/keys.json`` under home."""
    serving_python: str = ""
    """The Python of serving's environment; left out: ``.venv-serving/bin/python`` of the project."""
    airflow_port: int = 8080
    mlflow_port: int = 5000
    serving_port: int = 8000
    simulator_port: int = 8400
    lake_url: str = ""
    """The lake's root on object storage, s3://BUCKET/PREFIX or any URL that fsspec knows; empty: the folder lake under home."""
    lake_options: SecretStr = SecretStr("")
    """What fsspec must be told for ``lake_url``, as a JSON object: endpoint_url, key, secret …"""
    dvc_remote: str = ""
    """A DVC remote's URL; empty: a folder under home."""

    @field_validator("lake_options")
    @classmethod
    def _is_an_object(cls, options: SecretStr) -> SecretStr:
        try:
            is_object = isinstance(json.loads(options.get_secret_value() or "{}"), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ValueError('expected a JSON object like {"endpoint_url": …}, found something else (the value is not shown, it is a secret)')
        return options

    @field_validator("airflow_database_url", "mlflow_database_url", "tune_database_url")
    @classmethod
    def _has_the_driver(cls, url: SecretStr) -> SecretStr:
        if url and not url.get_secret_value().startswith(DRIVER):
            raise ValueError(f"expected {DRIVER}USER:PASSWORD@HOST:PORT/DATABASE, found another beginning (the value is not shown, it is a secret)")
        return url

    @property
    def root(self) -> Path:
        """``home`` as an absolute path."""
        return (self.project / self.home).resolve()

    @property
    def keys_file(self) -> Path:
        """Serving's API keys: `serving.config.ServingSettings.keys_file`, held equal by a test."""
        return self.project / self.serving_keys_file if self.serving_keys_file else self.root / "serving" / "keys.json"

    @property
    def serving_interpreter(self) -> Path:
        """The Python of serving's environment, there or not."""
        return self.project.resolve() / (self.serving_python or ".venv-serving/bin/python")

    @property
    def lake(self) -> Path | Place:
        """Where the lake is: what `lake.Lake` takes."""
        if not self.lake_url and not self.lake_key:
            return self.root / "lake"
        options = json.loads(self.lake_options.get_secret_value() or "{}")
        return Place(self.lake_url or str(self.root / "lake"), options, self.project / self.lake_key if self.lake_key else None)

    def dataset(self, topic: str) -> Path:
        return self.root / "dataset" / topic

    def model(self, topic: str) -> Path:
        return self.root / "model" / topic

    def report(self, stage: str, *parts: str) -> Path:
        """Where ``stage`` leaves its report: ``reports/<stage>/<parts…>.json``."""
        path = self.root.joinpath("reports", stage, *parts)
        return path.with_name(path.name + ".json")

    @property
    def tracking_uri(self) -> str:
        """The MLflow to ask: a server where one is named or its store is a database server, else the SQLite store itself."""
        if not self.mlflow_uri and self.mlflow_database_url:
            return f"http://127.0.0.1:{self.mlflow_port}"
        return self.mlflow_uri or f"sqlite:///{self.root / 'mlflow' / 'mlflow.db'}"

    def keys_for_pseudonyms(self) -> tuple[bytes, ...]:
        """The key in use, then those before it; `ParamsError` when there is none, or the demo's outside the demo."""
        key = self.pseudonym_key.get_secret_value() or (DEMO_PSEUDONYM_KEY if self.is_demo else "")
        if key == DEMO_PSEUDONYM_KEY and not self.is_demo:
            raise ParamsError("GROUNDSWELL_PSEUDONYM_KEY is the demo's, which everybody knows: set your own, e.g. from: openssl rand -hex 32")
        before = [each.strip() for each in self.pseudonym_keys_before.get_secret_value().split(",") if each.strip()]
        for name, each in (("GROUNDSWELL_PSEUDONYM_KEY", key), *(("GROUNDSWELL_PSEUDONYM_KEYS_BEFORE", each) for each in before)):
            if len(each) < 16:
                raise ParamsError(
                    f"{name}: expected at least 16 characters a key (author ids leave collect only as pseudonyms made with it); "
                    "make one with: openssl rand -hex 32"
                )
        return tuple(each.encode() for each in dict.fromkeys((key, *before)))

    def key_for_verdicts(self) -> bytes:
        """What verdicts are signed with; `ParamsError` when there is none, or the demo's outside the demo."""
        key = self.verdict_key.get_secret_value() or (DEMO_VERDICT_KEY if self.is_demo else "")
        if key == DEMO_VERDICT_KEY and not self.is_demo:
            raise ParamsError("GROUNDSWELL_VERDICT_KEY is the demo's, which everybody knows: set your own, e.g. from: openssl rand -hex 32")
        if len(key) < 16:
            raise ParamsError(
                "GROUNDSWELL_VERDICT_KEY: expected at least 16 characters (judge signs its verdicts with it, promote refuses others); "
                "make one with: openssl rand -hex 32"
            )
        return key.encode()


def load_settings() -> Settings:
    """`Settings` from the environment; `ParamsError` naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise ParamsError("; ".join(map(_explain_setting, error.errors()))) from None


def _explain_setting(detail: dict) -> str:
    name = str(detail["loc"][0])
    is_secret = Settings.model_fields[name].annotation is SecretStr
    return f"GROUNDSWELL_{name.upper()}: {detail['msg']}" + ("" if is_secret else f", found {detail['input']!r}")
