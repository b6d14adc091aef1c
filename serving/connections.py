"""What a connection may do before there is a request: uvicorn's HTTP protocol with a bound on time, on header bytes, and on how many are open.

uvicorn 0.54 waits for ever for the first byte of a new connection and for the end of a request, takes headers of any size, and counts idle
connections against nobody. Here a connection has so many seconds for its first request's headers, for each later one's from its first byte, and as
long again for a body; one that is late, or whose headers are too large, is told so and closed, and one that does not read its answers is cut
off. With ``GROUNDSWELL_SERVING_MAX_CONNECTIONS`` open, a new one takes the place of the one that has been waiting longest without a request. What is
no HTTP at all gets a problem, as everything else that is refused.
"""

from __future__ import annotations

import resource
from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from serving.config import ServingSettings
from serving.problems import problem

MOST_HEADER_BYTES = 32 * 1024
_OTHER_FILES = 256


def options(settings: ServingSettings) -> dict:
    """The arguments of `uvicorn.Config` that bound what a connection may do."""
    _allow_files(settings.serving_max_connections + _OTHER_FILES)
    bounds = {"seconds": settings.serving_read_seconds, "most": settings.serving_max_connections, "waiting": {}}
    return {"http": type("Bounded", (BoundedProtocol,), bounds), "ws": "none"}


def _allow_files(count: int) -> None:
    """A connection is an open file, of which a process has 1,024 by default, and may often have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class BoundedProtocol(HttpToolsProtocol):
    """One connection; `options` gives the bounds."""

    seconds: float
    most: int
    waiting: dict[BoundedProtocol, None]
    """The process's connections without a request under way, the longest waiting first."""

    _running: RequestResponseCycle | None = None
    _late: TimerHandle | None = None
    _stuck: TimerHandle | None = None
    _is_in_headers = True
    _header_bytes = 0

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self._wait()
        self._expect_more()
        if len(self.connections) > self.most:
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            longest.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self._refuse(431, "The headers are too large", f"expected at most {MOST_HEADER_BYTES} bytes of headers")
        if self in self.waiting or self._is_in_body:  # whatever came, empty lines too: uvicorn has stopped its own clock
            self._expect_more()

    def eof_received(self) -> None:
        """The client said goodbye, and the transport closes: what it still waits for must not be written into a closed one."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def on_message_begin(self) -> None:
        self._is_in_headers, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._go_on()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._came()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if not self.pipeline:
            self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read its answers: it may for as long as it may take to send a request."""
        self._stuck = self._stuck or self.loop.call_later(self.seconds, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's word on what is no HTTP, in our shape."""
        self._refuse(400, "The request can't be read", "expected a request as HTTP/1.1 has it")

    def _wait(self) -> None:
        self.waiting[self] = None

    @property
    def _is_in_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete

    def _expect_more(self) -> None:
        """Headers, or a body, have begun, or may: from here on there is a limit. What is there in one piece never gets this far."""
        self._late = self._late or self.loop.call_later(self.seconds, self._too_late)

    def _came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _go_on(self) -> None:
        self.waiting.pop(self, None)
        self._came()

    def _too_late(self) -> None:
        self._late = None
        if self._is_in_body:
            self._refuse(408, "The request is too slow", f"expected the whole body within {self.seconds:g} seconds: send it without pauses")
        elif self._header_bytes:
            self._refuse(408, "The request is too slow", f"expected a request's headers within {self.seconds:g} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, title: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        running = self._running
        if running is not None and not running.response_complete:
            if running is not self.cycle or not running.more_body or running.response_started:
                running.keep_alive = False  # its answer goes out whole; what is refused came after it, and uvicorn closes when it is done
                self.flow.pause_reading()
                return
            running.disconnected = True  # its own body is broken: nothing may be written for it any more
            running.message_event.set()
        answer = problem(f"http-{status}", status, title, detail, headers={"Connection": "close"})
        headers = [b"%b: %b\r\n" % header for header in answer.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *headers, b"\r\n", answer.body]))
        self.transport.close()
