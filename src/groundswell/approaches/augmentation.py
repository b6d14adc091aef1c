"""More rows to learn from: edits of training rows, near words in them, and posts of the lake with a weak label.

Reads a fold's training rows, and for weak labels the texts and the champion that `Surroundings` name; writes nothing. Everything that
is added says so (``synthetic``, ``weak``), a child has its parent's group, and nothing is added whose words are a judged text's.
Refuses a champion that has learnt from a judged text, or does not tell: its labels would carry what it was told there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from groundswell.approaches.base import Labelled, Surroundings
from groundswell.approaches.near_words import analyser, is_negation, near_words
from groundswell.errors import DatasetError, ModelError
from groundswell.learnt import TEXTS, hashes
from groundswell.params import CompareRow
from groundswell.schema import LABELS
from groundswell.text import fingerprint

CHILDREN = 2
"""Of one training row. Wei & Zou advise four for large corpora: each of them costs a network another pass over the rows."""
CHANGED_SHARE = 0.1
"""Share of a text's words that an edit changes (alpha of Wei & Zou 2019, table 3), one at least."""
REPLACED_SHARE = 0.2
LEAST_COMPOUND = 0.6
"""VADER's compound score from which a post is taken for positive or, negated, for negative; its authors' own bound for a label is 0.05."""
LEAST_CONFIDENCE = 0.9
"""The champion's calibrated probability from which its answer is taken for a label."""
_TRIES = 3
_EDGES = ".,;:!?\"'()[]…“”‘’*~-"
_FIXED = ("@user", "http")

Edit = Callable[[list[str], np.random.Generator], list[str]]


def augmented(train: Labelled, row: CompareRow, seed: int, surroundings: Surroundings) -> Labelled:
    """``train`` and after it what ``row.augmentation`` adds; the same rows and seed give the same answer.

    `DatasetError` where weak labels are asked for and there is no post to label, `ModelError` for a champion that is missing or has
    learnt from what is judged.
    """
    if row.augmentation == "none":
        return train
    train = replace(train, provenances=train.provenances or [""] * len(train))
    if row.augmentation.startswith("weak"):
        return _joined(train, _weak(train, row.augmentation, surroundings))
    return _joined(train, _children(train, _edits(train, row.augmentation), seed, surroundings.judged))


def _joined(train: Labelled, more: Labelled) -> Labelled:
    labels = np.concatenate([train.labels, more.labels])
    return Labelled(train.texts + more.texts, labels, train.groups + more.groups, train.provenances + more.provenances)


def _children(train: Labelled, edit: Edit, seed: int, judged: frozenset[int]) -> Labelled:
    random = np.random.default_rng(seed)
    known = {fingerprint(text) for text in train.texts}
    places, texts = [], []
    for place, text in enumerate(train.texts):
        if fingerprint(text) in judged:  # the fold has cut a group: a child would hand a judged row's label on
            continue
        for child in _of(text, edit, random):
            if (said := fingerprint(child)) not in known and said not in judged:
                known.add(said)
                places.append(place)
                texts.append(child)
    return Labelled(texts, train.labels[places], [train.groups[place] for place in places], ["synthetic"] * len(places))


def _of(text: str, edit: Edit, random: np.random.Generator) -> Iterator[str]:
    """At most `CHILDREN` edits of ``text`` in which VADER finds the sentiment that it finds in ``text``."""
    sign = _sign(text)
    for _ in range(CHILDREN):
        for _ in range(_TRIES):
            child = " ".join(edit(text.split(), random))
            if child and child != text and _sign(child) == sign:
                yield child
                break


def _sign(text: str) -> int:
    compound = analyser().polarity_scores(text)["compound"]
    return int(compound >= 0.05) - int(compound <= -0.05)


def _edits(train: Labelled, kind: str) -> Edit:
    near = near_words({_core(token) for text in train.texts for token in text.split()})

    def synonyms(tokens: list[str], random: np.random.Generator) -> list[str]:
        return _replaced(tokens, near, random)

    def edits(tokens: list[str], random: np.random.Generator) -> list[str]:
        return (_swapped, _deleted, lambda *given: _inserted(*given, near))[random.integers(3)](tokens, random)

    return synonyms if kind == "synonyms" else edits


def _replaced(tokens: list[str], near: dict[str, list[str]], random: np.random.Generator) -> list[str]:
    able = [place for place, token in enumerate(tokens) if _core(token) in near]
    for place in _drawn(able, REPLACED_SHARE * len(tokens), random):
        tokens[place] = _in_place_of(tokens[place], random.choice(near[_core(tokens[place])]))
    return tokens


def _swapped(tokens: list[str], random: np.random.Generator) -> list[str]:
    free = _free(tokens)
    for place in _drawn(free, CHANGED_SHARE * len(tokens), random):
        other = random.choice(free)
        tokens[place], tokens[other] = tokens[other], tokens[place]
    return tokens


def _deleted(tokens: list[str], random: np.random.Generator) -> list[str]:
    free = _free(tokens)
    gone = set(_drawn(free, min(CHANGED_SHARE * len(tokens), len(free) - 1), random)) if len(free) > 1 else ()
    return [token for place, token in enumerate(tokens) if place not in gone]


def _inserted(tokens: list[str], random: np.random.Generator, near: dict[str, list[str]]) -> list[str]:
    """Near words of words of the text, put in anywhere, as Wei & Zou do."""
    able = [_core(token) for token in tokens if _core(token) in near]
    for word in _drawn(able, CHANGED_SHARE * len(tokens), random):
        tokens.insert(int(random.integers(len(tokens) + 1)), str(random.choice(near[word])))
    return tokens


def _free(tokens: list[str]) -> list[int]:
    """Places of what may be moved or left out: no negation, whose place decides what it denies."""
    return [place for place, token in enumerate(tokens) if token not in _FIXED and not is_negation(_core(token))]


def _drawn(things: list, wanted: float, random: np.random.Generator) -> list:
    count = min(max(1, round(wanted)), len(things))
    return [things[place] for place in random.choice(len(things), count, replace=False)] if count else []


def _core(token: str) -> str:
    return token.strip(_EDGES).lower()


def _in_place_of(token: str, word: str) -> str:
    """``word`` written as ``token`` is: its capitals, its punctuation."""
    inside = token.strip(_EDGES)
    start = token.index(inside)
    written = word.upper() if inside.isupper() and len(inside) > 1 else word.capitalize() if inside[:1].isupper() else word
    return token[:start] + written + token[start + len(inside) :]


def _weak(train: Labelled, kind: str, surroundings: Surroundings) -> Labelled:
    """Unlabelled posts with a label that their teacher is sure of: at most as many as there are training rows, classes mixed as these are."""
    taken = {fingerprint(text) for text in train.texts} | surroundings.judged
    posts = {said: text for text in surroundings.unlabelled if (said := fingerprint(text)) not in taken}
    if not posts:
        raise DatasetError(f"{kind}: expected posts without a label that no judged row is related to, found none: collect more, or leave the row out")
    texts = sorted(posts.values(), key=_by_hash)
    labels, is_sure = _by_vader(texts) if kind == "weak_vader" else _by_champion(texts, surroundings)
    places = _mixed_as(train.labels, labels, is_sure)
    names = [f"weak/{fingerprint(texts[place]):016x}" for place in places]
    return Labelled([texts[place] for place in places], labels[places], names, ["weak"] * len(places))


def _by_hash(text: str) -> bytes:
    """An order that says nothing about the text, and is the same in every run."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _by_vader(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels by VADER and whether they are sure: a high score either way, or for neutral none in four words and more."""
    found = [analyser().polarity_scores(text) for text in texts]
    compound = np.array([scores["compound"] for scores in found])
    is_neutral = (np.abs(compound) < 0.05) & np.array([len(text.split()) > 3 for text in texts])
    labels = np.where(is_neutral, LABELS.index("neutral"), np.where(compound > 0, LABELS.index("positive"), LABELS.index("negative")))
    return labels, is_neutral | (np.abs(compound) >= LEAST_COMPOUND)


def _by_champion(texts: Sequence[str], surroundings: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    from groundswell.predictor import Predictor

    folder = surroundings.champion
    if folder is None:
        raise ModelError("weak_champion: there is no champion to label posts: promote a model first, or leave the row out")
    champion = Predictor.load(folder, threads=surroundings.threads)
    learnt = {int(number) for number in hashes(folder, TEXTS)}
    if known := len(learnt & surroundings.judged):
        raise ModelError(
            f"weak_champion: the champion has learnt from {known} of the {len(surroundings.judged)} judged texts, so that its labels would carry "
            "what it was told of them: take a champion of other rows, or leave the row out"
        )
    probabilities = champion.predict(texts)
    return probabilities.argmax(axis=1), probabilities.max(axis=1) >= LEAST_CONFIDENCE


def _mixed_as(wanted: np.ndarray, labels: np.ndarray, is_sure: np.ndarray) -> np.ndarray:
    """Places of sure labels, in order, as many as there are ``wanted`` ones or fewer, in the same shares: a teacher's bias moves no prior."""
    shares = np.bincount(wanted, minlength=len(LABELS)) / len(wanted)
    places = [np.flatnonzero(is_sure & (labels == label)) for label in range(len(LABELS))]
    whole = min([len(wanted), *(len(found) / share for found, share in zip(places, shares, strict=True) if share)])
    return np.sort(np.concatenate([found[: int(whole * share)] for found, share in zip(places, shares, strict=True)])).astype(np.int64)
