"""A client of the serving endpoint: any number of texts in, typed predictions out, in order.

Splits what it is given into requests that keep the endpoint's limits, a few of them under way at once, and asks again where that may
help: no connection, 5xx, and 429 when the endpoint says to come back. Everything that goes wrong for good is a `ServingError`. Reads and
writes no file.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from groundswell.errors import ServingError, SourceError
from groundswell.http import Http
from groundswell.schema import LABELS

MOST_TEXTS = 128
"""Texts in a request; this, and what a text may have, are `serving.messages`' limits, held equal by a test."""
MOST_CHARACTERS = 2_000
_MOST_BYTES = 200_000  # of a request's texts as JSON: a body may have 256 KiB

_CONCURRENT = 4
_LONGEST_WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of a text: the likeliest label, a calibrated probability a label, and the version that said so.

    ``id`` is what a correction refers to (`Client.feedback`).
    """

    label: str
    negative: float
    neutral: float
    positive: float
    version: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, characters ``start`` up to ``end`` of the explained text, and what it adds to the label's log-odds."""

    word: str
    start: int
    end: int
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which words of ``text``, as the model reads it, ``label`` hangs on. Contributions do not add up to the answer."""

    text: str
    label: str
    words: list[Word]
    version: str


class Client:
    """The endpoint at ``url``, as whoever holds ``key``. May be shared by threads; close it, or use it in a ``with``.

    ``attempts`` is how often a request is made before its failure is believed. ``transport`` is the seam of the tests.
    """

    def __init__(self, url: str, key: str = "", *, attempts: int = 8, timeout_seconds: float = 60, transport=None):
        self.url = url.rstrip("/")
        self._closed = threading.Event()
        self._http = Http(
            attempts=attempts,
            longest_wait_seconds=_LONGEST_WAIT_SECONDS,
            timeout_seconds=timeout_seconds,
            key=key,
            transport=transport,
            sleep=self._closed.wait,  # a client that is closed does not go on waiting
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()
        self._http.close()

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """A prediction a text, in their order."""
        return list(self.stream(texts))

    def stream(self, texts: Iterable[str]) -> Iterator[Prediction]:
        """A prediction a text, in their order, as they come; ``texts`` is read only a few requests ahead, so it may be endless."""
        if isinstance(texts, str):
            raise TypeError("expected several texts, found one string: put it in a list")
        pool, under_way = ThreadPoolExecutor(_CONCURRENT, thread_name_prefix="predict"), deque[Future]()
        try:
            for batch in _batches(texts):
                under_way.append(pool.submit(self._ask, batch))
                if len(under_way) > _CONCURRENT:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """What each word of ``text`` adds to ``label``; None: to the one that the model gives it. Costs as many predictions as it has words."""
        said = self._post("explain", {"text": _mended(text)} | ({"label": label} if label else {}))
        with self._shaped():
            words = [Word(str(each["word"]), int(each["start"]), int(each["end"]), float(each["contribution"])) for each in said["words"]]
            return Explanation(str(said["text"]), str(said["label"]), words, str(said["version"]))

    def feedback(self, prediction: Prediction | str, label: str, text: str | None = None) -> None:
        """Say which ``label`` a prediction, or the one with this id, should have had. ``text`` is kept only if sent; twice is once."""
        id = prediction if isinstance(prediction, str) else prediction.id
        self._post("feedback", {"id": id, "label": label} | ({} if text is None else {"text": _mended(text)}))

    def model(self) -> dict:
        """What the endpoint says of the model that answers: version, run, base, data set …"""
        return self._said(lambda: self._http.get(f"{self.url}/v1/model", {}))

    def _ask(self, texts: list[str]) -> list[Prediction]:
        body = self._post("predict", {"texts": texts})
        with self._shaped():
            answers = [_prediction(each, str(body["version"])) for each in body["predictions"]]
        if len(answers) != len(texts):
            raise ServingError(f"{self.url}: expected {len(texts)} predictions, found {len(answers)}: is this serving, of this version?")
        return answers

    @contextmanager
    def _shaped(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError, ValueError) as error:
            raise ServingError(
                f"{self.url}: expected serving's answer, found JSON of another shape ({type(error).__name__}): is this serving?"
            ) from None

    def _post(self, what: str, body: dict) -> dict:
        return self._said(lambda: self._http.post(f"{self.url}/v1/{what}", body))

    def _said(self, call) -> dict:
        try:
            return call()
        except SourceError as error:
            raise ServingError(str(error)) from error
        except RuntimeError:  # httpx2's word for a client that was closed
            if not self._closed.is_set():
                raise
            raise ServingError(f"{self.url}: this client is closed: make another") from None


def _prediction(answer: dict, version: str) -> Prediction:
    probabilities = {label: float(answer["probabilities"][label]) for label in LABELS}
    return Prediction(str(answer["label"]), **probabilities, version=version, id=str(answer.get("id", "")))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """``texts`` in lists of at most `MOST_TEXTS` and `_MOST_BYTES`."""
    batch, size = [], 0
    for text in map(_mended, texts):
        length = len(json.dumps(text, ensure_ascii=False).encode()) + 1
        if batch and (len(batch) == MOST_TEXTS or size + length > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _mended(text: str) -> str:
    """``text`` with lone surrogates as U+FFFD, as serving reads them: they can't be sent as UTF-8."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
