"""Forget texts: what serving has kept of them, in the corrections and in every cache.

Reads a JSON list of texts from standard input, never from the command line, which others can see. Removes the corrections that were made of them,
whether the text was kept or only its keyed hash, from the file itself; changes `cache.EPOCH_FILE`, which every worker looks at once a second, so that
whatever was remembered, in memory or in a Redis, is not found again (it is probabilities under keyed hashes, and goes by age). Prints counts.

``groundswell erase`` calls it where serving's folder is beside; a replica with a folder of its own is told by hand:
``python -m serving.forget < texts.json``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
from collections.abc import Sequence

from groundswell.errors import GroundswellError, UsageError
from groundswell.files import replacing
from serving.cache import EPOCH_FILE
from serving.config import ServingSettings, load_serving_settings
from serving.feedback import FILE, Feedback, FeedbackUnavailable
from serving.prediction_ids import PredictionIds
from serving.secret import present_and_previous

_AT_ONCE = 500


def forget(texts: Sequence[str], settings: ServingSettings) -> dict:
    """Corrections removed, and whether caches were told; nothing is made where serving never kept anything."""
    if not settings.folder.is_dir():
        return {"corrections": 0, "caches": "none"}
    removed = asyncio.run(_corrections(texts, settings)) if (settings.folder / FILE).exists() else 0
    with replacing(settings.folder / EPOCH_FILE) as beside:
        beside.write_text(secrets.token_hex(8), encoding="ascii")
    return {"corrections": removed, "caches": "forgotten"}


async def _corrections(texts: Sequence[str], settings: ServingSettings) -> int:
    ids = PredictionIds(settings.topic, *present_and_previous(settings))
    hashes = [each for text in texts for each in ids.hashes(text)]
    feedback, removed = Feedback(settings.folder), 0
    try:
        for start in range(0, len(hashes), _AT_ONCE):
            removed += await feedback.forget(hashes[start : start + _AT_ONCE])
    finally:
        feedback.close()
    return removed


def _texts() -> list[str]:
    try:
        texts = json.load(sys.stdin)
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError("expected a JSON list of texts on standard input")
    return texts


def main() -> None:
    """The command line."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        print(json.dumps(forget(_texts(), load_serving_settings()), sort_keys=True))
    except GroundswellError as error:
        print(f"serving.forget: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except FeedbackUnavailable:
        print(f"serving.forget: {FILE} can't be written: nothing was forgotten; run it again", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
