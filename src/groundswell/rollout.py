"""A rollout, seen from the registry: serving tries the version with the alias ``canary`` on a growing share of clients.

Sets and deletes that alias, reads serving's ``/v1/rollout``; how far the version gets is serving's doing (docs/rollout.md). Refuses to start
a version that does not exist or is champion already, and to finish one that serving does not call ready. Whether a version may become
champion is not decided here: finishing goes through `promote` and its verdict.
"""

from __future__ import annotations

from groundswell import registry
from groundswell.errors import RegistryError, SourceError, UsageError
from groundswell.http import Http
from groundswell.schema import registered_model
from groundswell.settings import Settings

CANARY = "canary"


def start(topic: str, version: str, *, settings: Settings) -> dict:
    """Point the alias ``canary`` to ``version``: serving begins with 1 % of clients when it looks next."""
    found = registry.version_numbered(settings, topic, version)
    if found is None:
        raise RegistryError(f"{registered_model(topic)} has no version {version}: groundswell status lists what there is")
    champion = registry.version_by_alias(settings, topic, registry.CHAMPION)
    if champion is None:
        raise UsageError(f"{registered_model(topic)} has no champion to compare version {version} with: promote one first")
    if champion.version == found.version:
        raise UsageError(f"version {version} is the champion of topic {topic}: there is nothing to roll out")
    registry.set_alias(settings, topic, CANARY, found.version)
    return {"topic": topic, "canary": found.version, "champion": champion.version}


def status(topic: str, *, settings: Settings) -> dict:
    """What the registry says, and what serving answers at ``/v1/rollout``; ``serving`` is None, with the reason, where it can't be asked."""
    canary = registry.version_by_alias(settings, topic, CANARY)
    champion = registry.version_by_alias(settings, topic, registry.CHAMPION)
    report = {"topic": topic, "canary": canary and canary.version, "champion": champion and champion.version}
    try:
        with Http(attempts=1, timeout_seconds=15, key=settings.serving_key.get_secret_value()) as http:
            return {**report, "serving": http.get(f"{settings.serving_url}/v1/rollout", {})}
    except SourceError as error:
        return {**report, "serving": None, "trouble": str(error)}


def stop(topic: str, *, settings: Settings) -> dict:
    """Take the alias away: every client is the champion's again when serving looks next. Nothing to do where there is none."""
    canary = registry.version_by_alias(settings, topic, CANARY)
    if canary is not None:
        registry.delete_alias(settings, topic, CANARY)
    return {"topic": topic, "canary": None, "stopped": canary and canary.version}


def require_ready(topic: str, *, settings: Settings) -> str:
    """The version that serving calls ready, at 100 % with its points, and that is the challenger, whom `promote` is about; `UsageError` otherwise."""
    found = status(topic, settings=settings)
    serving = found["serving"] or {}
    if serving.get("state") != "ready" or serving.get("version") != found["canary"] or found["canary"] is None:
        said = found.get("trouble") or f"{serving.get('state')} at {100 * serving.get('share', 0):g} %: {serving.get('decision')}"
        raise UsageError(f"the rollout of version {found['canary']} of topic {topic} is not ready ({said}): see groundswell rollout status")
    challenger = registry.version_by_alias(settings, topic, registry.CHALLENGER)
    if challenger is None or challenger.version != found["canary"]:
        named = challenger.version if challenger else "none"
        raise UsageError(
            f"the canary of topic {topic} is version {found['canary']}, the challenger that a verdict is on is {named}: they must be one"
        )
    return found["canary"]
