"""The MLflow registry as serving sees it: who is champion, and that version's export folder. Reads only; imports mlflow-skinny.

Refuses nothing: whether a version is any good is `loading`'s business. Everything that MLflow or the network raises becomes
`RegistryError`; "no champion yet" is an answer, not an error.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from groundswell.errors import RegistryError

ALIAS, CHALLENGER, CANARY = "champion", "challenger", "canary"
FOLLOWED = (ALIAS, CHALLENGER, CANARY)
EXPORT = "artifacts/export"
"""Where a model version keeps the folder that is served."""

_CLIENT_DEFAULTS = {
    # The poll comes again in seconds, and a stop must not wait: MLflow's own minutes of retries are for other uses.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Version:
    """A model version in the registry. ``source`` tells it from a version of the same number in another registry."""

    version: str
    run_id: str
    source: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class MlflowRegistry:
    """The registered model ``name`` on the MLflow server at ``uri``."""

    def __init__(self, uri: str, name: str):
        for variable, value in _CLIENT_DEFAULTS.items():
            os.environ.setdefault(variable, value)
        import mlflow

        # Downloads by models:/ URI look at the global URIs, whatever the client was given.
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self.name = name
        self.shown_uri = without_credentials(uri)
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._known: dict[tuple[int, str], Version] = {}

    def aliases(self) -> dict[str, Version]:
        """Alias → the version that it points to, of `FOLLOWED`; none of them when the model does not exist. One call where nothing moved."""
        with self._mapped("who is champion"):
            model = self._absent_as_none(lambda: self._client.get_registered_model(self.name))
            if model is None:
                return {}
            pointed = {alias: str(number) for alias, number in model.aliases.items() if alias in FOLLOWED}
            # A number means another version once the model was deleted and made anew.
            known = {number: self._known.get((model.creation_timestamp, number)) for number in pointed.values()}
            known = {number: version or self._version(number) for number, version in known.items()}
            self._known = {(model.creation_timestamp, number): version for number, version in known.items() if version is not None}
            return {alias: known[number] for alias, number in pointed.items() if known[number] is not None}

    def version(self, number: str) -> Version:
        """The version of that number; `RegistryError` when there is none."""
        with self._mapped(f"version {number}"):
            found = self._version(number)
        if found is None:
            raise RegistryError(f"{self.name} has no version {number} in the MLflow registry at {self.shown_uri}")
        return found

    def download(self, version: Version, folder: Path) -> Path:
        """Fetch the export of ``version`` into ``folder``; returns where in it the export lies."""
        from mlflow.artifacts import download_artifacts

        with self._mapped(f"the export of version {version.version}"):
            return Path(download_artifacts(artifact_uri=f"models:/{self.name}/{version.version}/{EXPORT}", dst_path=str(folder)))

    def ensure_webhook(self, url: str, secret: str) -> None:
        """Have MLflow tell ``url`` of every alias that moves, signed with ``secret``; one webhook a URL, however often it is asked."""
        with self._mapped("the webhook"):
            known = next((hook for hook in self._webhooks() if hook.url == url), None)
            if known is None:
                self._client.create_webhook(f"groundswell-serving-{self.name}", url, ["model_version_alias.created"], secret=secret)
            else:
                self._client.update_webhook(known.webhook_id, secret=secret, status="ACTIVE")

    def _webhooks(self):
        token = None
        while True:
            page = self._client.list_webhooks(page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _version(self, number: str) -> Version | None:
        found = self._absent_as_none(lambda: self._client.get_model_version(self.name, number))
        return found and Version(str(found.version), found.run_id or "", found.source or "")

    @staticmethod
    def _absent_as_none(look_up):
        from mlflow.exceptions import MlflowException

        try:
            return look_up()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _mapped(self, what: str):
        return _Mapped(f"{what} can't be had from the MLflow registry at {self.shown_uri}")


class _Mapped:
    """Foreign exceptions on the way out become `RegistryError`: MLflow's, requests', urllib3's, the file system's."""

    def __init__(self, message: str):
        self.message = message

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> None:
        if error is not None and isinstance(error, Exception) and not isinstance(error, RegistryError):
            code = getattr(error, "error_code", None)
            raise RegistryError(f"{self.message} ({kind.__name__}{f' {code}' if code else ''})") from error


def without_credentials(uri: str) -> str:
    """``uri`` as it may be shown: no user, no password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
