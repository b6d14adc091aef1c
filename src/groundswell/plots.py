"""Pictures of a training and of an evaluation, as PNG files; the same numbers give the same bytes.

Reads nothing; writes where it is told. Draws on matplotlib figures of its own (no pyplot, no display, no global state).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from groundswell.schema import LABELS

COLOURS = {"negative": "#c8553d", "neutral": "#7a8793", "positive": "#2a7f62"}
_DPI = 110


def curves(history: list[dict], path: Path) -> None:
    """Loss by step, of training and validation, and macro-F1 of validation, from finetune's history."""
    figure, (losses, f1s) = _figure(9, 3.6, 2)
    for name, words in (("loss", "training"), ("validation_loss", "validation")):
        losses.plot(*_by_step(history, name), marker="o", markersize=3, label=words)
    losses.set(title="Loss", xlabel="step")
    losses.legend()
    f1s.plot(*_by_step(history, "validation_macro_f1"), marker="o", color=COLOURS["positive"])
    f1s.set(title="Macro-F1 on validation", xlabel="step")
    _save(figure, path)


def confusion_matrix(counts: np.ndarray, path: Path) -> None:
    """Row counts (classes meant, classes said), shaded by the share of the class that was meant."""
    figure, (axes,) = _figure(4.6, 4, 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, f"{counts[row, column]}\n{shares[row, column]:.0%}", ha="center", va="center", color=colour)
    axes.set(xticks=range(len(LABELS)), yticks=range(len(LABELS)), xticklabels=LABELS, yticklabels=LABELS, xlabel="said", ylabel="meant")
    axes.set_title(f"{int(counts.sum())} rows")
    _save(figure, path)


def reliability_diagram(bins: list[dict], path: Path) -> None:
    """Accuracy against confidence, from `metrics.reliability`, with the rows of each bin."""
    figure, (axes,) = _figure(4.8, 4.2, 1)
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfect")
    axes.plot([one["confidence"] for one in bins], [one["accuracy"] for one in bins], marker="o", color=COLOURS["positive"], label="model")
    rows = sum(one["rows"] for one in bins)
    axes.bar(
        [one["from"] for one in bins],
        [one["rows"] / rows for one in bins],
        width=[one["to"] - one["from"] for one in bins],
        align="edge",
        alpha=0.2,
        label="rows",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", title="Reliability")
    axes.legend(loc="upper left")
    _save(figure, path)


def top_words(words: dict[str, list[tuple[str, float]]], path: Path, *, title: str) -> None:
    """Bars of ``{label: [(word, weight), …]}``, the heaviest on top."""
    figure, places = _figure(11, 4.6, len(LABELS))
    for axes, label in zip(places, LABELS, strict=True):
        pairs = list(reversed(words.get(label, [])))
        axes.barh(range(len(pairs)), [weight for _, weight in pairs], color=COLOURS[label])
        axes.set(yticks=range(len(pairs)), title=label)
        axes.set_yticklabels([_drawable(word) for word, _ in pairs], parse_math=False)
    figure.suptitle(title)
    _save(figure, path)


def word_clouds(words: dict[str, list[tuple[str, float]]], path: Path, *, seed: int) -> None:
    """A cloud a label; larger is heavier. Words without a glyph in the font (emoji) are left to `top_words`' table."""
    from wordcloud import WordCloud

    figure, places = _figure(12, 3.6, len(LABELS))
    for axes, label in zip(places, LABELS, strict=True):
        weights = {word: weight for word, weight in words.get(label, []) if weight > 0 and _drawable(word) == word}
        axes.set_axis_off()
        axes.set_title(label, color=COLOURS[label])
        if weights:
            cloud = WordCloud(
                width=520, height=320, background_color="white", color_func=lambda *_, label=label, **__: COLOURS[label], random_state=seed
            )
            axes.imshow(cloud.generate_from_frequencies(weights).to_array())
    _save(figure, path)


def _by_step(history: Iterable[dict], name: str) -> tuple[list, list]:
    points = [(record["step"], record[name]) for record in history if name in record]
    return [step for step, _ in points], [value for _, value in points]


def _drawable(word: str) -> str:
    """``word`` with characters that the pictures' font lacks written as code points."""
    return "".join(mark if ord(mark) < 0x2600 else f"U+{ord(mark):X}" for mark in word)


def _figure(width: float, height: float, columns: int):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _save(figure, path: Path) -> None:
    import logging
    import warnings

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the font lacks is drawn as a box
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})
