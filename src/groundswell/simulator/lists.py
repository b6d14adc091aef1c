"""Lists of words and of lines, written as text so that they can be read and mended as such."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """What stands between the bars; line ends count as blanks."""
    return tuple(" ".join(word.split()) for word in text.split("|"))


def lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())
