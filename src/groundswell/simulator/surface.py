"""The outside of a simulated post: case, typos, emoji, tags, mentions, links, a platform's own markup; and copies of posts."""

from __future__ import annotations

import html
import random
import re
from typing import TYPE_CHECKING

from groundswell.simulator import lexicon

if TYPE_CHECKING:
    from groundswell.simulator.writer import Written

_EMOJI = {"positive": (lexicon.GOOD_EMOJI, lexicon.BAD_EMOJI), "negative": (lexicon.BAD_EMOJI, lexicon.GOOD_EMOJI)}
_HANDLES = ("pixelmoth", "latenightlan", "the_cartridge", "couchpilot", "mapmaker_io", "savescummer")


SOCIAL = ("corpus", "bluesky", "mastodon", "x")
"""Where people tag, mention and link."""
NEWS = ("rss", "gdelt")
"""Where editors write."""
_I, _START = re.compile(r"\bi\b"), re.compile(r"(^|[.?!] )([a-z])")


def typed(chance: random.Random, text: str, sentiment: str, style: str, emoji: tuple[str, ...]) -> str:
    """``text`` as somebody would have typed it: slips, case, emoji."""
    text = _cased(chance, _with_slips(chance, text), style)
    return f"{text} {_emoji(chance, sentiment, emoji)}" if chance.random() < 0.2 else text


def edited(text: str) -> str:
    """``text`` as an editor would have it."""
    return _START.sub(_raised, _I.sub("I", text))


def marked(chance: random.Random, text: str, platform: str, tags: tuple[str, ...]) -> str:
    """``text`` in the markup of ``platform``, with the tags, mentions and links that people put there."""
    if platform in SOCIAL:
        text = _social(chance, text, tags)
        return html.escape(text, quote=False) if platform == "corpus" and chance.random() < 0.3 else text
    if platform == "hackernews":
        return _as_html(chance, text)
    return _as_bbcode(chance, text) if platform == "steam" else text


def plainly_marked(text: str, platform: str) -> str:
    """``text`` with what ``platform`` must escape and no more: the same words everywhere."""
    return html.escape(text).replace("/", "&#x2F;") if platform == "hackernews" else text


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
    text = chance.choice(copies)
    return written._replace(text=text, planted=tuple(piece for piece in written.planted if piece.value in text))


def _with_slips(chance: random.Random, text: str) -> str:
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


def _cased(chance: random.Random, text: str, style: str) -> str:
    roll = chance.random()
    if style == "lower" or (style == "any" and roll < 0.35):
        return text.lower()
    if roll < (0.3 if style == "loud" else 0.03):
        return text.upper()
    return edited(text)


def _raised(match: re.Match) -> str:
    return match[1] + match[2].upper()


def _emoji(chance: random.Random, sentiment: str, plain: tuple[str, ...]) -> str:
    fitting, unfitting = _EMOJI.get(sentiment, (plain, plain))
    roll = chance.random()
    kind = fitting if roll < 0.6 else plain if roll < 0.85 else unfitting
    return chance.choice(kind) * chance.choice((1, 1, 1, 2, 3))


def _social(chance: random.Random, text: str, tags: tuple[str, ...]) -> str:
    if chance.random() < 0.18:
        text = f"@{chance.choice(_HANDLES)} {text}"
    if chance.random() < 0.3:
        text = f"{text} {' '.join('#' + tag for tag in chance.sample(tags, chance.choice((1, 1, 2))))}"
    return f"{text} https://example.org/{chance.randrange(16**6):06x}" if chance.random() < 0.15 else text


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
