"""In which language a text is: what its platform says, held against what the text says (py3langid, with the model that its package holds).

A platform's word is a strong prior and no more: apps set it to the reader's own language, whatever is written. It gives way where the
text is long enough and its probability for another language outweighs the trust. Nothing is read from a network.
"""

from __future__ import annotations

from collections.abc import Sequence

from groundswell.config import HygieneParams
from groundswell.errors import ParamsError

UNKNOWN = "und"
"""BCP 47's word for a language that can't be told."""

_DENSE = 0x2E80  # from here on scripts of which one letter says as much as three of an alphabet's: Chinese, Japanese, Korean
_DENSITY = 3
_SURE = 1e-9


def languages(said: Sequence[str | None], texts: Sequence[str], params: HygieneParams = HygieneParams()) -> list[str]:  # noqa: B008 - frozen
    """For every text its language: the platform's word as ``said``, an ISO 639-1 code of ``params.languages``, or `UNKNOWN`.

    ``texts`` are normalised ones. Too short a text (``min_letters``) keeps what was said. `ParamsError` for a code that the model lacks.
    """
    identifier = _identifier(params.languages)
    return [_language(identifier, word, text, params) for word, text in zip(said, texts, strict=True)]


def primary(language: str) -> str:
    """The first subtag, in lower case: ``en`` of ``en-GB``."""
    return language.replace("_", "-").partition("-")[0].lower()


def letters(text: str) -> int:
    """How much a normalised text has to go by: its letters without mentions and links, those of dense scripts threefold."""
    text = text.replace("@user", " ").replace("http", " ")
    return sum(_DENSITY if ord(character) >= _DENSE else 1 for character in text if character.isalpha())


def _language(identifier, said: str | None, text: str, params: HygieneParams) -> str:
    if letters(text) < params.min_letters:
        return said or UNKNOWN
    found, probability = identifier.classify(text)
    if not said:
        return found if probability >= params.min_language_probability else UNKNOWN
    if primary(said) == found or primary(said) not in identifier.nb_classes:
        return said  # a language that the model is not asked about can't be contradicted
    against = dict(identifier.rank(text))[primary(said)]
    return found if probability * (1 - params.language_trust) > max(against, _SURE) * params.language_trust else said


def _identifier(codes: Sequence[str]):
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    unknown = sorted(set(codes) - set(identifier.labels))
    if unknown:
        raise ParamsError(f"hygiene.languages: {', '.join(unknown)}: expected ISO 639-1 codes that py3langid knows: {', '.join(identifier.labels)}")
    identifier.set_languages(list(codes) or None)
    return identifier
