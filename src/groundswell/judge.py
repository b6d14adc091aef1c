"""Judge: champion and challenger on the same rows, in one process, and what follows from it.

Reads the test split of ``dataset/<topic>``, ``model/<topic>/train.json`` and baseline, both models from the registry, the ledger.
What they cost is measured in serving's own processes (`trial`). Writes the verdict to ``reports/judge/<topic>.json``, to the challenger's
MLflow run and onto its version. Rows that either model was trained on, or whose author or near duplicates it was trained on, count for
neither. Refuses (`JudgeRefused`) when data set, training and registry do not speak of the same rows and the same model, labels that are a
model's opinion, exports of other rules, when no fair rows are left, and answers that can't be what they should be (`answers`). A verdict is
a result, whatever it says; it holds measured times, so its digest differs from one judging to the next.
"""

from __future__ import annotations

import json
import logging
import tempfile
from datetime import datetime
from pathlib import Path

from groundswell import baseline as baselines
from groundswell import registry, runs, tracking, trial
from groundswell.answers import answers_of
from groundswell.behaviour import passed, spoken
from groundswell.contenders import Contender, fair, require_rules
from groundswell.errors import JudgeRefused, StackError
from groundswell.evidence import evidence_of
from groundswell.examples import Examples, read_examples, read_manifest
from groundswell.files import write_json
from groundswell.ledger import Ledger, stamp
from groundswell.metrics import scores
from groundswell.params import JudgeParams
from groundswell.predictor import Predictor
from groundswell.registry import CHALLENGER, CHAMPION, ModelVersion
from groundswell.rows import digest
from groundswell.schema import JUDGING_PROVENANCES, registered_model
from groundswell.settings import Settings
from groundswell.signature import signed
from groundswell.slices import slices_of
from groundswell.verdict import decide, digest_of, power_of, reported, summary_of
from groundswell.versions import directory_md5

SHOWN = ("macro_f1", "macro_recall", "accuracy", "ece", "log_loss")

_UNKNOWN_KIN = (
    "Whether the {} was trained on posts of the same authors or on near duplicates of these rows can't be told: "
    "its export, or the data set, is older than what tells it."
)
_NOT_MEASURED = (
    "Latency and memory were not measured in serving ({}): against a champion, the latency is that of the judge's own process; memory is unknown."
)

_NO_OTHER_CODE = (
    "judge with the code that it was made with, or take the alias champion from it in the registry: the challenger is then judged as a first one"
)

log = logging.getLogger(__name__)


def judge(topic: str, *, settings: Settings, params: JudgeParams, now: datetime) -> dict:
    """The signed verdict on the challenger of ``topic``, also written and logged; ``now`` is the time that it bears."""
    key = settings.key_for_verdicts()
    challenger, champion = _versions(settings, topic)
    rows = _rows(settings, topic)
    with tempfile.TemporaryDirectory(prefix="groundswell-judge-") as box:
        new = _contender(settings, topic, challenger, Path(box, CHALLENGER))
        old = _contender(settings, topic, champion, Path(box, CHAMPION)) if champion else None
        _require_comparable(settings, topic, new, old)
        left, excluded = fair(rows, settings.dataset(topic), new, old)
        verdict = _judged(topic, settings, params, left, new, old) | {"excluded": excluded, "judged_at": stamp(now)}
    if "not_measured" in verdict["serving"]:
        verdict["reasons"].append(_NOT_MEASURED.format(verdict["serving"]["not_measured"]))
    verdict["reasons"] += [_UNKNOWN_KIN.format(name) for name in (CHALLENGER, CHAMPION) if excluded[f"met_by_{name}"] is None]
    verdict["summary"] = summary_of(verdict)
    verdict["digest"] = digest_of(verdict)
    verdict = signed(verdict, key)
    _log(settings, challenger, verdict)
    write_json(verdict, settings.report("judge", topic))
    return verdict


def _versions(settings: Settings, topic: str) -> tuple[ModelVersion, ModelVersion | None]:
    """Challenger and champion; `JudgeRefused` when the challenger is not what train left here."""
    trained = _trained(settings, topic)
    challenger = registry.version_by_alias(settings, topic, CHALLENGER)
    if challenger is None:
        raise JudgeRefused(f"{registered_model(topic)} has no challenger in the registry: run groundswell train --topic {topic}")
    if (challenger.version, challenger.run_id) != (str(trained["model_version"]), trained["run_id"]):
        raise JudgeRefused(
            f"the challenger in the registry is version {challenger.version} (run {challenger.run_id[:8]}), {settings.model(topic)} holds "
            f"version {trained['model_version']} (run {trained['run_id'][:8]}): run groundswell train --topic {topic} again"
        )
    found = directory_md5(settings.dataset(topic))
    if trained["dataset_md5"] != found:
        raise JudgeRefused(
            f"version {challenger.version} was trained with data set {trained['dataset_md5']}, {settings.dataset(topic)} is now {found}: "
            f"train on it, or bring the other one back with groundswell checkout {challenger.version}"
        )
    return challenger, registry.version_by_alias(settings, topic, CHAMPION)


def _trained(settings: Settings, topic: str) -> dict:
    path = settings.model(topic) / "train.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JudgeRefused(f"{path} can't be read ({error}): run groundswell train --topic {topic} first") from None


def _rows(settings: Settings, topic: str) -> Examples:
    """The test split; `JudgeRefused` when it is not what the data set's manifest says, or has labels that nobody has vouched for."""
    folder = settings.dataset(topic)
    rows, said = read_examples(folder, "test"), read_manifest(folder)["splits"]["test"]["digest"]
    if (found := digest(rows.table)) != said:
        raise JudgeRefused(f"{folder}: the test rows have digest {found[:12]}…, the manifest says {said[:12]}…: run groundswell prepare again")
    if strange := sorted({*rows.table["label_provenance"].to_pylist()} - {*JUDGING_PROVENANCES}):
        raise JudgeRefused(
            f"{folder}: test rows bear labels of provenance {', '.join(strange)}, expected {' or '.join(JUDGING_PROVENANCES)}: a model's or a "
            "lexicon's opinion is no truth to judge by; run groundswell prepare again"
        )
    return rows


def _contender(settings: Settings, topic: str, version: ModelVersion, folder: Path) -> Contender:
    return Contender(version, registry.download_export(settings, topic, version.version, folder))


def _require_comparable(settings: Settings, topic: str, new: Contender, old: Contender | None) -> None:
    """Both can be asked by this code, and the challenger is of the data set that lies here, by what its export itself says."""
    require_rules(CHALLENGER, new, f"run groundswell train --topic {topic} again")
    if old:
        require_rules(CHAMPION, old, _NO_OTHER_CODE)
    if new.dataset_md5 != (trained := _trained(settings, topic)["dataset_md5"]):
        raise JudgeRefused(
            f"version {new.version.version} says that it was trained with data set {new.dataset_md5}, {settings.model(topic)} says {trained}: "
            f"run groundswell train --topic {topic} again"
        )


def _judged(topic: str, settings: Settings, params: JudgeParams, rows: Examples, new: Contender, old: Contender | None) -> dict:
    answers = answers_of(rows, new, old, baselines.load(settings.model(topic) / baselines.FILE))
    groups = rows.table["group"].to_pylist()
    contenders = {CHALLENGER: new, **({CHAMPION: old} if old else {})}
    behaviour = _behaviour(contenders, spoken(rows.table["lang"].to_pylist(), _asked_languages(settings, topic)))
    facts, serving = _costs(settings, topic, params, rows, contenders)
    facts |= _history(settings, topic, new, old)
    if old:
        facts["behaviour_drop"] = _share(behaviour[CHAMPION]) - _share(behaviour[CHALLENGER])
    evidence = evidence_of(rows.labels, answers, groups, slices_of(rows.table), params, **facts)
    decision, reasons = decide(evidence, params)
    measured = {name: scores(rows.labels, probabilities) for name, probabilities in answers.items()}
    log.info("judge %s: %s on %d rows; %s", topic, decision, len(rows), power_of(evidence))
    return {
        "stage": "judge",
        "topic": topic,
        "model_name": registered_model(topic),
        "verdict": decision,
        "reasons": reasons,
        "challenger_version": new.version.version,
        "champion_version": old.version.version if old else None,
        "run_id": new.version.run_id,
        "export_sha256": new.digest,
        "dataset_md5": new.dataset_md5,
        "rows": len(rows),
        "rows_digest": digest(rows.table),
        "groups": evidence.groups,
        "scores": {name: {key: found[key] for key in SHOWN} for name, found in measured.items()},
        **reported(evidence, params),
        "behaviour": behaviour,
        "int8_agreement": evidence.int8_agreement,
        "latency_ratio": evidence.latency_ratio,
        "memory_ratio": evidence.memory_ratio,
        "serving": serving,
        "params": params.model_dump(mode="json"),
    }


def _history(settings: Settings, topic: str, new: Contender, old: Contender | None) -> dict:
    """The fields of `Evidence` that tell where both come from."""
    found: dict = {"was_rolled_back": Ledger(settings, topic).has_rolled_back(new.version.version)}
    if old is None:
        return found
    return found | {
        "is_champion_already": new.version.version == old.version.version,
        "is_identical": new.weights == old.weights,
        "is_same_data": new.dataset_md5 == old.dataset_md5,
    }


def _asked_languages(settings: Settings, topic: str) -> list[str]:
    """The languages that the data set was made of, where ``prepare.languages`` named some."""
    return read_manifest(settings.dataset(topic)).get("params", {}).get("languages", [])


def _behaviour(contenders: dict[str, Contender], languages: list[str]) -> dict[str, dict]:
    """Who → capability → cases and how many of them they pass."""
    return {name: passed(Predictor.load(one.folder).predict, languages) for name, one in contenders.items()}


def _share(found: dict[str, dict]) -> float:
    return found["all"]["passed"] / found["all"]["cases"]


def _costs(settings: Settings, topic: str, params: JudgeParams, rows: Examples, contenders: dict[str, Contender]) -> tuple[dict, dict]:
    """The fields of `Evidence` that tell time and memory, and the verdict's ``serving``: measured there, or why not."""
    texts = trial.chosen_texts(rows.texts, params)
    exports = {name: one.folder for name, one in contenders.items()}
    try:
        if params.measured_in == "process":
            raise StackError("judge.measured_in is process")
        found = trial.in_serving(exports, texts, topic=topic, settings=settings)
    except trial.Refusal as refusal:
        found = {"not_measured": f"{refusal.name}: {refusal}"}
        facts = {"serving_refusal": str(refusal)} if refusal.name == CHALLENGER else {}
    except StackError as error:
        found, facts = {"not_measured": str(error)}, {}
    else:
        facts = {name: found[name] for name in ("latency_ratio", "memory_ratio") if name in found}
    if "not_measured" in found:
        log.warning("judge %s: latency and memory are not measured in serving: %s", topic, found["not_measured"])
        if CHAMPION in exports:
            facts["latency_ratio"] = trial.in_process(exports[CHALLENGER], exports[CHAMPION], texts)
    return facts, found


def _log(settings: Settings, challenger: ModelVersion, verdict: dict) -> None:
    tracking.log_json(settings, challenger.run_id, verdict, "judge/verdict.json")
    runs.log_text(settings, challenger.run_id, verdict["summary"], "judge/summary.md")
    for key, value in {"verdict": verdict["verdict"], "verdict_digest": verdict["digest"]}.items():
        runs.set_run_tag(settings, challenger.run_id, key, value)
        registry.set_version_tag(settings, verdict["topic"], challenger.version, key, value)
