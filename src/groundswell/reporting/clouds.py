"""Word clouds: one transparent PNG a class, of words that enough people wrote; the same words give the same bytes.

Numbers in, bytes out. Its words come from `facts`, which leaves out those of few authors.
"""

from __future__ import annotations

import io

from groundswell.plots import COLOURS

_SEED = 1


def cloud(words: list[tuple[str, float]], label: str) -> bytes | None:
    """The cloud of ``words`` (word, weight) in the colour of ``label``; None where no word can be drawn. Emoji have no glyph in its font."""
    from wordcloud import WordCloud

    weights = {word: weight for word, weight in words if weight > 0 and all(ord(mark) < 0x2600 for mark in word)}
    if not weights:
        return None
    drawn = WordCloud(
        width=560, height=340, mode="RGBA", background_color=None, color_func=lambda *_, **__: COLOURS[label], random_state=_SEED, scale=1.5
    ).generate_from_frequencies(weights)
    png = io.BytesIO()
    drawn.to_image().quantize(64).save(png, format="PNG", optimize=True)
    return png.getvalue()
