"""Which label a post has, where several people, a corpus and a platform may each have said something.

One rule, for one post and for several posts with the same text: the most trusted provenance speaks (`schema.PROVENANCES`), in it
the majority; where that is undecided, nobody's word is taken. Everything that is overruled or dropped is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from groundswell.errors import DatasetError, nearest
from groundswell.schema import LABELS, PROVENANCES

Opinion = tuple[str, str]
"""(one of LABELS, one of PROVENANCES)"""


def mapped(words: Iterable[str], label_map: dict[str, str]) -> dict[str, str]:
    """For every word one of LABELS, by ``label_map`` or as it stands, whatever its case; `DatasetError` for a word that is neither.

    ``words`` may repeat: the error says how often.
    """
    known = {label: label for label in LABELS} | {word.strip().casefold(): label for word, label in label_map.items()}
    counts = Counter(words)
    unknown = {word: count for word, count in counts.items() if word.strip().casefold() not in known}
    if unknown:
        worst = sorted(unknown, key=lambda word: (-unknown[word], word))[:5]
        told = "; ".join(f"{word[:60]!r} on {unknown[word]} rows{nearest(word.casefold(), known)}" for word in worst)
        raise DatasetError(
            f"{len(unknown)} label words are neither in {', '.join(LABELS)} nor in params.yaml prepare.label_map: {told}. Add them to label_map"
        )
    return {word: known[word.strip().casefold()] for word in counts}


def require_provenances(found: Iterable[str | None]) -> None:
    """`DatasetError` when a label comes from a provenance that does not exist."""
    unknown = Counter(str(provenance) for provenance in found if provenance not in PROVENANCES)
    if unknown:
        told = "; ".join(f"{word[:60]!r} on {count} rows{nearest(word, PROVENANCES)}" for word, count in sorted(unknown.items()))
        raise DatasetError(f"label provenances that do not exist: {told}")


def decided(opinions: Sequence[Opinion]) -> Opinion | None:
    """The opinion that counts: the most trusted provenance's majority; ``None`` when that is a tie."""
    provenance = min((opinion[1] for opinion in opinions), key=PROVENANCES.index)
    ranking = Counter(label for label, from_where in opinions if from_where == provenance).most_common(2)
    if len(ranking) == 2 and ranking[0][1] == ranking[1][1]:
        return None
    return ranking[0][0], provenance


def outvoted(texts: Sequence[str], opinions: Sequence[Opinion]) -> tuple[list[bool], int]:
    """For every row whether its label loses against that of rows with the same text, and how many texts bear two labels."""
    by_text: dict[str, list[Opinion]] = {}
    for text, opinion in zip(texts, opinions, strict=True):
        by_text.setdefault(text, []).append(opinion)
    disputed = {text: decided(said) for text, said in by_text.items() if len({label for label, _ in said}) > 1}
    loses = [text in disputed and (disputed[text] is None or disputed[text][0] != label) for text, (label, _) in zip(texts, opinions, strict=True)]
    return loses, len(disputed)
