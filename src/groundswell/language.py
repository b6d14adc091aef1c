"""In which language a text is: what its platform says, held against what the text says (py3langid, with the model that its package holds).

A platform's word is a strong prior and no more: apps set it to the reader's own language, whatever is written. It gives way where the
text is long enough and its probability for another language outweighs the trust. Nothing is read from a network. The model's automaton
is walked for many texts at once (its own walk, a text at a time, is a fifth as fast); a test holds the probabilities equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from groundswell.errors import ParamsError
from groundswell.params import HygieneParams

UNKNOWN = "und"
"""BCP 47's word for a language that can't be told."""

READ_BYTES = 600
"""Of a longer text its beginning is enough to tell."""

_DENSE = 0x2E80  # from here on scripts of which one letter says as much as three of an alphabet's: Chinese, Japanese, Korean
_DENSITY = 3
_SURE = 1e-9
_BLOCK = 4_096


def languages(said: Sequence[str | None], texts: Sequence[str], params: HygieneParams = HygieneParams()) -> list[str]:  # noqa: B008 - frozen
    """For every text its language: the platform's word as ``said``, an ISO 639-1 code of ``params.languages``, or `UNKNOWN`.

    ``texts`` are normalised ones. Too short a text (``min_letters``) keeps what was said. `ParamsError` for a code that the model lacks.
    """
    model = _model(tuple(params.languages))
    found = [word or UNKNOWN for word in said]
    long = [place for place, text in enumerate(texts) if len(text) * _DENSITY >= params.min_letters and letters(text) >= params.min_letters]
    for start in range(0, len(long), _BLOCK):
        places = long[start : start + _BLOCK]
        for place, chances in zip(places, model.probabilities([texts[place] for place in places]), strict=True):
            found[place] = _weighed(said[place], chances, model.codes, params)
    return found


def primary(language: str) -> str:
    """The first subtag, in lower case: ``en`` of ``en-GB``."""
    return language.replace("_", "-").partition("-")[0].lower()


def letters(text: str) -> int:
    """How much a normalised text has to go by: its letters without mentions and links, those of dense scripts threefold."""
    text = text.replace("@user", " ").replace("http", " ")
    if text.isascii():
        return sum(map(str.isalpha, text))
    return sum(_DENSITY if ord(character) >= _DENSE else 1 for character in text if character.isalpha())


def _weighed(said: str | None, chances: np.ndarray, codes: dict[str, int], params: HygieneParams) -> str:
    best = int(chances.argmax())
    if not said:
        return list(codes)[best] if chances[best] >= params.min_language_probability else UNKNOWN
    its = codes.get(primary(said))
    if its is None or its == best:
        return said  # a language that the model is not asked about can't be contradicted
    is_outweighed = chances[best] * (1 - params.language_trust) > max(chances[its], _SURE) * params.language_trust
    return list(codes)[best] if is_outweighed else said


class Model:
    """py3langid's model restricted to ``codes`` (all it knows, where there are none); ``codes``: a code → its column of `probabilities`."""

    def __init__(self, codes: Sequence[str] = ()):
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        unknown = sorted(set(codes) - set(model.labels))
        if unknown:
            raise ParamsError(f"hygiene.languages: {', '.join(unknown)}: expected ISO 639-1 codes that py3langid knows: {', '.join(model.labels)}")
        wanted = set(codes or model.labels)
        columns = [column for column, code in enumerate(model.nb_classes) if code in wanted]
        self.codes = {code: place for place, code in enumerate(dict.fromkeys(model.nb_classes[column] for column in columns))}
        self._place = np.array([self.codes[model.nb_classes[column]] for column in columns])  # some languages have two columns, a script each
        self._next = np.frombuffer(model.tk_nextmove, dtype=f"u{model.tk_nextmove.itemsize}")
        self._row = np.asarray(model.tk_row, dtype=np.int64) << 8
        self._feature = np.asarray(model.tk_output, dtype=np.int64)
        self._table, self._prior = model.nb_ptc[:, columns].astype(np.float32), model.nb_pc[columns].astype(np.float32)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (texts, codes), rows of sum 1."""
        data = [_bytes(text) for text in texts]
        scores = np.zeros((len(data), len(self._prior)), dtype=np.float32)  # a text without any feature: all are as likely
        text, feature, count = self._features(data)
        if text.size:
            starts = np.flatnonzero(np.diff(text, prepend=-1))
            scores[text[starts]] = self._prior + np.add.reduceat(self._table[feature] * np.log1p(count)[:, None], starts)
        scores /= np.sqrt([[len(one) or 1] for one in data], dtype=np.float32)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        merged = np.zeros((len(data), len(self.codes)), dtype=np.float32)
        np.add.at(merged, (slice(None), self._place), chances)
        return merged

    def _features(self, data: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which text has which feature how often, sorted by text: a step of the automaton a byte, for all texts together, longest first."""
        lengths = np.array([len(one) for one in data])
        order = np.argsort(-lengths, kind="stable")
        width = int(lengths.max(initial=0))
        letters_ = np.frombuffer(b"".join(data[place].ljust(width, b"\0") for place in order), dtype=np.uint8).reshape(len(data), width).T
        state, found = np.zeros(len(data), dtype=np.int64), []
        for position, column in enumerate(letters_):
            going = int(np.searchsorted(-lengths[order], -position))
            state[:going] = self._next[self._row[state[:going]] + column[:going]]
            feature = self._feature[state[:going]]
            hits = np.flatnonzero(feature >= 0)
            found.append(order[hits] * len(self._table) + feature[hits])
        keys, counts = np.unique(np.concatenate(found) if found else np.zeros(0, dtype=np.int64), return_counts=True)
        return keys // len(self._table), keys % len(self._table), counts.astype(np.float32)


_model = lru_cache(maxsize=1)(Model)  # loading it takes a second


def _bytes(text: str) -> bytes:
    """As the model was trained on: capitals alone are no language."""
    return (text.lower() if text.isupper() else text)[:READ_BYTES].encode("utf-8", "surrogatepass")[:READ_BYTES]
