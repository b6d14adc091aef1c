"""What is done to a text before features are made of it: the cleanings of `grid`, and what a word is.

Reads and writes nothing; learns nothing, so it may be done to any text at any time. Takes normalised texts (`text.normalise`). ``none``
and ``marks`` keep emoji and every script; the others keep letters only, of every script. Stems and lemmas are English, because a text
comes here without its language: words of other alphabets stay as they are, words of other Latin languages may be cut wrongly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from groundswell import grid
from groundswell.approaches.near_words import is_negation
from groundswell.errors import ParamsError, nearest

_EMOJI = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_TONE = "\U0001f3fb-\U0001f3ff"
_ONE_EMOJI = f"{_FLAG}|[{_EMOJI}][\ufe0f\u20e3{_TONE}]*(?:\u200d[{_EMOJI}\u2640\u2642][\ufe0f{_TONE}]*)*"
_EMOJI_ONCE = re.compile(_ONE_EMOJI)
_NOT_SAID = re.compile(f"[\u200d\ufe0e\ufe0f\u20e3{_TONE}]")  # what joins or paints an emoji has no word of its own

_PRINTED = re.compile(r"\b(?:heavy|black|white) ")

_STANDS_FOR = re.compile(r"(?<![\w@])@user\b|\bhttp\b")
_RUN = re.compile(r"([^\w\s])\1{2,}")
_SPACE = re.compile(r"\s+")

EMOTICONS = {
    "smiling": [":)", ":-)", "=)", ":]", "(:", "^_^", "^^", ":')"],
    "laughing": [":D", ":-D", "=D", "xD", "XD"],
    "winking": [";)", ";-)", ";D"],
    "sad": [":(", ":-(", "=(", ":[", "):"],
    "crying": [":'(", ";(", "T_T", ";_;"],
    "annoyed": ["-_-", ":/", ":-/", ":\\", ":|", ":-|", ">:("],
    "playful": [":P", ":-P", ":p", ":-p", "=P", ";P"],
    "surprised": [":O", ":-O", ":o", "O_O", "o_O", "O_o"],
    "kiss": [":*", ":-*"],
    "heart": ["<3"],
    "broken heart": ["</3"],
}
"""Word → the emoticons that it stands for."""

_SAID_BY = {sign: word for word, signs in EMOTICONS.items() for sign in signs}
_ONE_EMOTICON = r"(?<![\w/])(?:" + "|".join(re.escape(sign) for sign in sorted(_SAID_BY, key=len, reverse=True)) + r")(?![\w/])"
_EMOTICON = re.compile(_ONE_EMOTICON)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


FEW_STOP_WORDS = _set(
    "a an the this that these those there here of to in on at by for from with as into onto and or is am are was were be been being has have had "
    "do does did will would shall i me my mine we us our you your he him his she her it its they them their who whom which what when where "
    "i'm i've i'd i'll you're you've you'll he's she's it's that's there's we're we've they're they've what's"
)
"""Picked by hand: words that say nothing of a mood alone. Negations, but, too, so, very, only, all, more stay."""


def clean(name: str, text: str) -> str:
    """A normalised ``text`` after the cleaning ``name``, one of `grid.CLEANINGS`; may be empty. `ParamsError` for another name."""
    return _cleaner(name)(text)


def cleaned(name: str, texts: Sequence[str]) -> list[str]:
    """`clean` for each of ``texts``."""
    return [*map(_cleaner(name), texts)]


def words_of(text: str) -> list[str]:
    """The words of a text as every approach here counts them, in lower case: words with their apostrophes, #tags and @names whole,
    emoticons, an emoji with what is joined to it, and every other mark by itself. A script without spaces gives runs, not words."""
    return _word_pattern().findall(text.lower().replace("\u2019", "'"))


def _cleaner(name: str) -> Callable[[str], str]:
    if name not in _CLEANERS:
        raise ParamsError(f"there is no cleaning {name!r}{nearest(name, grid.CLEANINGS)}")
    return _CLEANERS[name]


def _marks(text: str) -> str:
    """Links and mentions out, emoji by their names, emoticons as words; of a run of one mark two stay: that it was shouted is kept."""
    text = _STANDS_FOR.sub(" ", text)
    text = _EMOTICON.sub(lambda match: f" {_SAID_BY[match[0]]} ", text)
    if not text.isascii():
        text = _EMOJI_ONCE.sub(lambda match: f" {_said(match[0])} ", text)
    return _SPACE.sub(" ", _RUN.sub(r"\1\1", text)).strip()


@lru_cache(maxsize=10_000)
def _said(emoji: str) -> str:
    """An emoji by its Unicode names, a flag by its letters; one that Python's tables do not know yet stays itself."""
    if re.fullmatch(_FLAG, emoji):
        return "flag " + "".join(chr(ord(letter) - 0x1F1E6 + ord("a")) for letter in emoji)
    return " ".join(map(_name, _NOT_SAID.sub("", emoji)))


def _name(sign: str) -> str:
    """Of an old sign the printer's words go: ❤ is a heavy black heart to Unicode, and a red one to people."""
    spoken = unicodedata.name(sign, sign).lower().replace("-", " ")
    return spoken if sign > "\uffff" else _PRINTED.sub("", spoken)


class _Letters(dict):
    """`str.translate`'s table that keeps letters, the marks on them and apostrophes, joins what a joiner joins, and parts words elsewhere."""

    def __missing__(self, code: int) -> str | None:
        kind = unicodedata.category(chr(code))
        is_letter = kind[0] == "L" or kind in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F
        self[code] = chr(code) if is_letter else "'" if code in (0x27, 0x2019) else None if kind == "Cf" else " "
        return self[code]


_LETTERS = _Letters()


def _listed(text: str) -> list[str]:
    spoken = _STANDS_FOR.sub(" ", text).lower().translate(_LETTERS).split()
    return [word for each in spoken if (word := each.strip("'"))]


def _words(text: str) -> str:
    return " ".join(_listed(text))


def _stems(text: str) -> str:
    return " ".join(map(_stem, _listed(text)))


def _lemmas(text: str) -> str:
    return " ".join(map(_lemma, _listed(text)))


def _few_stop_words(text: str) -> str:
    return " ".join(word for word in _listed(text) if word not in FEW_STOP_WORDS)


def _stop_words(text: str) -> str:
    stops = _library_stop_words()
    return " ".join(word for word in _listed(text) if word not in stops and word.replace("'", "") not in stops)


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    """Porter's second stemmer (Snowball)."""
    return _stemmer().stemWord(word) if word.isascii() else word


@lru_cache(maxsize=200_000)
def _lemma(word: str) -> str:
    """The dictionary form; a negated verb stays, since simplemma would make "be" of "isn't"."""
    if not word.isascii() or is_negation(word):
        return word
    from simplemma import lemmatize

    return lemmatize(word, lang="en").lower()


@lru_cache(maxsize=1)
def _stemmer():
    from snowballstemmer import stemmer

    return stemmer("english")


@lru_cache(maxsize=1)
def _library_stop_words() -> frozenset[str]:
    """scikit-learn's list. It has not, no and never in it, and that is why it is compared."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern:
    """A word is letters, digits and the marks on them: Python's \\w leaves out the vowel signs of Hindi, Tamil, Thai …"""
    marks = _ranges(code for code in range(0x300, 0x11A00) if unicodedata.category(chr(code)) in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F)
    letter = rf"[\w{marks}\u200c]"
    return re.compile(rf"{_ONE_EMOTICON.lower()}|[@#]?{letter}+(?:'{letter}+)*|{_ONE_EMOJI}|[^\w\s\u200d\ufe0e\ufe0f]")


def _ranges(codes: Iterable[int]) -> str:
    """``codes``, ascending, as the inside of a character class."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in spans)


_CLEANERS: dict[str, Callable[[str], str]] = {
    "none": str,
    "marks": _marks,
    "words": _words,
    "stems": _stems,
    "lemmas": _lemmas,
    "few_stop_words": _few_stop_words,
    "stop_words": _stop_words,
}
