"""The labelled corpora that the benchmarks of quality read, each as `Labelled` rows: normalised texts, class numbers, groups of duplicates.

Reads what the user's path names: TweetEval's sentiment set (its folder, or a CSV with a ``split`` column), Kaggle's game tweets, the
Financial PhraseBank (all-data.csv, or its Sentences_*.txt). Writes nothing. Refuses a file that is not in the layout it expects.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundswell.approaches import Labelled
from groundswell.duplicates import connected, near_clusters
from groundswell.errors import CorpusError
from groundswell.schema import LABELS
from groundswell.text import normalise, skeleton

SIMILARITY = 0.8
"""As prepare's default: from this Jaccard similarity on two texts are near duplicates."""
LEVELS = {"Sentences_AllAgree": "100 %", "Sentences_75Agree": ">= 75 %", "Sentences_66Agree": ">= 66 %", "Sentences_50Agree": ">= 50 %"}
"""The Financial PhraseBank's files, and how many of its annotators agreed on every sentence of each. all-data.csv is the last."""


@dataclass(frozen=True)
class Pair:
    """What is learnt from, what judges, and which rows of the latter (bool, (n,)) are near duplicates of a row of the former."""

    learn: Labelled
    judge: Labelled
    judged_on: str
    is_near: np.ndarray


def tweets(path: Path) -> Pair:
    """TweetEval's sentiment set: its published test set judges where the folder has it, else val; train is learnt from."""
    splits = _folder(path) if path.is_dir() else _with_split(path)
    judged_on = "test" if "test" in splits else "val"
    sides = [splits["train"], splits[judged_on]]
    both = labelled([text for side in sides for text in side[0]], [label for side in sides for label in side[1]])
    edge = len(sides[0][0])
    return pair(both, range(edge), range(edge, len(both)), judged_on)


def pair(rows: Labelled, learn, judge, judged_on: str) -> Pair:
    """``rows`` at two lists of places, and which of the judging ones share a group with the others."""
    held = {rows.groups[at] for at in learn}
    return Pair(rows.part(learn), rows.part(judge), judged_on, np.array([rows.groups[at] in held for at in judge]))


@dataclass(frozen=True)
class Games:
    """Kaggle's game tweets, validation rows last: the rows, each one's tweet id, and how many rows the training file has."""

    rows: Labelled
    ids: list[str]
    training: int


def games(folder: Path) -> Games:
    """Both files, three classes (Irrelevant counts as Neutral, as its author has it), blank texts left out; groups: one tweet, or near duplicates."""
    names = {"Negative": "negative", "Neutral": "neutral", "Irrelevant": "neutral", "Positive": "positive"}
    files = [[row for row in _read(folder / name, 4, "utf-8") if row[3].strip()] for name in ("twitter_training.csv", "twitter_validation.csv")]
    rows = [row for file in files for row in file]
    ids = [row[0] for row in rows]
    return Games(labelled([row[3] for row in rows], [_place(names.get(row[2]), folder) for row in rows], ids), ids, len(files[0]))


def finance(path: Path) -> dict[str, Labelled]:
    """Agreement of the annotators → rows. ``path``: all-data.csv, one Sentences_*.txt, or a folder with any of them."""
    files = [path] if path.is_file() else sorted([*path.glob("Sentences_*.txt"), *path.glob("all-data.csv")])
    if not files:
        raise CorpusError(f"{path}: expected all-data.csv or Sentences_*.txt of the Financial PhraseBank, found neither")
    found = {}
    for file in files:
        level = LEVELS.get(file.stem, LEVELS["Sentences_50Agree"])
        pairs = _sentences(file) if file.suffix == ".txt" else [(row[1], row[0]) for row in _read(file, 2, "iso-8859-1")]
        found.setdefault(level, labelled([text for text, _ in pairs], [_place(label, file) for _, label in pairs]))
    return found


def labelled(texts: list[str], labels: list[int], ids: list[str] | None = None) -> Labelled:
    """Rows whose group is their cluster of near duplicates, joined by equal ``ids``, step by step."""
    normal = [normalise(text) for text in texts]
    clusters = near_clusters([skeleton(text) for text in normal], SIMILARITY)
    groups = connected(len(normal), clusters, ids) if ids else clusters
    return Labelled(normal, np.array(labels), [str(group) for group in groups])


def some(rows: Labelled, count: int, seed: int = 1) -> Labelled:
    """``count`` of ``rows``, or all where there are fewer: drawn by ``seed``, in the order of the file."""
    return rows.part(np.sort(np.random.default_rng(seed).permutation(len(rows))[:count]).tolist())


def digest(*parts: Labelled) -> str:
    """Names rows by what they are: the same texts and labels in the same order, the same name."""
    found = hashlib.sha256()
    for part in parts:
        found.update("\0".join(part.texts).encode("utf-8", "surrogatepass") + part.labels.astype(np.int64).tobytes())
    return found.hexdigest()[:16]


def _folder(path: Path) -> dict[str, tuple[list[str], list[int]]]:
    """TweetEval's own layout: SPLIT_text.txt and SPLIT_labels.txt, a line a row, labels 0, 1, 2."""
    found = {}
    for split in ("train", "val", "test"):
        texts, labels = path / f"{split}_text.txt", path / f"{split}_labels.txt"
        if split == "test" and not texts.exists():
            continue
        if not (texts.is_file() and labels.is_file()):
            raise CorpusError(f"{path}: expected {texts.name} and {labels.name}, as TweetEval's datasets/sentiment has them")
        lines = [file.read_text(encoding="utf-8").rstrip("\n").split("\n") for file in (texts, labels)]
        if len(lines[0]) != len(lines[1]) or set(lines[1]) - {"0", "1", "2"}:
            raise CorpusError(f"{path}: {texts.name} has {len(lines[0])} lines, {labels.name} {len(lines[1])}: expected as many, and labels 0, 1, 2")
        found[split] = (lines[0], [int(label) for label in lines[1]])
    return found


def _with_split(path: Path) -> dict[str, tuple[list[str], list[int]]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"text", "label", "split"} <= set(rows[0]):
        raise CorpusError(f"{path}: expected columns text, label and split; found {', '.join(rows[0]) if rows else 'no rows'}")
    found: dict[str, tuple[list[str], list[int]]] = {}
    for row in rows:
        texts, labels = found.setdefault(row["split"], ([], []))
        texts.append(row["text"])
        labels.append(_place(row["label"], path))
    if not {"train", "val"} <= set(found):
        raise CorpusError(f"{path}: expected splits train and val; found {', '.join(sorted(found))}")
    return found


def _sentences(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="iso-8859-1").splitlines()
    return [(text, label) for text, _, label in (line.rpartition("@") for line in lines if line.strip())]


def _read(path: Path, columns: int, encoding: str) -> list[list[str]]:
    with open(path, encoding=encoding, newline="") as file:
        rows = list(csv.reader(file))
    if not rows or any(len(row) != columns for row in rows):
        raise CorpusError(f"{path}: expected {columns} columns in every row; another file than the published one?")
    return rows


def _place(label: str | None, where: Path) -> int:
    if label not in LABELS:
        raise CorpusError(f"{where}: a label is not one of {', '.join(LABELS)} (or what the file calls them): another file than the published one?")
    return LABELS.index(label)
