"""The outside of a simulated post: case, typos, emoji, tags, mentions, links, a platform's own markup; and copies of posts."""

from __future__ import annotations

import html
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from groundswell.simulator import lexicon

if TYPE_CHECKING:
    from groundswell.simulator.writer import Written

_EMOJI = {
    "positive": (lexicon.GOOD_EMOJI, lexicon.BAD_EMOJI),
    "negative": (lexicon.BAD_EMOJI, lexicon.GOOD_EMOJI),
    "neutral": (lexicon.PLAIN_EMOJI, lexicon.PLAIN_EMOJI),
}
_HANDLES = ("pixelmoth", "latenightlan", "the_cartridge", "couchpilot", "mapmaker_io", "savescummer")


def dress(chance: random.Random, text: str, sentiment: str, platform: str) -> str:
    """``text`` as somebody would have typed it on ``platform``."""
    text = _typed(chance, text)
    text = _cased(chance, text)
    if chance.random() < 0.2:
        text = f"{text} {_emoji(chance, sentiment)}"
    if platform == "corpus":
        return _social(chance, text)
    return _as_html(chance, text) if platform == "hackernews" else _as_bbcode(chance, text)


def repeat(chance: random.Random, written: Written, *, is_exact: bool) -> Written:
    """The same post again: to the letter, or as people copy: with a word before it, a mark or a mention after it."""
    if is_exact or not written.text.strip():
        return written
    copies = (
        f"RT @{chance.choice(_HANDLES)}: {written.text}",
        f"{written.text} !!",
        f"{written.text} @{chance.choice(_HANDLES)}",
        f"this. {written.text}",
        written.text.upper(),
    )
    return replace(written, text=chance.choice(copies))


def _typed(chance: random.Random, text: str) -> str:
    if chance.random() >= 0.22:
        return text
    words = text.split(" ")
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.randrange(len(words))
        words[place] = _misspelt(chance, words[place])
    return " ".join(words)


def _misspelt(chance: random.Random, word: str) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    at = chance.randrange(1, len(word) - 1)
    return chance.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word + word[-1] * chance.randrange(2, 5),
        )
    )


def _cased(chance: random.Random, text: str) -> str:
    roll = chance.random()
    if roll < 0.35:
        return text.lower()
    if roll < 0.38:
        return text.upper()
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)


def _emoji(chance: random.Random, sentiment: str) -> str:
    fitting, unfitting = _EMOJI[sentiment]
    kind = chance.choices((fitting, lexicon.PLAIN_EMOJI, unfitting), (60, 25, 15))[0]
    return chance.choice(kind) * chance.choice((1, 1, 1, 2, 3))


def _social(chance: random.Random, text: str) -> str:
    if chance.random() < 0.18:
        text = f"@{chance.choice(_HANDLES)} {text}"
    if chance.random() < 0.3:
        text = f"{text} {' '.join('#' + tag for tag in chance.sample(lexicon.TAGS, chance.choice((1, 1, 2))))}"
    if chance.random() < 0.15:
        text = f"{text} https://example.org/{chance.randrange(16**6):06x}"
    return html.escape(text, quote=False) if chance.random() < 0.3 else text


def _as_html(chance: random.Random, text: str) -> str:
    """Hacker News escapes what HTML would read, apostrophes too, and puts ``<p>`` between paragraphs."""
    text = html.escape(text).replace("/", "&#x2F;")
    return text.replace(". ", ".<p>", 1) if chance.random() < 0.25 else text


def _as_bbcode(chance: random.Random, text: str) -> str:
    roll = chance.random()
    if roll < 0.06:
        first, _, rest = text.partition(" ")
        return f"[b]{first}[/b] {rest}"
    return text.replace(". ", ".\n", 1) if roll < 0.2 else text
