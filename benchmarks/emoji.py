"""What it buys to give emoji word pieces of their own: game tweets with an emoji in them, judged by networks that learnt from others.

``make bench-emoji``, or ``python benchmarks/emoji.py PATH [--rows 8000] [--seeds 1]``. PATH is the folder of Kaggle's game tweets; by
default the one in ``shared``. Learns from tweets that have no emoji and are not near duplicates of one that has, with ``train.emoji``
unknown and named: what is measured is what the names tell. Also the behavioural cases about emoji.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from corpora import games, some
from harness import Measure, finish
from learners import asked, cells, difference, network, page, points, shipped, speaks, summary

from groundswell.approaches import Labelled
from groundswell.behaviour import Case, cases
from groundswell.emoji import is_emoji


def main(arguments: argparse.Namespace) -> int:
    speaks()
    learn, judge = parts(arguments.path, arguments.rows)
    suite = [case for case in cases() if case.capability == "emoji"]
    asked = judge.texts + [text for case in suite for text in case.texts]
    said = {name: [network(learn, asked, params)["int8"] for params in ways(name, arguments)] for name in ("unknown", "named")}
    rows = {name: summary(judge.labels, [each[: len(judge)] for each in answers]) for name, answers in said.items()}
    passed = {name: [passes(suite, each[len(judge) :]) for each in answers] for name, answers in said.items()}
    apart = {
        name: difference(judge.labels, *([each[: len(judge)] for each in said[way]] for way in ("named", "unknown")), name)
        for name in ("macro_recall", "macro_f1")
    }
    facts = {"rows": {"learnt": len(learn), "judged": len(judge)}, "table": rows, "passed": passed, "cases": len(suite), "named_less_unknown": apart}
    page("emoji", "Emoji as word pieces", sections(facts))
    return finish("emoji", measures(facts), also={**facts, "seeds": arguments.seeds})


def parts(path: Path, rows: int) -> tuple[Labelled, Labelled]:
    """(what is learnt from, what judges): the first row of every tweet, those with an emoji on the second side, their groups on no other."""
    found = games(path)
    firsts = list({found.ids[at]: at for at in reversed(range(found.training))}.values())
    judge = [at for at in firsts if any(map(is_emoji, found.rows.texts[at]))]
    held = {found.rows.groups[at] for at in judge}
    rest = [at for at in firsts if found.rows.groups[at] not in held]
    return some(found.rows.part(rest), rows), found.rows.part(judge)


def ways(name: str, arguments: argparse.Namespace) -> list:
    return [shipped().model_copy(update={"emoji": name, "seed": seed, "threads": arguments.threads}) for seed in range(1, arguments.seeds + 1)]


def passes(suite: list[Case], answers) -> int:
    """How many of ``suite`` are answered as they should be; ``answers`` are to their texts, one case after the other."""
    count, start = 0, 0
    for case in suite:
        count += case.is_passed(answers[start : start + len(case.texts)])
        start += len(case.texts)
    return count


def sections(facts: dict) -> dict[str, list]:
    apart = facts["named_less_unknown"]
    words = (
        f"{facts['rows']['learnt']:,} game tweets without an emoji learnt, {facts['rows']['judged']:,} with one judged. Named less unknown, points:"
    )
    words += f" macro-recall {points(apart['macro_recall'])}, macro-F1 {points(apart['macro_f1'])}."
    head = ["emoji", "macro-recall", "macro-F1", "accuracy", f"behavioural cases passed, of {facts['cases']}"]
    return {words: [head, *([name, *cells(row), ", ".join(map(str, facts["passed"][name]))] for name, row in facts["table"].items())]}


def measures(facts: dict) -> list[Measure]:
    found = [
        Measure(f"{name}: {measure}", row[measure]["mean"], "") for name, row in facts["table"].items() for measure in ("macro_recall", "macro_f1")
    ]
    found += [Measure(f"{name}: emoji cases passed", min(counts), f"of {facts['cases']}") for name, counts in facts["passed"].items()]
    # names must not cost anything that these rows can show
    return [*found, Measure("named less unknown, high end of 95 %", facts["named_less_unknown"]["macro_recall"]["high"], "macro-recall", floor=0.0)]


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("games",), rows=8_000, seeds=1, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
