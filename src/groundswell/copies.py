"""How many posts of a raw partition say nearly what an earlier one says: copies with a word changed, which spam comes in.

Is given a partition's pieces as they are looked at and keeps the texts of its first rows; reads and writes nothing itself. It is told, and
nothing is refused by it: which near copies hang together is `prepare`'s to know, for the rows that it takes.
"""

from __future__ import annotations

from groundswell.duplicates import near_clusters
from groundswell.params import ValidateParams
from groundswell.rawrows import Piece
from groundswell.text import normalise, skeleton


class Beginning:
    """The texts of a partition's first rows, ``near_duplicate_rows`` at most, and which of them repeat an earlier one letter for letter."""

    def __init__(self, params: ValidateParams):
        self._params = params
        self._skeletons: list[str] = []
        self._is_duplicate: list[bool] = []

    def take(self, piece: Piece) -> None:
        """The next piece of the partition."""
        if room := self._params.near_duplicate_rows - len(self._skeletons):
            self._skeletons += [skeleton(normalise(text)) for text in piece.table.column("text").slice(0, room).to_pylist()]
            self._is_duplicate += piece.is_duplicate[:room].tolist()

    def counts(self) -> dict[str, int]:
        """``rows_compared``, and ``rows_near_duplicate``: those of which an earlier one's text is near and not the same."""
        clusters = near_clusters(self._skeletons, self._params.near_duplicate_similarity)
        is_near = [first != place and not self._is_duplicate[place] for place, first in enumerate(clusters)]
        return {"rows_compared": len(clusters), "rows_near_duplicate": sum(is_near)}
