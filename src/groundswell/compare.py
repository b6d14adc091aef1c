"""Compare: every approach of ``params.compare`` on the same folds of a data set, with intervals, cost and speed.

Reads the train and validation splits of ``dataset/<topic>``, never test. Writes the fits below ``compare/<topic>/`` as they come (`trials`), a
parent run and a run for each row in MLflow, the page and, last, the report. Killed and run again it goes on where it was. An approach that
fails is a row that says why. Refuses, before it begins, a row that params.yaml does not name or gives an option that it can't have; a data set
too small to cut; and when no row could be done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from groundswell import folds, nested, runs, tracking
from groundswell.compare_page import comparison_page
from groundswell.compare_plots import curves_picture, pareto_picture, standalone
from groundswell.compare_report import Comparison, costs, curve_trials, report_of
from groundswell.errors import DatasetError, UnknownName, nearest
from groundswell.files import alone_in, replacing, write_json
from groundswell.git import standing
from groundswell.params import CompareParams, CompareRow, TrainParams
from groundswell.ranking import MEASURES
from groundswell.settings import Settings
from groundswell.spare import Spare
from groundswell.trials import DONE, FAILED, LEFT, MAKER, Bench, Outcome, Trial, digest_of
from groundswell.versions import directory_md5

log = logging.getLogger(__name__)

_ENDS = {DONE: "FINISHED", FAILED: "FAILED", LEFT: "KILLED"}


def compare(
    topic: str,
    *,
    settings: Settings,
    params: CompareParams,
    train: TrainParams,
    similarity: float,
    only: Sequence[str] = (),
    budget_seconds: float | None = None,
    maker: str = MAKER,
) -> dict:
    """Compare the rows of ``params`` on the data set of ``topic``; the report.

    ``similarity``: from which on an unlabelled post is a row's near duplicate, as prepare's. ``only``: names of the rows to work on; others
    are in the report where they were done before. ``budget_seconds``: what would not be done by then is left, whole rows at a time.

    `UnknownName` for a row that is not there, `ParamsError` for one that can't be built as it stands, `DatasetError` without a usable data
    set, `ModelError` when no row is done.
    """
    deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
    picked = _picked(params.wanted, only)
    import_module(maker.partition(":")[0]).check(picked, train, _vectors(settings, params))
    with alone_in(settings.root / "compare" / topic):
        work = _begun(topic, settings, params, train, similarity, maker)
        work.deadline = deadline
        continued = nested.known(settings, _experiment(topic), {"stage": "compare", **work.tags})
        name = f"{topic} {work.bench.dataset_md5[:8]} {len(params.wanted)} rows"
        with tracking.run(
            settings, _experiment(topic), name, {"stage": "compare", **work.tags, **_code(settings)}, continued=continued
        ) as work.run_id:
            if continued is None:
                _log_input(work)
            _do(work, picked)
            report = report_of(work, [row for row in params.wanted if row.name in work.outcomes])
            _publish(work, report)
    return report


def _experiment(topic: str) -> str:
    return f"{topic}-compare"


def _picked(rows: list[CompareRow], only: Sequence[str]) -> list[CompareRow]:
    known = [row.name for row in rows]
    if unknown := [name for name in only if name not in known]:
        raise UnknownName(f"compare has no row {unknown[0]!r}{nearest(unknown[0], known)}")
    return [row for row in rows if not only or row.name in only]


def _begun(topic: str, settings: Settings, params: CompareParams, train: TrainParams, similarity: float, maker: str) -> Comparison:
    dataset = settings.dataset(topic)
    if not dataset.is_dir():
        raise DatasetError(f"{dataset} is not there: run groundswell prepare --topic {topic} first")
    md5, rows = directory_md5(dataset), folds.read_rows(dataset)
    cut = folds.cut(rows, params.folds)
    folder = settings.root / "compare" / topic / f"{md5[:8]}-{cut.digest[:8]}"
    folds.write(cut, folder / "folds.parquet")
    spare = Spare(settings, topic, similarity, learnt=folds.READ, apart=folds.READ, folder=folder.parent)
    bench = Bench(folder, dataset, md5, cut, train=train, spare=spare, vectors=_vectors(settings, params), maker=maker)
    return Comparison(topic, settings, params, rows, cut, bench, {"dataset_md5": md5, "folds_digest": cut.digest})


def _vectors(settings: Settings, params: CompareParams) -> Path | None:
    return settings.project / params.vectors if params.vectors else None


def _code(settings: Settings) -> dict[str, str]:
    commit, is_dirty = standing(settings.project)
    return {"git_commit": commit, "git_dirty": str(is_dirty).lower()}


def _log_input(work: Comparison) -> None:
    place = work.bench.dataset.relative_to(work.settings.root).as_posix()
    source = {"path": place, "md5": work.bench.dataset_md5}
    profile = {"rows": len(work.rows), "judged": len(work.judged), "folds": work.cut.count}
    tracking.log_input(work.settings, work.run_id, name=f"groundswell-{work.topic}", digest=work.bench.dataset_md5, source=source, profile=profile)


def _do(work: Comparison, picked: list[CompareRow]) -> None:
    """The rows, then the curves of those that were done; what was done before is only read."""
    trials = {row.name: work.bench.trials_of(row, work.params.seeds) for row in work.params.wanted}
    for row in work.params.wanted:
        work.bench.remember(row, trials[row.name])
    for place, row in enumerate(picked, start=1):
        _row(work, row, trials[row.name], f"row {place} of {len(picked)} {row.name}", picked[place:])
    for row in work.params.wanted:
        if row not in picked and not work.bench.missing(row, trials[row.name]):
            work.outcomes[row.name] = Outcome(DONE)
            _log_row(work, row)
    for row in picked:
        if row.name in work.params.curves and work.outcomes[row.name].status == DONE:
            _try(work, row, curve_trials(work, row), f"curve of {row.name}", [])


def _row(work: Comparison, row: CompareRow, trials: list[Trial], says: str, later: list[CompareRow]) -> None:
    work.outcomes[row.name] = _try(work, row, trials, says, later)
    _log_row(work, row)


def _try(work: Comparison, row: CompareRow, trials: list[Trial], says: str, later: list[CompareRow]) -> Outcome:
    def tell(done: int, of: int) -> None:
        log.info("compare %s: %s: fit %d of %d%s", work.topic, says, done, of, _seconds_left(work, [(row, trials), *_to_do(work, later)]))

    tell(len(trials) - len(work.bench.missing(row, trials)), len(trials))
    outcome = work.bench.run(row, trials, deadline=work.deadline, tell=tell)
    if outcome.status != DONE:
        log.warning("compare %s: %s: %s: %s", work.topic, says, outcome.status, outcome.why)
    return outcome


def _to_do(work: Comparison, rows: list[CompareRow]) -> list[tuple[CompareRow, list[Trial]]]:
    return [(row, work.bench.trials_of(row, work.params.seeds)) for row in rows]


def _seconds_left(work: Comparison, to_do: list[tuple[CompareRow, list[Trial]]]) -> str:
    """What is missing of ``to_do`` by what similar rows took; nothing is said of what nobody knows."""
    missing = [(row, work.bench.missing(row, trials)) for row, trials in to_do]
    expected = [work.bench.seconds_of(row, trials) for row, trials in missing if trials]
    unknown = expected.count(None)
    return f", about {sum(filter(None, expected)):.0f} s left" + (f" and {unknown} rows of unknown length" if unknown else "")


def _log_row(work: Comparison, row: CompareRow) -> None:
    """The run of a row, as soon as it is over: what it is and, where it is done, its measures and costs."""
    outcome = work.outcomes[row.name]
    key = {"row": row.name, "row_settings": digest_of(work.bench.settings_of(row))[:32]}
    seeds = [trial.seed for trial in work.bench.trials_of(row, work.params.seeds) if trial.fold == 0]
    tags = {"stage": "compare row", **work.tags, "seeds": str(seeds), "status": outcome.status, "why": outcome.why, **_code(work.settings)}
    run_id = nested.child(work.settings, _experiment(work.topic), work.run_id, row.name, key, tags)
    work.run_ids[row.name] = run_id
    options = {f"options.{name}": value for name, value in row.options.items()}
    tracking.log_params(work.settings, run_id, {**row.model_dump(mode="json", exclude={"name", "options"}), **options, "folds": work.cut.count})
    if outcome.status == DONE:
        own = work.ranked({row.name: work.answers(row)}).measured[row.name]
        tracking.log_metrics(work.settings, run_id, {**_flat(own), **costs(work, row)})
    nested.end(work.settings, run_id, _ENDS[outcome.status])


def _flat(measured: dict) -> dict[str, float]:
    found = {measure: measured[measure]["mean"] for measure in MEASURES}
    found |= {f"{measure}_{end}": measured[measure][end] for measure in MEASURES for end in ("low", "high")}
    return found | {f"{measure}_seed_{seed}": value for measure in MEASURES for seed, value in measured[measure]["by_seed"].items()}


def _publish(work: Comparison, report: dict) -> None:
    """What only all rows together say, onto their runs; page and pictures onto the parent; the report last."""
    for row in report["rows"]:
        if row["status"] == DONE:
            versus = row["against_best"]
            runs.set_run_tag(work.settings, row["run_id"], "says", versus["says"])
            tracking.log_metrics(work.settings, row["run_id"], {"difference_to_best": versus["estimate"], "p_holm": versus["p_holm"]})
    best = next(row for row in report["rows"] if row["name"] == report["best"])
    tracking.log_metrics(work.settings, work.run_id, {f"best_{measure}": best[measure]["mean"] for measure in MEASURES})
    runs.set_run_tag(work.settings, work.run_id, "best", report["best"])
    page = comparison_page(report)
    artifacts = {"page.html": page, "pareto.svg": standalone(pareto_picture(report)), "curves.svg": standalone(curves_picture(report))}
    for name, text in artifacts.items():
        if text:
            runs.log_text(work.settings, work.run_id, text, f"compare/{name}")
    tracking.log_json(work.settings, work.run_id, report, "compare/report.json")
    _write(page, work.settings.root / report["page"])
    write_json(report, work.settings.report("compare", work.topic))
    log.info("compare %s: %s is best with macro-F1 %.4f", work.topic, best["name"], best["macro_f1"]["mean"])


def _write(page: str, path: Path) -> None:
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
