"""Train: a DistilBERT and its baseline on the data set that `prepare` left, one MLflow run, one challenger.

Reads ``dataset/<topic>/``, and what `added` reads where rows are to be added to train's. Writes ``model/<topic>/`` (export/, baseline.npz
and, last, train.json) whole or not at all, a run with everything about it in MLflow, a version of the registered model with the alias
``challenger``, and its report. Refuses a base that can't be had and an export that does not agree with what was trained. Killed and run
again, it trains again: the same weights, a new run.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from groundswell import baseline as baselines
from groundswell import plots, registry, runs, tracking, warm_start
from groundswell.added import Added, added_rows, with_added, with_unlabelled
from groundswell.approaches.base import Labelled
from groundswell.card import card
from groundswell.examples import Examples, read_examples, read_manifest
from groundswell.files import replacing_folder, write_json
from groundswell.git import standing
from groundswell.learnt import ANCESTORS, UNLABELLED
from groundswell.machine import processor
from groundswell.metrics import SUMMARY, confusion, scores
from groundswell.params import TrainParams
from groundswell.schema import LABELS, registered_model
from groundswell.settings import Settings
from groundswell.text import TEXT_VERSION
from groundswell.together import from_first
from groundswell.tokens import cut
from groundswell.unlabelled import LEARNT_FROM_LAKE
from groundswell.validations import validations
from groundswell.versions import directory_md5
from groundswell.warm_start import Origin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """What training reads: two splits, the manifest, the md5 that DVC gives to the whole, and what is added to the training rows."""

    folder: Path
    train: Examples
    validation: Examples
    manifest: dict
    md5: str
    added: Added = field(default_factory=Added)

    def judged_by(self, judging) -> Dataset:
        """The same with those validation rows only that are ``judging``, bool (n,); None: all."""
        return self if judging is None else replace(self, validation=self.validation.part(judging))


def train(topic: str, *, settings: Settings, params: TrainParams) -> dict:
    """Train, export and register the challenger of ``topic``; the report.

    `DatasetError` without a usable data set, `ModelError` for a base that can't be had or exports that disagree, `RegistryError`
    when MLflow is out of reach.
    """
    from groundswell.finetune import process_number

    data = _read(settings.dataset(topic))
    if process_number():
        return _helped(topic, data, params)
    data = replace(data, added=added_rows(topic, data.folder, settings=settings, params=params, manifest=data.manifest))
    numbers = (len(data.train), len(data.added.rows), len(data.validation))
    log.info("train %s: %d rows, %d added, %d for validation, base %s", topic, *numbers, params.base)
    tags = _tags(topic, settings, data)
    name = f"{topic} {data.md5[:8]} seed {params.seed}"
    with replacing_folder(settings.model(topic)) as folder, tracking.run(settings, topic, name, tags) as run_id, _box() as box:
        origin = warm_start.origin(topic, data.folder, box, settings=settings, params=params)
        report = _train(topic, data.judged_by(origin.judging), folder, run_id, settings, origin, tags)
        write_json(report, folder / "train.json")
    write_json(report, settings.report("train", topic))
    return report


def _helped(topic: str, data: Dataset, params: TrainParams) -> dict:
    """What every process but the first does under accelerate launch: its share of each step, and nothing that is kept.

    It asks neither registry nor lake: what is added and with whose weights all begin, the first one says.
    """
    from groundswell.finetune import prepare_torch, process_number

    prepare_torch(params)
    added, origin = from_first(None)
    with _box() as folder:
        _finetuned(replace(data, added=added).judged_by(origin.judging), folder, origin, lambda step, numbers: None)
    return {"stage": "train", "topic": topic, "process": process_number()}


@contextmanager
def _box() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="groundswell-train-") as folder:
        yield Path(folder)


def _read(folder: Path) -> Dataset:
    examples = {split: read_examples(folder, split) for split in ("train", "validation")}
    return Dataset(folder, examples["train"], examples["validation"], read_manifest(folder), directory_md5(folder))


def _train(topic: str, data: Dataset, folder: Path, run_id: str, settings: Settings, origin: Origin, tags: dict) -> dict:
    from groundswell.export import unverified_predictor
    from groundswell.finetune import prepare_torch

    params = origin.params
    for name, value in origin.tags.items():
        runs.set_run_tag(settings, run_id, name, value)
    tracking.log_params(settings, run_id, params.model_dump(mode="json"))
    _log_dataset(settings, run_id, topic, data)
    floor = _baseline(data, folder, params)
    chosen = prepare_torch(params)
    from_first((data.added, origin.told))
    tracking.log_json(settings, run_id, {**_environment(settings), **chosen}, "environment.json")
    observe = partial(tracking.log_step, settings, run_id)
    model, tokenizer, history, pretraining = _finetuned(data, folder, origin, observe)
    facts = _export(model, tokenizer, data, folder / "export", run_id, topic, origin)
    said = unverified_predictor(folder / "export").predict(data.validation.texts)
    measured = scores(data.validation.labels, said)
    report = {
        "stage": "train",
        "topic": topic,
        "run_id": run_id,
        "dataset_md5": data.md5,
        "git_commit": tags["git_commit"],
        "rows": {"train": len(data.train), "validation": len(data.validation), "added": data.added.counts()},
        "measured_on": "validation",
        "metrics": _summary(measured),
        "baseline": _summary(floor),
        "warm_start": origin.facts,
        "further_pretraining": pretraining and {**pretraining, "posts": len(data.added.unlabelled)},
        "beats_baseline": measured["macro_f1"] > floor["macro_f1"],
        **facts,
    }
    _finish(report, measured, data, folder, params)
    _draw(history, confusion(data.validation.labels, said), run_id, settings)
    version = _log(report, folder, run_id, topic, settings, {**tags, **origin.tags})
    return {**report, "model_name": registered_model(topic), "model_version": version.version}


def _baseline(data: Dataset, folder: Path, params: TrainParams) -> dict:
    """Fit and keep the baseline; its scores on validation."""
    fitted = baselines.fit(data.train.texts, data.train.labels, seed=params.seed)
    fitted.save(folder / baselines.FILE)
    found = scores(data.validation.labels, fitted.predict(data.validation.texts))
    log.info("train: the baseline has macro-F1 %.4f on validation", found["macro_f1"])
    return found


def _finetuned(data: Dataset, folder: Path, origin: Origin, observe):
    """(model, tokenizer, history, what `further.pretrain` says): the checkpoints lie in a folder that is gone afterwards."""
    import shutil

    from groundswell import further
    from groundswell.encoder import vocabulary_sha256
    from groundswell.finetune import Tokenised, finetune

    params = origin.params
    tokenizer, model = warm_start.load(origin)
    pretraining = further.pretrain(model, tokenizer, with_unlabelled(data.train, data.added), params=params, observe=observe)
    cached = data.manifest.get("vocabulary_sha256") == vocabulary_sha256(tokenizer)
    ids = {split: _token_ids(data, split, tokenizer, params.max_length, cached) for split in ("train", "validation")}
    learnt = with_added(data.train, data.added)
    if len(data.added.rows):
        ids["train"] += tokenizer(data.added.rows.texts, truncation=True, max_length=params.max_length)["input_ids"]
    train_rows = _taught(Tokenised(ids["train"], learnt.labels), learnt, params)
    rows = {"train": train_rows, "validation": Tokenised(ids["validation"], data.validation.labels)}
    checkpoints = folder / "checkpoints"
    history = finetune(model, tokenizer, rows["train"], rows["validation"], params=params, folder=checkpoints, observe=observe)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return model, tokenizer, history, pretraining


def _taught(rows, learnt: Labelled, params: TrainParams):
    """The word pieces ``rows`` of ``learnt`` with what teachers say of them, where they are wanted; the teachers are thrown away."""
    from groundswell.approaches import teachers

    with _box() as scratch:
        return teachers.taught(rows, learnt, params, scratch)


def _token_ids(data: Dataset, split: str, tokenizer, max_length: int, cached: bool) -> list[list[int]]:
    """The word pieces of a split: prepare's own where they are the base's and long enough, else made here."""
    import pyarrow.parquet as pq

    if cached and data.manifest.get("params", {}).get("max_length", 0) >= max_length:
        table = pq.ParquetFile(data.folder / "tokens" / f"{split}.parquet").read(columns=["row_id", "input_ids"])
        pieces = dict(zip(table["row_id"].to_pylist(), table["input_ids"].to_pylist(), strict=True))
        return [cut(pieces[row_id], max_length) for row_id in getattr(data, split).table["row_id"].to_pylist()]
    return tokenizer(getattr(data, split).texts, truncation=True, max_length=max_length)["input_ids"]


def _export(model, tokenizer, data: Dataset, folder: Path, run_id: str, topic: str, origin: Origin) -> dict:
    from groundswell.export import export

    params = origin.params
    folder.mkdir()
    config = {
        "labels": list(LABELS),
        "max_length": params.max_length,
        "text_version": TEXT_VERSION,
        "base": params.base,
        "topic": topic,
        "dataset_md5": data.md5,
        "run_id": run_id,
        "params": params.model_dump(mode="json"),
        ANCESTORS: list(origin.ancestors),
    }
    bounds = {"fp32": params.min_fp32_agreement, "int8": params.min_int8_agreement}
    validation = (data.validation.texts, data.validation.labels)
    train_rows = data.train.table["row_id"].to_pylist() + data.added.learnt_ids
    learnt = {"train_texts": data.train.texts + data.added.texts, "train_rows": train_rows, "parent": origin.export}
    return export(model, tokenizer, folder, config=config, validation=validation, bounds=bounds, **learnt)


def _finish(report: dict, measured: dict, data: Dataset, folder: Path, params: TrainParams) -> None:
    from groundswell.export import finish

    finish(folder / "export", card(report, measured, data.manifest, params))


def _draw(history: list[dict], counts, run_id: str, settings: Settings) -> None:
    """Curves and confusion matrix as pictures of the run."""
    with tempfile.TemporaryDirectory(prefix="groundswell-train-") as box:
        plots.curves(history, Path(box, "curves.png"))
        plots.confusion_matrix(counts, Path(box, "confusion_matrix.png"))
        tracking.log_files(settings, run_id, Path(box), "train")


def _log(report: dict, folder: Path, run_id: str, topic: str, settings: Settings, tags: dict):
    """Numbers, card, baseline and model into MLflow; the new version of the registered model."""
    from groundswell.packaging import log_model

    tracking.log_file(settings, run_id, folder / baselines.FILE, "train")
    tracking.log_file(settings, run_id, folder / "export" / "card.md", "train")
    source = log_model(settings, run_id, folder / "export", metrics={f"final_validation_{name}": value for name, value in report["metrics"].items()})
    tracking.log_metrics(settings, run_id, _flat(report))
    tracking.log_json(settings, run_id, report, "train/report.json")
    version_tags = {name: tags[name] for name in ("topic", "dataset_md5", "git_commit", "warm_start", ANCESTORS, LEARNT_FROM_LAKE) if name in tags}
    return registry.register(settings, topic, source=source, run_id=run_id, tags=version_tags)


def _flat(report: dict) -> dict[str, float]:
    """The report's numbers but the model's own, which are logged with the model."""
    agreement = report["agreement"]
    return {
        **{f"baseline_validation_{name}": value for name, value in report["baseline"].items()},
        **{f"{precision}_{name}": value for precision in ("fp32", "int8") for name, value in agreement[precision].items()},
        "temperature": report["temperature"],
        **{f"further_pretraining_{name}": value for name, value in (report["further_pretraining"] or {}).items()},
    }


def _summary(found: dict) -> dict[str, float]:
    return {name: found[name] for name in SUMMARY if name in found}


def _log_dataset(settings: Settings, run_id: str, topic: str, data: Dataset) -> None:
    place = data.folder.relative_to(settings.root).as_posix()
    splits = data.manifest.get("splits", {})
    profile = {"rows": {split: values.get("rows") for split, values in splits.items()}, "windows": len(data.manifest.get("windows", []))}
    tracking.log_input(settings, run_id, name=f"groundswell-{topic}", digest=data.md5, source={"path": place, "md5": data.md5}, profile=profile)
    # lineage reads these two: the folder and the reports move on
    beside = {UNLABELLED: data.added.partitions} if data.added.partitions else {}
    tracking.log_json(settings, run_id, {**data.manifest, **beside}, "dataset/manifest.json")
    tracking.log_json(settings, run_id, validations(settings, topic, data.manifest.get("partitions", {})), "dataset/validation.json")


def _tags(topic: str, settings: Settings, data: Dataset) -> dict[str, str]:
    commit, is_dirty = standing(settings.project)
    own = {"stage": "train", "topic": topic, "dataset_md5": data.md5, "git_commit": commit, "git_dirty": str(is_dirty).lower()}
    return own | data.added.tags


def _environment(settings: Settings) -> dict:
    """What the run ran on: interpreter, processor, the versions that matter, the lock file's sha256."""
    import platform
    from importlib.metadata import version

    from groundswell.files import sha256_of

    lock = settings.project / "requirements" / "pipeline.lock"
    packages = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers", "numpy", "scikit-learn", "mlflow")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "packages": {name: version(name) for name in packages},
        "lock_sha256": sha256_of(lock) if lock.is_file() else None,
    }
