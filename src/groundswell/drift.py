"""When a window counts as drifted: signals, how large an effect is, how much of it is chance, and for how long it lasts.

Reads and writes nothing. A signal is one column of a window against the same column of the reference: in standard deviations of
the reference (Wasserstein distance) where it is a number, as Jensen-Shannon distance where it is a share or a mix. It is *over*
when its effect reaches the threshold and is larger than what samples of the reference of the same size show among themselves
(Efron & Tibshirani 1993, the two-sample bootstrap), and it *counts* when it was over in several windows on end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from groundswell.errors import ModelError
from groundswell.params import MonitorParams
from groundswell.schema import LABELS

WASSERSTEIN, JENSEN_SHANNON, SHARE = "wasserstein", "jensenshannon", "share"

_NUMBERS = ("characters", "words", "word_length", "uppercase_share", *LABELS, "confidence")
_PRESENCES = {
    "has_emoji": "emoji_share",
    "has_non_latin": "non_latin_share",
    "has_hashtag": "hashtags",
    "has_mention": "mentions",
    "has_link": "links",
}
_DRAWS, _QUANTILE, _DIGITS = 100, 0.99, 6


@dataclass(frozen=True)
class Signal:
    """One comparison: ``name`` is its column in `signal_frame`, ``threshold`` in the method's own unit."""

    name: str
    method: str
    threshold: float

    def effect(self, current: pd.Series, reference: pd.Series) -> float:
        """The distance of two samples, as Evidently's method of the same name measures it."""
        if self.method == WASSERSTEIN:
            return float(wasserstein_distance(reference, current)) / max(float(np.std(reference)), 0.001)
        kinds = sorted({*reference, *current})
        return float(jensenshannon([(reference == kind).mean() for kind in kinds], [(current == kind).mean() for kind in kinds]))


def signals(params: MonitorParams) -> list[Signal]:
    """Every signal that is compared with the reference."""
    numbers = [Signal(name, WASSERSTEIN, params.effect_size) for name in _NUMBERS]
    return numbers + [Signal(name, JENSEN_SHANNON, params.mix_effect_size) for name in (*_PRESENCES, "label")]


def signal_frame(profile: pa.Table) -> pd.DataFrame:
    """A profile as the columns that signals compare: numbers, whether a thing occurs (yes, no), the most probable label."""
    needed = [*_NUMBERS, *_PRESENCES.values()]
    missing = sorted(set(needed) - set(profile.column_names))
    if missing:
        raise ModelError(f"the profile lacks {', '.join(missing)}: the model was trained with older code; train and promote again")
    frame = pd.DataFrame({name: profile.column(name).to_numpy() for name in _NUMBERS})
    for name, column in _PRESENCES.items():
        frame[name] = np.where(profile.column(column).to_numpy() > 0, "yes", "no").astype(object)
    answers = np.stack([profile.column(label).to_numpy() for label in LABELS], axis=1)
    frame["label"] = np.array(LABELS, dtype=object)[answers.argmax(axis=1)] if len(frame) else np.array([], dtype=object)
    return frame


def levels(frame: pd.DataFrame) -> dict[str, float]:
    """Signal → its mean, or the share of rows in which it occurs: what a person compares. A mix of labels has none."""
    means = {name: frame[name].mean() for name in _NUMBERS} | {name: (frame[name] == "yes").mean() for name in _PRESENCES}
    return {name: round(float(value), _DIGITS) for name, value in means.items()}


def noise(compared: list[Signal], reference: pd.DataFrame, rows: int, seed: int) -> dict[str, float]:
    """Signal → the effect that chance alone gives to ``rows`` rows: the 99 % quantile over pairs of samples of the reference."""
    random = np.random.default_rng(seed)
    effects: dict[str, list[float]] = {signal.name: [] for signal in compared}
    for _ in range(_DRAWS):
        current = reference.iloc[random.integers(0, len(reference), rows)]
        other = reference.iloc[random.integers(0, len(reference), len(reference))]
        for signal in compared:
            effects[signal.name].append(signal.effect(current[signal.name], other[signal.name]))
    return {name: round(float(np.quantile(values, _QUANTILE)), _DIGITS) for name, values in effects.items()}


def weigh(compared: list[Signal], effects: dict[str, float], chance: dict[str, float]) -> dict[str, dict]:
    """Signal → its effect, threshold, noise and whether it is over, for the report."""
    weighed = {}
    for signal in compared:
        effect, floor = round(effects[signal.name], _DIGITS), chance.get(signal.name, 0.0)
        is_over = effect >= signal.threshold and effect > floor
        weighed[signal.name] = {"effect": effect, "threshold": signal.threshold, "noise": floor, "method": signal.method, "is_over": is_over}
    return weighed


def decide(weighed: dict[str, dict], earlier: list[tuple[str, dict | str]], params: MonitorParams) -> dict:
    """The decision on a window: ``is_drift``, ``reasons``, ``signals``.

    ``earlier`` are the windows right before it, the latest first: the key, and its weighed signals or why there are none.
    A window that can't be compared breaks persistence: no drift is claimed from what is not known.
    """
    needed = params.persistence_windows
    told = {name: {**signal, "windows_over": _windows_over(name, signal, earlier)} for name, signal in weighed.items()}
    lasting = sorted(name for name, signal in told.items() if signal["windows_over"] >= needed)
    fresh = sorted(name for name, signal in told.items() if signal["is_over"] and name not in lasting)
    reasons = [_say(name, told[name], f"in {told[name]['windows_over']} of {needed} windows on end: it lasts") for name in lasting]
    reasons += [_say(name, told[name], f"in {told[name]['windows_over']} of {needed} windows on end: not yet") for name in fresh]
    reasons += [f"window {key} does not count: {why}" for key, why in earlier if isinstance(why, str)] if fresh else []
    is_drift = len(lasting) >= params.signals_needed
    if lasting and not is_drift:
        reasons.append(f"{len(lasting)} of {params.signals_needed} signals needed last")
    return {"is_drift": is_drift, "reasons": reasons or ["no signal is over its threshold"], "lasting": lasting, "signals": told}


def _windows_over(name: str, signal: dict, earlier: list[tuple[str, dict | str]]) -> int:
    """In how many windows on end, ending with this one, the signal was over."""
    count = int(signal["is_over"])
    for _, before in earlier if count else []:
        if isinstance(before, str) or not before.get(name, {}).get("is_over"):
            break
        count += 1
    return count


def _say(name: str, signal: dict, lasting: str) -> str:
    unit = {WASSERSTEIN: " standard deviations", JENSEN_SHANNON: " Jensen-Shannon", SHARE: ""}[signal["method"]]
    return f"{name}: {signal['effect']:.3g}{unit} (threshold {signal['threshold']:g}, chance {signal['noise']:.3g}) {lasting}"
