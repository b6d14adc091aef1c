"""Erase: an author's rows, or single posts, out of everything that was made of them.

In this order: what only the texts tell, as long as the lake has them (serving's corrections and caches, reports); tombstones, from which on
nothing comes back; MLflow's artifacts; the lake's layers, data sets, the registry (models are tagged, not taken away), DVC's cache and
remote by md5; seals again; at last every byte under home. Writes a receipt under ``rights/receipts/``. Run again it finishes what a killed
run began, and changes nothing after that. Refuses an unknown source, and ends with `ErasureError` where a trace stays that is not its to
remove.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from groundswell import tombstones
from groundswell.erasure import artifacts, datasets, models, objects, receipts, serving
from groundswell.erasure import lake as layers
from groundswell.erasure.subjects import Subject, Targets, digest_of
from groundswell.erasure.sweep import REMADE, half_written, is_remade, needles_of, sweep
from groundswell.errors import ErasureError, UnknownName, UsageError, nearest
from groundswell.examples import SPLITS
from groundswell.lake import Lake
from groundswell.mirror import refresh
from groundswell.settings import Settings
from groundswell.sources import known
from groundswell.tombstones import Tombstones
from groundswell.versions import directory_md5, versions_if_any

log = logging.getLogger(__name__)

Seal = Callable[[str], dict]
"""`groundswell.seal.seal` for a topic: given by the caller, for stages do not import each other."""


def erase(subjects: Sequence[Subject], *, settings: Settings, now: datetime, seal: Seal, dry_run: bool = False) -> dict:
    """Erase ``subjects``; the receipt. With ``dry_run`` only look: what would go, from where; nothing is written.

    ``now`` names the receipt. `UsageError`, `UnknownName` (nothing was tried); `ErasureError` and what stores raise: run it again.
    """
    _require_possible(subjects)
    keys = settings.keys_for_pseudonyms()
    job = _Job(settings, Lake(settings.lake), Targets.of(subjects, keys), list(subjects))
    job.look()
    if dry_run:
        return {"stage": "erase", "dry_run": True, **job.request(), "found": job.found}
    receipt = {"stage": "erase", "receipt": receipts.name("erase", digest_of(subjects, keys), now), **job.request(), "begun_at": now.isoformat()}
    job.begin(receipt)
    job.carry_out(seal)
    return job.finish()


def _require_possible(subjects: Sequence[Subject]) -> None:
    if not subjects:
        raise UsageError("erase: expected --author SOURCE:ID or --post SOURCE:ID, one at least")
    for subject in subjects:
        if subject.source not in known():
            raise UnknownName(f"source {subject.source!r} is unknown{nearest(subject.source, known())}")


@dataclass
class _Job:
    settings: Settings
    lake: Lake
    targets: Targets
    subjects: list[Subject]
    found: dict = field(default_factory=dict)
    receipt: dict = field(default_factory=dict)
    before: list[dict] = field(init=False)
    """Receipts of runs that did not finish: this one finishes them, whatever they were about."""

    def __post_init__(self):
        self.before = receipts.unfinished(self.settings)

    @property
    def sources(self) -> list[str]:
        return sorted({*self.targets.sources, *(source for earlier in self.before for source in earlier["sources"])})

    def request(self) -> dict:
        kinds = [subject.kind for subject in self.subjects]
        return {"sources": self.targets.sources, "authors": kinds.count("author"), "posts": kinds.count("post")}

    def look(self) -> None:
        """Whose rows lie where. Old versions are read first: they may know posts of an author that the lake has lost since."""
        looked = 0
        with versions_if_any(self.settings) as versions:
            if versions and self.targets.authors:
                looked = objects.find(versions, self.targets, self.lake.encryption)
        rows = layers.find(self.lake, self.targets, self.sources, Tombstones(self.settings))
        self.found = {"rows": dict(rows), "posts": sum(map(len, self.targets.posts.values())), "objects_looked_at": looked}

    def begin(self, receipt: dict) -> None:
        """The receipt's first form: with the topics, which a second run could not see any more."""
        topics = sorted({*self._topics(), *(topic for earlier in self.before for topic in earlier["topics"])})
        self.receipt = {**receipt, "state": "begun", "topics": topics, "stores": {}, "md5s": [], "datasets": []}
        receipts.write(self.receipt, self.settings)
        log.info("erase: rows of %s topics", ", ".join(topics) or "no")

    def carry_out(self, seal: Seal) -> None:
        stores, texts = self.receipt["stores"], self.targets.texts
        needles = self._needles()
        stores["serving"] = {topic: serving.forget(topic, texts.get(topic, ()), settings=self.settings) for topic in self.receipt["topics"]}
        stores["files"] = {"removed": self._remove_remade(needles)}
        stores["tombstones"] = {"added": self._bury()}
        stores["artifacts"] = self._clean_artifacts(needles)  # a server may be down: by now nothing comes back, and the lake still has the texts
        changed = self._clean_lake()
        stores["tombstones"]["added"] += self._bury()  # of posts that came while this was at work
        stones = Tombstones(self.settings)
        stores["datasets"] = self._clean_datasets(changed, stones)
        self._clean_versions(stones)
        stores["sealed_again"] = [self._sealed(seal, topic) for topic in self.receipt["topics"] if self._was_sealed(topic)]
        stores["files"] |= self._left(needles)

    def _bury(self) -> int:
        added = 0
        for source in self.targets.sources:
            authors = [subject.native for subject in self.subjects if (subject.kind, subject.source) == ("author", source)]
            added += tombstones.add(self.settings, source, authors=authors, post_ids=sorted(self.targets.posts.get(source, ())))
        return added

    def _clean_artifacts(self, needles: list[bytes]) -> dict[str, dict]:
        topics = self.receipt["topics"] if models.has_registry(self.settings) else []
        return {topic: artifacts.clean(topic, needles, settings=self.settings) for topic in topics}

    def _clean_lake(self) -> dict:
        changed = layers.clean(self.lake, self.targets, self.sources, Tombstones(self.settings))
        if self.settings.lake_url:
            with versions_if_any(self.settings):  # no seal writes there meanwhile
                refresh(self.lake, self.settings.root / "lake")
        removed = {layer: 0 for layer in self.found["rows"]}
        for partition, one in changed.items():
            removed[partition.layer] += one["removed"]
        looked = layers.count(self.lake, self.sources)
        self.receipt["stores"]["lake"] = {"partitions_looked_at": looked, "partitions_rewritten": len(changed), "rows_removed": removed}
        return changed

    def finish(self) -> dict:
        """The receipt as it stays; `ErasureError` when something was left."""
        for earlier in self.before:
            receipts.write({**earlier, "state": "finished by another run", "finished_by": self.receipt["receipt"]}, self.settings)
        stores = self.receipt["stores"]
        among = [f"{topic}/{path}" for topic, one in stores["artifacts"].items() for path in one["left"]]
        left = [*stores["files"]["left"], *among]
        self.receipt["state"] = "incomplete" if left else "done"
        receipts.write(self.receipt, self.settings)
        if left:
            where = f"under {self.settings.home}{' and in MLflow' if among else ''}"
            raise ErasureError(
                f"{len(left)} files {where} still hold traces, {left[0]} for one: they are nobody's that a stage makes again; "
                f"remove or clean them by hand (all of them are in the receipt {self.receipt['receipt']}), then run the same command again"
            )
        return self.receipt

    def _topics(self) -> set[str]:
        """Topics with rows or a data set of the sources: those whose models and seals may be touched."""
        touched = set(self.targets.texts)
        for path in sorted((self.settings.root / "dataset").glob("*/manifest.json")):
            touched |= {path.parent.name} if any(self.targets.posts.get(source) for source in self.targets.sources) else set()
        return touched

    def _needles(self) -> list[bytes]:
        texts = {text for of_topic in self.targets.texts.values() for text in of_topic}
        own = texts - layers.texts_of_others(self.lake, self.targets, texts)
        return needles_of(own, [subject.native for subject in self.subjects if subject.kind == "author"])

    def _clean_datasets(self, changed: dict, stones: Tombstones) -> dict[str, dict]:
        done = {}
        for folder in sorted(path.parent for path in (self.settings.root / "dataset").glob("*/manifest.json")):
            md5 = directory_md5(folder)
            removed = datasets.clean(folder, changed, stones)
            if any(removed.values()):
                self._note("datasets", [md5] if removed["train"] or removed["validation"] else [])
            done[folder.name] = {"rows_removed": {split: removed[split] for split in SPLITS}, "md5_before": md5, "md5": directory_md5(folder)}
        return done

    def _clean_versions(self, stones: Tombstones) -> None:
        """DVC's objects, and the models: listings tell which were trained on what, so the objects go last."""
        stores = self.receipt["stores"]
        with versions_if_any(self.settings) as versions:
            holding = objects.holding(versions, stones, self.lake.encryption) if versions else {}
            self._note("md5s", sorted(holding))
            stores["models"] = self._tag_models(versions)
            files = versions.remove(holding) if versions else 0
        stores["versions"] = {"objects_removed": len(holding), "files_removed": files, "rows_removed": sum(holding.values())}

    def _tag_models(self, versions) -> dict[str, list[dict]]:
        if not models.has_registry(self.settings):
            return {}
        md5s = {md5 for one in (*self.before, self.receipt) for md5 in one["md5s"]}
        data = {md5 for one in (*self.before, self.receipt) for md5 in one["datasets"]}
        found = {}
        for topic in self.receipt["topics"]:
            found[topic] = models.trained_on(topic, md5s, data, settings=self.settings, versions=versions)
            models.tag(topic, found[topic], self.receipt["receipt"], settings=self.settings)
        return found

    def _was_sealed(self, topic: str) -> bool:
        return self.settings.report("seal", topic).exists() and self.settings.dataset(topic).is_dir()

    def _sealed(self, seal: Seal, topic: str) -> dict:
        sealed = seal(topic)
        return {"topic": topic, "dataset_md5": sealed["dataset_md5"], "lake": sealed["lake"], "pushed": sealed["pushed"], "commit": sealed["commit"]}

    def _remove_remade(self, needles: list[bytes]) -> list[str]:
        _, holding = sweep(self.settings.root, needles, below=REMADE)
        return self._unlinked([*holding, *half_written(self.settings.root)])

    def _left(self, needles: list[bytes]) -> dict:
        """What every byte under home says after all: what was made meanwhile goes too, the rest is for a person."""
        looked, holding = sweep(self.settings.root, needles)
        removed = self._unlinked([path for path in holding if is_remade(self.settings.root, path)])
        left = [self._place(path) for path in holding if path.exists()]
        return {"looked_at": looked, "looked_for": len(needles), "removed_at_last": removed, "left": left}

    def _unlinked(self, paths: list[Path]) -> list[str]:
        for path in paths:
            path.unlink(missing_ok=True)
        return list(map(self._place, paths))

    def _place(self, path: Path) -> str:
        return path.relative_to(self.settings.root).as_posix()

    def _note(self, name: str, values: list[str]) -> None:
        """Into the receipt at once: a second run could not find out any more."""
        self.receipt[name] = sorted({*self.receipt[name], *values})
        receipts.write(self.receipt, self.settings)
