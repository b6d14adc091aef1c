"""Whether the judge is right as often as it says: pairs of models whose true difference is known, through the code that decides.

Reads nothing. Two models answer the same posts of authors who post more than once; how hard a post is, and how well a model takes to
an author, are drawn anew for each pair (`pair`). 400 pairs of equals (A/A) and 400 in which the challenger is truly two points better, at
each number of rows. Nothing is trained: what is measured is the statistics, by `evidence_of` and `decide`.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from statistics import NormalDist

import numpy as np
from harness import Measure, finish

from groundswell.bootstrap import paired_difference
from groundswell.evidence import Evidence, evidence_of
from groundswell.params import JudgeParams
from groundswell.verdict import PROMOTE, decide

PAIRS = 400
SIZES = (1_000, 2_000, 4_000, 8_000)
POINTS = 0.02
CHAMPION = 0.70
"""The champion's true macro-F1. Classes are alike, so it is its accuracy too."""
PARAMS = JudgeParams(bootstrap_samples=1000)
_SHARED, _AUTHOR = 0.6, 0.1
"""Of what makes a post hard: the share that both models feel, and the share that is one model's with one author."""


def pair(rows: int, difference: float, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    """(labels, answers, authors): probabilities (rows, 3) of a challenger whose true macro-F1 is the champion's plus ``difference``."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, rows)
    authors = random.integers(0, max(1, rows // 3), rows)
    hard, wrong = random.standard_normal(rows), (labels + random.integers(1, 3, rows)) % 3
    answers = {}
    for name, score in {"challenger": CHAMPION + difference, "champion": CHAMPION, "baseline": CHAMPION - 0.1}.items():
        taste, noise = random.standard_normal(rows)[authors], random.standard_normal(rows)
        trouble = np.sqrt(_SHARED) * hard + np.sqrt(_AUTHOR) * taste + np.sqrt(1 - _SHARED - _AUTHOR) * noise
        said = np.where(trouble < NormalDist().inv_cdf(score), labels, wrong)
        answers[name] = np.where(np.eye(3)[said] > 0, score, (1 - score) / 2)
    return labels, {**answers, "fp32": answers["challenger"]}, [f"author {number}" for number in authors]


def judged(rows: int, difference: float, seed: int) -> tuple[str, Evidence]:
    """The verdict on one pair, and what it was made of."""
    labels, answers, authors = pair(rows, difference, seed)
    evidence = evidence_of(labels, answers, authors, {}, PARAMS, latency_ratio=1.0)
    return decide(evidence, PARAMS)[0], evidence


def one(task: tuple[int, float, int]) -> dict:
    rows, difference, seed = task
    verdict, evidence = judged(rows, difference, seed)
    found = evidence.against_champion
    return {
        "rows": rows,
        "difference": difference,
        "verdict": verdict,
        "smallest_detectable": found.smallest_detectable,
        "is_held": found.low <= difference <= found.high,
    }


def without_groups(seed: int) -> bool:
    """Whether equals on 2,000 rows would look different if one author's posts were taken for independent."""
    labels, answers, _ = pair(2_000, 0.0, seed)
    said = {name: probabilities.argmax(axis=1) for name, probabilities in answers.items()}
    found = paired_difference(labels, said["challenger"], said["champion"], range(2_000), samples=PARAMS.bootstrap_samples, seed=1)
    return not found.low <= 0 <= found.high


def main() -> tuple[list[Measure], dict]:
    tasks = [(rows, difference, 10_000 * place + seed) for place, rows in enumerate(SIZES) for difference in (0.0, POINTS) for seed in range(PAIRS)]
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(one, tasks, chunksize=20))
        alone = list(pool.map(without_groups, range(PAIRS), chunksize=20))
    measures, table = [], []
    for rows in SIZES:
        equal, better = ([each for each in found if (each["rows"], each["difference"]) == (rows, difference)] for difference in (0.0, POINTS))
        told = float(np.mean([each["smallest_detectable"] for each in better]))
        line = {"rows": rows, "smallest_detectable": round(told, 4)}
        line |= {"equals_promoted": _share(equal), "better_promoted": _share(better)}
        line |= {f"equals_{verdict.lower()}": _share(equal, verdict) for verdict in ("INCONCLUSIVE", "HOLD")}
        line |= {"interval_holds_truth": round(float(np.mean([each["is_held"] for each in equal + better])), 4)}
        table.append(line)
        measures += [
            Measure(f"{rows:,} rows: smallest difference it says it sees", line["smallest_detectable"], "macro-F1"),
            Measure(f"{rows:,} rows: equals promoted", line["equals_promoted"], f"of {PAIRS}", floor=0.05, lower_is_better=True),
            Measure(f"{rows:,} rows: truly +2 points promoted", line["better_promoted"], f"of {PAIRS}", floor=0.8 if told <= POINTS else None),
            Measure(f"{rows:,} rows: the interval holds the truth", line["interval_holds_truth"], f"of {2 * PAIRS}", floor=0.93),
        ]
    seen = [each for each in found if each["difference"] == POINTS and each["smallest_detectable"] <= POINTS]
    measures.append(Measure("truly +2 points promoted, where the verdict says that it sees 2 points", _share(seen), f"of {len(seen)}", floor=0.8))
    measures.append(Measure("2,000 rows: equals called different, were authors forgotten", float(np.mean(alone)), f"of {PAIRS}"))
    return measures, {"table": table, "pairs": PAIRS, "bootstrap_samples": PARAMS.bootstrap_samples}


def _share(found: list[dict], verdict: str = PROMOTE) -> float:
    return round(float(np.mean([each["verdict"] == verdict for each in found])), 4)


if __name__ == "__main__":
    measured, also = main()
    sys.exit(finish("judge", measured, also=also))
