"""Promote and rollback: which version answers, moved by one alias and written down.

Reads the judge's verdict, the registry and the ledger. Writes the alias ``champion`` (set, never deleted first), a tag on the
version that reigned before, and a line of ``ledger/<topic>.jsonl``. A candidate is fetched anew and must load and answer by the
code that serves it, before anything moves. Killed anywhere and run again, it ends the same. Refuses a verdict that is unsigned
or altered, is not PROMOTE, is not the approved one, is too old or of a time to come, was acted upon already, is on a version that was rolled
back, or speaks of other versions than the aliases do now, or of another export than the registry holds.
One promotion or rollback of a topic runs at a time: the next one waits.
"""

from __future__ import annotations

import json
import logging
import tempfile
from datetime import datetime
from pathlib import Path

from groundswell import registry
from groundswell.errors import JudgeRefused, ModelError, RegistryError
from groundswell.files import write_json
from groundswell.ledger import Entry, Ledger, stamp
from groundswell.params import PromoteParams
from groundswell.schema import registered_model
from groundswell.settings import Settings
from groundswell.signature import require_signed

PREVIOUS = "previous_champion"
"""The tag of a version that was champion; its value is the version that took its place."""

_SKEW_HOURS = 0.1
"""How far the clocks of two machines may be apart."""

log = logging.getLogger(__name__)


def promote(topic: str, *, by: str, settings: Settings, params: PromoteParams, now: datetime, verdict_digest: str | None = None) -> dict:
    """Make the challenger that the verdict speaks of the champion; the report says from which version to which.

    ``verdict_digest``: the verdict that was approved; any other is refused. None: whichever the judge wrote last.
    """
    ledger = Ledger(settings, topic)
    with ledger.alone():
        return _promote(ledger, topic, by, settings, params, now, verdict_digest)


def rollback(topic: str, *, by: str, settings: Settings, now: datetime) -> dict:
    """Go back to the last champion before the present one that still loads and answers; broken ones are passed over, and named."""
    ledger = Ledger(settings, topic)
    with ledger.alone():
        return _roll_back(ledger, topic, by, settings, now)


def _promote(ledger: Ledger, topic: str, by: str, settings: Settings, params: PromoteParams, now: datetime, verdict_digest: str | None) -> dict:
    verdict = _verdict(settings, topic, verdict_digest)
    champion = _champion(settings, topic)
    ledger.settle(champion)
    candidate, digest = verdict["challenger_version"], verdict["digest"]
    entry = Entry(stamp(now), by, "promote", champion, candidate, digest)
    if champion == candidate:
        if not _is_done(ledger, verdict):
            ledger.append(Entry(entry.at, by, "promote", verdict["champion_version"], candidate, digest))
        return _report(settings, topic, "promote", ledger, candidate, is_moved=False)
    _require_young(topic, verdict, params, now)
    _require_current(settings, topic, verdict, ledger)
    _require_judged(topic, verdict, _admit(settings, topic, candidate))
    _require_current(settings, topic, verdict, ledger)  # to admit it took a while, and not everybody who moves an alias holds the ledger
    _crown(settings, topic, ledger, entry)
    return _report(settings, topic, "promote", ledger, candidate, is_moved=True)


def _roll_back(ledger: Ledger, topic: str, by: str, settings: Settings, now: datetime) -> dict:
    champion = _champion(settings, topic)
    settled = ledger.settle(champion)
    if settled and settled.action == "rollback":
        return _report(settings, topic, "rollback", ledger, settled.after, is_moved=False)
    if champion is None:
        raise RegistryError(f"{registered_model(topic)} has no champion to roll back from: promote one first")
    earlier = _earlier(ledger, champion)
    target, skipped = _last_healthy(settings, topic, earlier)
    if target is None:
        told = "; ".join(f"version {version}: {reason}" for version, reason in skipped.items()) or "the ledger knows of none"
        raise ModelError(f"topic {topic}: no earlier champion than version {champion} can be gone back to ({told}); version {champion} stays")
    _crown(settings, topic, ledger, Entry(stamp(now), by, "rollback", champion, target, None))
    return _report(settings, topic, "rollback", ledger, target, is_moved=True) | {"skipped": skipped}


def _verdict(settings: Settings, topic: str, approved: str | None) -> dict:
    path = settings.report("judge", topic)
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JudgeRefused(f"{path} is not there: run groundswell judge --topic {topic} first") from None
    except ValueError as error:
        raise JudgeRefused(f"{path} is no verdict ({error}): run groundswell judge --topic {topic} again") from None
    if not isinstance(verdict, dict):
        raise JudgeRefused(f"{path} is no verdict, expected a JSON object: run groundswell judge --topic {topic} again")
    require_signed(verdict, settings.key_for_verdicts(), what=str(path), remedy=f"run groundswell judge --topic {topic} again")
    if verdict["topic"] != topic:
        raise JudgeRefused(f"{path} judges topic {verdict['topic']}, expected {topic}: run groundswell judge --topic {topic} again")
    if approved is not None and approved != verdict["digest"]:
        raise JudgeRefused(
            f"approved was the verdict {approved}, but {path} now holds {verdict['digest']} on version {verdict['challenger_version']}: "
            "it was judged anew since, and what it says now needs an approval of its own"
        )
    if verdict["verdict"] != "PROMOTE":
        raise JudgeRefused(
            f"the verdict on version {verdict['challenger_version']} is {verdict['verdict']}, not PROMOTE: {' '.join(verdict['reasons'])}"
        )
    return verdict


def _require_young(topic: str, verdict: dict, params: PromoteParams, now: datetime) -> None:
    """Neither old nor of a time to come: by a clock that is ahead a verdict would be young for as long as it is ahead."""
    hours = (now - datetime.fromisoformat(verdict["judged_at"])).total_seconds() / 3600
    told = f"the verdict on version {verdict['challenger_version']} was made at {verdict['judged_at']}"
    if hours > params.verdict_hours:
        raise JudgeRefused(
            f"{told}, {hours:.0f} hours ago, at most {params.verdict_hours:g} are allowed (promote.verdict_hours): "
            f"run groundswell judge --topic {topic} again"
        )
    if hours < -_SKEW_HOURS:
        raise JudgeRefused(
            f"{told}, {-hours:.1f} hours from now: the clock of the machine that judged is ahead, or this one's is behind; "
            f"set them right, then run groundswell judge --topic {topic} again"
        )


def _require_judged(topic: str, verdict: dict, digest: str) -> None:
    """The export that was fetched now is the one that was judged: a version's files can be exchanged behind the registry's back."""
    if digest != verdict["export_sha256"]:
        raise JudgeRefused(
            f"version {verdict['challenger_version']} was judged as export {verdict['export_sha256'][:12]}…, the registry now holds {digest[:12]}…: "
            f"find out who changed it, then run groundswell judge --topic {topic} again"
        )


def _is_done(ledger: Ledger, verdict: dict) -> bool:
    return any(entry.verdict_digest == verdict["digest"] for entry in ledger.entries())


def _require_current(settings: Settings, topic: str, verdict: dict, ledger: Ledger) -> None:
    """The verdict speaks of the versions that the aliases name now, and nobody went back from what it would promote."""
    judge, candidate = f"run groundswell judge --topic {topic} again", verdict["challenger_version"]
    if _is_done(ledger, verdict):
        raise JudgeRefused(f"this verdict made version {candidate} champion before, and it was rolled back since: {judge}")
    if ledger.has_rolled_back(candidate):
        raise JudgeRefused(f"version {candidate} was champion by another verdict, and was rolled back: no older one brings it back; train another")
    challenger, champion = registry.version_by_alias(settings, topic, registry.CHALLENGER), _champion(settings, topic)
    if challenger is None or challenger.version != candidate:
        found = challenger.version if challenger else "none"
        raise JudgeRefused(f"the verdict is on version {candidate}, the challenger is now {found}: {judge}")
    if champion != verdict["champion_version"]:
        raise JudgeRefused(f"the verdict compares with champion {verdict['champion_version']}, the champion is now {champion}: {judge}")


def _admit(settings: Settings, topic: str, version: str) -> str:
    """Fetch ``version`` anew, have serving's own code load it and ask it its trial texts; its manifest's sha256. `ModelError` says what is wrong."""
    from serving.loading import load_model
    from serving.registry import Version

    found = registry.version_numbered(settings, topic, version)
    if found is None:
        raise ModelError(f"{registered_model(topic)} has no version {version} any more")
    with tempfile.TemporaryDirectory(prefix="groundswell-candidate-") as folder:
        export = registry.download_export(settings, topic, version, Path(folder, "export"))
        loaded = load_model(export, Version(found.version, found.run_id, found.source), name=registered_model(topic), topic=topic)
    log.info("promote %s: version %s loads and answers as it will be served", topic, version)
    return loaded.digest


def _crown(settings: Settings, topic: str, ledger: Ledger, entry: Entry) -> None:
    """Tag, then move the alias, then write the line: whatever is cut short leaves a champion, and what is due can be told."""
    if entry.before is not None:
        registry.set_version_tag(settings, topic, entry.before, PREVIOUS, entry.after)
    ledger.move(entry, lambda version: registry.set_alias(settings, topic, registry.CHAMPION, version))


def _earlier(ledger: Ledger, champion: str) -> list[str]:
    """Champions to go back to, the latest first."""
    reigns = ledger.reigns()
    return list(reversed(reigns[: reigns.index(champion)] if champion in reigns else reigns))


def _last_healthy(settings: Settings, topic: str, versions: list[str]) -> tuple[str | None, dict[str, str]]:
    skipped: dict[str, str] = {}
    for version in versions:
        try:
            _admit(settings, topic, version)
        except (ModelError, RegistryError) as error:
            _champion(settings, topic)  # raises where the registry is down: then it is not this version that is broken
            skipped[version] = str(error)
            log.warning("rollback %s: version %s is passed over: %s", topic, version, error)
        else:
            return version, skipped
    return None, skipped


def _champion(settings: Settings, topic: str) -> str | None:
    found = registry.version_by_alias(settings, topic, registry.CHAMPION)
    return found.version if found else None


def _report(settings: Settings, topic: str, action: str, ledger: Ledger, version: str, *, is_moved: bool) -> dict:
    entry = ledger.entries()[-1]
    report = {
        "stage": action,
        "topic": topic,
        "model_name": registered_model(topic),
        "champion_version": version,
        "is_moved": is_moved,
        "entry": entry.as_dict(),
    }
    write_json(report, settings.report(action, topic))
    return report
