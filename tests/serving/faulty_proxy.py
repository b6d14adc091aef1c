"""A TCP proxy that goes wrong on demand: slow, cut off, reset, silent. What stands between serving and its registry in tests of faults."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time


class FaultyProxy:
    """Listens on ``port`` of loopback and hands everything on to ``upstream``'s port, but for its ``fault``.

    ``fault``: None; ``"latency"`` (`seconds` before each piece of an answer); ``"reset"`` (RST in place of an answer); ``"truncate"`` (an
    answer ends after ``bytes`` of it); ``"hang"`` (no answer, ever). It may be changed at any time; connections that are open heed it.
    """

    def __init__(self, upstream: int):
        self.fault: str | None = None
        self.seconds, self.bytes = 1.0, 300
        self.connections = 0
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._is_over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._is_over.set()
        self._listening.close()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if is_answer:
                    piece = self._spoilt(piece, passed, sink)
                    passed += len(piece)
                sink.sendall(piece)
                if is_answer and self.fault == "truncate":
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _spoilt(self, piece: bytes, passed: int, sink: socket.socket) -> bytes:
        if self.fault == "latency":
            time.sleep(self.seconds)
        elif self.fault == "hang":
            while self.fault == "hang" and not self._is_over.is_set():
                time.sleep(0.05)
            raise ConnectionError
        elif self.fault == "reset":
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sink.close()
            raise ConnectionError
        elif self.fault == "truncate":
            return piece[: max(0, self.bytes - passed)]
        return piece
