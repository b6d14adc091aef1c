"""Score: a window's valid posts, as the champion answers them, into ``lake/scored``.

Reads ``lake/valid`` of a topic's sources and the champion's export (from the registry; kept under ``champion/``). Writes a partition a source
and window, keys, author, time, label and probabilities, never a text; its footer says by which model and of which valid rows it was made. Writes
a report a window, the report last. What was made by this model of these rows already stays as it is, unread. Refuses a window that is not in
``lake/valid``, and a topic without a champion.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import pyarrow as pa

from groundswell import registry
from groundswell.errors import LakeChanged, LakeError, UsageError
from groundswell.files import alone_in, write_json
from groundswell.lake import Lake, Partition
from groundswell.params import ScoreParams
from groundswell.predictor import Predictor
from groundswell.schema import LABELS, SCORED
from groundswell.settings import Settings
from groundswell.superseded import written_as
from groundswell.tombstones import Tombstones
from groundswell.window import Window

log = logging.getLogger(__name__)

_AT_ONCE = 2048
"""Posts whose word pieces are in memory at the same time; the answers are the same for any number."""
_READ = ("source", "topic", "post_id", "author", "created_at", "text")


def score(
    topic: str,
    sources: Sequence[str],
    windows: Sequence[Window],
    *,
    settings: Settings,
    params: ScoreParams,
    spare_missing: bool = False,
    if_champion: bool = False,
) -> dict:
    """Score ``windows`` (in order) of ``topic``; the report of the window, or of a range the counts of its windows, and what ``changed``.

    `LakeError` names a partition of ``sources`` that is not in ``lake/valid``; with ``spare_missing`` the report does, where the window has
    another. `UsageError` without a champion; with ``if_champion`` a report that says why nothing was done (``nothing_to_do``), and no file.
    """
    lake = Lake(settings.lake)
    wanted = {window: _valid(lake, topic, sources, window, spare_missing=spare_missing) for window in windows}
    champion = registry.version_by_alias(settings, topic, registry.CHAMPION)
    if champion is None:
        return _without_champion(topic, windows, if_champion=if_champion)
    scorer = _Scorer(lake, topic, champion, settings, params)
    changed, reports = [], []
    for window, partitions in wanted.items():
        changed += [valid.key for valid in partitions if scorer.score(valid)]
        missing = sorted({lake.partition("valid", source, topic, window).key for source in sources} - {valid.key for valid in partitions})
        reports.append(_published(lake, topic, window, missing, settings))
    report = reports[0] if len(reports) == 1 else _of_range(topic, windows, reports, settings)
    return report | {"model_version": champion.version, "run_id": champion.run_id, "changed": changed}


def _valid(lake: Lake, topic: str, sources: Sequence[str], window: Window, *, spare_missing: bool) -> list[Partition]:
    due = [lake.partition("valid", source, topic, window) for source in sources]
    there = [partition for partition in due if lake.exists(partition)]
    if not there or (len(there) < len(due) and not spare_missing):
        missing = next(partition for partition in due if partition not in there)
        raise LakeError(f"{missing} is not in the lake ({lake.root}): run groundswell validate --window {window} first")
    return there


def _without_champion(topic: str, windows: Sequence[Window], *, if_champion: bool) -> dict:
    why = f"no model of topic {topic} is champion yet: nobody can score; train, judge and promote one first"
    if not if_champion:
        raise UsageError(why)
    return {"stage": "score", "topic": topic, "window": _name(windows), "nothing_to_do": why}


class _Scorer:
    """The champion at work on the partitions of a topic; its export is fetched and loaded when the first of them needs it."""

    def __init__(self, lake: Lake, topic: str, champion: registry.ModelVersion, settings: Settings, params: ScoreParams):
        self.lake, self.topic, self.settings, self.params = lake, topic, settings, params
        self.model = {"version": champion.version, "run_id": champion.run_id}
        self.tombstones = Tombstones(settings)

    @cached_property
    def predictor(self) -> Predictor:
        folder = registry.kept_export(self.settings, self.topic, self.model["version"])
        return Predictor.load(folder, threads=self.params.threads or os.cpu_count() or 1)

    def score(self, valid: Partition) -> bool:
        """Put the answers to the posts of ``valid`` in their place; whether that changed what lies there."""
        scored = self.lake.partition("scored", valid.source, valid.topic, valid.window)
        of, before = self.lake.metadata(valid), self.lake.metadata(scored) if self.lake.exists(scored) else {}
        said = {"window": valid.window.key, "status": of.get("status", "complete"), "made_of": written_as(of), "model": self.model}
        if all(before.get(name) == value for name, value in said.items()):
            return False
        with self.lake.writing(scored, SCORED, said, reason=self._reason(of, before)) as rows:
            for table in self._answered(valid):
                rows.add(table)
            if written_as(self.lake.metadata(valid)) != said["made_of"]:
                raise LakeChanged(f"{valid} was written anew while its posts were scored: run groundswell score again")
        after = self.tombstones.settle(self.lake, scored)
        log.info("%s: %d posts scored by version %s", valid.key, after["rows"], self.model["version"])
        return after.get("content_sha256") != before.get("content_sha256")

    def _reason(self, of: dict, before: dict) -> str:
        if before.get("model", self.model) != self.model:
            return f"scored by version {self.model['version']}"
        return of.get("reason") or "its valid posts changed"

    def _answered(self, valid: Partition) -> Iterator[pa.Table]:
        for batch in self.lake.batches(valid, _READ):
            posts = self.tombstones.without(pa.Table.from_batches([batch]), valid.source)
            for start in range(0, posts.num_rows, _AT_ONCE):
                yield self._with_answers(posts.slice(start, _AT_ONCE))

    def _with_answers(self, posts: pa.Table) -> pa.Table:
        answers = self.predictor.predict(posts.column("text").to_pylist())
        labels = self.predictor.labels  # in the export's order
        columns = {name: posts.column(name) for name in SCORED.names if name in _READ}
        columns |= {label: pa.array(answers[:, place], pa.float32()) for place, label in enumerate(labels)}
        columns["label"] = pa.array([labels[place] for place in answers.argmax(axis=1)], pa.string())
        columns["model_version"], columns["run_id"] = ([self.model[name]] * posts.num_rows for name in ("version", "run_id"))
        return pa.table({name: columns[name] for name in SCORED.names}, schema=SCORED)


def _published(lake: Lake, topic: str, window: Window, missing: list[str], settings: Settings) -> dict:
    """The report of ``window`` from what lies in ``lake/scored``, every source of it, whoever scored it; returns it."""
    path = settings.report("score", topic, window.key)
    with alone_in(path.parent):  # two that score a window's sources at once: the second report has both
        found = [partition for partition in lake.partitions("scored", topic=topic) if partition.window == window]
        sources = {partition.source: _counts(lake, partition) for partition in found}
        report = {"stage": "score", "topic": topic, "window": window.key, **_totals(sources.values()), "sources": sources, "missing": missing}
        write_json(report, path)
    return report


def _counts(lake: Lake, partition: Partition) -> dict:
    described, labels = lake.describe(partition), Counter()
    for batch in lake.batches(partition, ["label"]):
        labels.update(batch.column("label").to_pylist())
    kept = {name: described[name] for name in ("status", "model", "made_of", "content_sha256", "sha256") if name in described}
    return {"rows": described["rows"], "labels": {label: labels[label] for label in LABELS}, **kept}


def _totals(counts) -> dict:
    counts = list(counts)
    return {"rows": sum(one["rows"] for one in counts), "labels": {label: sum(one["labels"][label] for one in counts) for label in LABELS}}


def _of_range(topic: str, windows: Sequence[Window], reports: list[dict], settings: Settings) -> dict:
    told = {report["window"]: {key: report[key] for key in ("rows", "labels", "missing")} for report in reports}
    whole = {"stage": "score", "topic": topic, "window": _name(windows), **_totals(reports), "windows": told}
    write_json(whole, settings.report("score", topic, whole["window"]))
    return whole


def _name(windows: Sequence[Window]) -> str:
    return windows[0].key if len(windows) == 1 else f"{windows[0]}..{windows[-1]}"
