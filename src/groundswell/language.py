"""In which language a text is, when its platform does not say: py3langid, with the model that its package holds."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "und"
"""BCP 47's word for a language that can't be told."""

_LEAST_PROBABILITY = 0.2
_LEAST_LETTERS = 3


def languages(said: Sequence[str | None], texts: Sequence[str]) -> list[str]:
    """For every text what its platform ``said`` (as said), else the detected ISO 639-1 code, else `UNKNOWN`.

    ``texts`` are normalised ones. `UNKNOWN`: fewer than three letters, or no language with a probability of 0.2.
    """
    identifier = None
    found = []
    for word, text in zip(said, texts, strict=True):
        if not word:
            identifier = identifier or _identifier()
            word = _detect(identifier, text)
        found.append(word)
    return found


def primary(language: str) -> str:
    """The first subtag, in lower case: ``en`` of ``en-GB``."""
    return language.replace("_", "-").partition("-")[0].lower()


def _detect(identifier, text: str) -> str:
    text = text.replace("@user", " ").replace("http", " ")
    if sum(character.isalpha() for character in text) < _LEAST_LETTERS:
        return UNKNOWN
    language, probability = identifier.classify(text)
    return language if probability >= _LEAST_PROBABILITY else UNKNOWN


def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
