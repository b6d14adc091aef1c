"""Evaluate: what the model that train left is worth on the test split, with intervals, per slice, beside its baseline.

Reads ``model/<topic>/`` (export, baseline, train.json) and the test split of ``dataset/<topic>/``. Writes ``metrics/<topic>/evaluate.json``
(for `dvc metrics`), ``plots/<topic>/`` (for `dvc plots`: CSV and PNG), both the same bytes for the same model; the run that train made
gets all of it, and what a clock measured besides, and so does the report. Refuses a model of another data set.
"""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groundswell import baseline as baselines
from groundswell import plots, registry, tracking
from groundswell.errors import DatasetError, ModelError
from groundswell.examples import Examples, read_examples, read_manifest
from groundswell.files import replacing_folder, write_json
from groundswell.learnt import ANCESTORS, TEXTS, hashes, met_rows
from groundswell.metrics import SUMMARY, confusion, reliability, scores
from groundswell.params import EvaluateParams
from groundswell.predictor import MODEL_FILES, Predictor
from groundswell.schema import LABELS
from groundswell.settings import Settings
from groundswell.slices import slices_of
from groundswell.text import fingerprint
from groundswell.versions import directory_md5
from groundswell.words import words_shown

_WORDS_SHOWN, _WORDS_IN_CLOUDS = 15, 60
_TIMED_TEXTS = 300

log = logging.getLogger(__name__)


def evaluate(topic: str, *, settings: Settings, params: EvaluateParams) -> dict:
    """Measure the model of ``topic`` on its test split; the report.

    `ModelError` when there is no whole model, `DatasetError` when it was trained on another data set, `RegistryError` when its run can't be
    written to (the files are there by then).
    """
    folder = settings.model(topic)
    trained = _trained(settings, topic)
    predictor = Predictor.load(folder / "export")
    rows, left_out = _fair(read_examples(settings.dataset(topic), "test"), settings.dataset(topic), folder / "export", predictor.config)
    said = predictor.predict(rows.texts)
    found = _measured(rows, said, baselines.load(folder / baselines.FILE).predict(rows.texts), folder, params)
    metrics = {"run_id": trained["run_id"], "rows_met_by_ancestors": left_out, **found}
    write_json(metrics, settings.root / "metrics" / topic / "evaluate.json")
    _plot(rows, said, read_manifest(settings.dataset(topic)), settings.root / "plots" / topic, params)
    latency = latency_of(predictor, rows.texts)
    report = {"stage": "evaluate", "topic": topic, "model_version": trained["model_version"], **metrics, "latency": latency}
    _log(settings, topic, trained, report)
    write_json(report, settings.report("evaluate", topic))
    return report


def _fair(rows: Examples, dataset: Path, export: Path, config: dict) -> tuple[Examples, int]:
    """The test rows, and how many were left out: those that a model which this one began with has met, by text or by kin."""
    if not config.get(ANCESTORS):
        return rows, 0
    met = met_rows(export, rows, dataset, "test")
    return rows.part(~met), int(met.sum())


def latency_of(predictor: Predictor, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds a text asked alone (p50, p95), and texts a second asked together, on one thread, over at most 300 texts."""
    some = list(texts[:_TIMED_TEXTS])
    predictor.predict(some[:10])
    single = []
    for text in some:
        start = time.perf_counter()
        predictor.predict([text])
        single.append(1000 * (time.perf_counter() - start))
    start = time.perf_counter()
    predictor.predict(some)
    together = time.perf_counter() - start
    p50, p95 = np.percentile(single, [50, 95])
    return {"single_p50_ms": round(float(p50), 3), "single_p95_ms": round(float(p95), 3), "texts_per_second": round(len(some) / together, 1)}


def _trained(settings: Settings, topic: str) -> dict:
    path = settings.model(topic) / "train.json"
    try:
        trained = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read ({error}): run groundswell train --topic {topic} first") from None
    found = directory_md5(settings.dataset(topic))
    if trained["dataset_md5"] != found:
        raise DatasetError(
            f"the model of {topic} was trained with data set {trained['dataset_md5']}, {settings.dataset(topic)} is now {found}: train on it first"
        )
    return trained


def _measured(rows: Examples, said: np.ndarray, floor: np.ndarray, folder: Path, params: EvaluateParams) -> dict:
    """Everything that a second run finds again: scores of model and baseline, slices, what the model has seen, sizes."""
    how = {"bins": params.calibration_bins, "samples": params.bootstrap_samples, "seed": params.seed}
    log.info("evaluate: %d test rows, %d resamples", len(rows), params.bootstrap_samples)
    seen = hashes(folder / "export", TEXTS)
    return {
        "model": _named_bounds(scores(rows.labels, said, **how)),
        "baseline": _named_bounds(scores(rows.labels, floor, **how)),
        "slices": _slices(rows, said, floor, params),
        "rows_seen_in_training": int(np.isin([fingerprint(text) for text in rows.texts], seen).sum()),
        "bytes": {precision: (folder / "export" / name).stat().st_size for precision, name in MODEL_FILES.items()},
    }


def _slices(rows: Examples, said: np.ndarray, floor: np.ndarray, params: EvaluateParams) -> dict:
    """Slice → rows, the model's scores with intervals, the baseline's macro-F1; slices too small to tell are left out."""
    found = {}
    for name, mask in slices_of(rows.table).items():
        if mask.sum() < params.min_slice_rows:
            continue
        how = {"bins": params.calibration_bins, "samples": params.bootstrap_samples, "seed": params.seed}
        own = _named_bounds(scores(rows.labels[mask], said[mask], **how))
        kept = {measure: own[measure] for measure in ("rows", *SUMMARY) if measure in own}
        bounds = {measure: own["intervals"][measure] for measure in ("macro_f1", "accuracy") if measure in own["intervals"]}
        beside = {"baseline_macro_f1": scores(rows.labels[mask], floor[mask])["macro_f1"]}
        found[name] = {**kept, "intervals": bounds, **beside}
    return found


def _named_bounds(found: dict) -> dict:
    """``found`` with each interval as ``{"low", "high"}``: DVC shows numbers in dictionaries, and no lists."""
    bounds = {name: {"low": low, "high": high} for name, (low, high) in found["intervals"].items()}
    return {**found, "intervals": bounds}


def _plot(rows: Examples, said: np.ndarray, manifest: dict, folder: Path, params: EvaluateParams) -> None:
    """The data that `dvc plots` draws and the pictures; one row a test row, a class a column, and no text but telling words."""
    chosen = said.argmax(axis=1)
    bins = reliability(rows.labels, said, params.calibration_bins)
    found = words_shown(rows, chosen, _WORDS_IN_CLOUDS, manifest) or {label: [] for label in LABELS}
    words = {label: found[label][:_WORDS_SHOWN] for label in LABELS}
    with replacing_folder(folder) as beside:
        _csv(
            beside / "confusion.csv", ["actual", "predicted"], [(LABELS[meant], LABELS[got]) for meant, got in zip(rows.labels, chosen, strict=True)]
        )
        _csv(beside / "reliability.csv", list(bins[0]), [list(one.values()) for one in bins])
        _csv(beside / "words.csv", ["label", "word", "z"], [(label, word, z) for label in LABELS for word, z in words[label]])
        plots.confusion_matrix(confusion(rows.labels, said), beside / "confusion_matrix.png")
        plots.reliability_diagram(bins, beside / "reliability.png")
        plots.top_words(words, beside / "top_words.png", title="Words that tell the posts of a class, as the model sorted them (z)")
        plots.word_clouds(found, beside / "word_clouds.png", seed=params.seed)


def _csv(path: Path, header: list[str], lines: list) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def _log(settings: Settings, topic: str, trained: dict, report: dict) -> None:
    """Numbers, pictures and report onto the run that train made, and the numbers onto its model."""
    numbers = {f"test_{name}": report["model"][name] for name in SUMMARY if name in report["model"]}
    numbers |= {
        f"test_{name}_{end}": report["model"]["intervals"][name][end]
        for name in SUMMARY
        if name in report["model"]["intervals"]
        for end in ("low", "high")
    }
    numbers |= {f"baseline_test_{name}": report["baseline"][name] for name in SUMMARY if name in report["baseline"]}
    for label, own in report["model"]["classes"].items():
        numbers |= {f"test_{measure}_{label}": own[measure] for measure in ("precision", "recall", "f1", "roc_auc") if measure in own}
    numbers |= {f"latency_{name}": value for name, value in report["latency"].items()}
    numbers |= {f"bytes_{precision}": value for precision, value in report["bytes"].items()}
    version = registry.version_numbered(settings, topic, str(trained["model_version"]))
    tracking.log_metrics(settings, trained["run_id"], numbers, model_id=version.model_id if version else None)
    tracking.log_files(settings, trained["run_id"], settings.root / "plots" / topic, "evaluate")
    tracking.log_json(settings, trained["run_id"], report, "evaluate/report.json")
