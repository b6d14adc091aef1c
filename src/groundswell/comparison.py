"""Evidently, the adapter: a window's signals against the reference, each by its own method and threshold.

Reads two frames; gives the effects, Evidently's own results, and its page as one self-contained file. Only `monitor` imports
this module (Evidently takes seconds to import). Evidently's verdict over all columns is not asked for: it says "no drift" while
less than half of them moved, and changes its method with the number of rows.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime

os.environ["DO_NOT_TRACK"] = "1"  # read whenever Evidently wants to send something

import evidently  # noqa: E402
import pandas as pd  # noqa: E402
from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.metrics import ValueDrift  # noqa: E402

from groundswell.drift import WASSERSTEIN, Signal  # noqa: E402

_FRESH_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=metric_)[0-9a-f]{32}")
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"


@dataclass(frozen=True)
class Comparison:
    """What Evidently found: signal → effect, its results for the report, and its page."""

    effects: dict[str, float]
    results: list[dict]
    page: str


def version() -> str:
    return evidently.__version__


def compare(compared: list[Signal], current: pd.DataFrame, reference: pd.DataFrame, moment: datetime) -> Comparison:
    """Compare two frames of `drift.signal_frame`; ``moment`` stands on the page in the place of a clock's time."""
    names = [signal.name for signal in compared]
    numbers = [signal.name for signal in compared if signal.method == WASSERSTEIN]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=[name for name in names if name not in numbers])
    metrics = [ValueDrift(column=signal.name, method=signal.method, threshold=signal.threshold) for signal in compared]
    snapshot = Report(metrics, include_tests=True).run(
        Dataset.from_pandas(current[names], data_definition=definition),
        Dataset.from_pandas(reference[names], data_definition=definition),
        timestamp=moment.replace(tzinfo=None),
    )
    results = _results(snapshot.dict())
    return Comparison({result["column"]: result["value"] for result in results}, results, _steady(snapshot.get_html_str(as_iframe=False)))


def _results(said: dict) -> list[dict]:
    status = {test["metric_config"]["params"]["column"]: getattr(test["status"], "value", str(test["status"])) for test in said["tests"]}
    return [
        {**{key: metric["config"][key] for key in ("column", "method", "threshold")}, "value": round(float(metric["value"]), 6)}
        | {"status": status[metric["config"]["column"]]}
        for metric in said["metrics"]
    ]


def _steady(page: str) -> str:
    """The page with numbers for the ids that Evidently draws anew each time, and with a policy that forbids any request."""
    seen: dict[str, str] = {}
    page = _FRESH_ID.sub(lambda match: seen.setdefault(match[0], f"id{len(seen)}"), page)
    return page.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{_POLICY}">', 1)
