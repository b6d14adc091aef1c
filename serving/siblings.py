"""What the worker processes of one server tell each other: their numbers for /metrics, and that something moved in the registry.

Each listens on a Unix socket in a folder that the supervisor made for them alone, and answers one word with some bytes. A sibling that
does not answer in time (it died, it hangs, it starts) is left out; nobody waits for it longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

ANSWER_SECONDS = 2
_LONGEST_WORD = 64


class Siblings:
    """Worker ``number`` of ``count``, and its way to the others. Used from one event loop only."""

    def __init__(self, folder: Path, number: int, count: int):
        self.number, self.count = number, count
        self._folder = Path(folder)
        self._server: asyncio.Server | None = None

    async def listen(self, answers: dict[str, Callable[[], bytes]]) -> None:
        """Answer the others from now on: word → what gives the answer's bytes."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, ValueError, TimeoutError), contextlib.closing(writer):
                word = (await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)).decode("ascii").strip()
                writer.write(answers[word]() if word in answers else b"")
                await asyncio.wait_for(writer.drain(), ANSWER_SECONDS)

        self._place(self.number).unlink(missing_ok=True)  # of the worker that died before this one
        self._server = await asyncio.start_unix_server(answer, self._place(self.number), limit=_LONGEST_WORD)

    async def ask(self, word: str) -> dict[int, bytes]:
        """Worker → its answer to ``word``, of those that answered in time."""
        others = [number for number in range(self.count) if number != self.number]
        answers = await asyncio.gather(*(self._asked(number, word) for number in others))
        return {number: answer for number, answer in zip(others, answers, strict=True) if answer is not None}

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._place(self.number).unlink(missing_ok=True)

    async def _asked(self, number: int, word: str) -> bytes | None:
        try:
            return await asyncio.wait_for(self._exchange(number, word), ANSWER_SECONDS)
        except (OSError, TimeoutError):
            return None

    async def _exchange(self, number: int, word: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._place(number))
        with contextlib.closing(writer):
            writer.write(word.encode("ascii") + b"\n")
            return await reader.read(-1)

    def _place(self, number: int) -> Path:
        return self._folder / f"{number}.sock"
