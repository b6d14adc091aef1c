"""Keeps the champion in memory: looks the alias up, loads what is new, swaps in one assignment, and never lets go of a good model.

Reads the registry and the local copies; writes the copies. A version that is refused is remembered and left alone until the alias
moves or its time is up, doubled each time; a registry that does not answer changes nothing. Every change of state is logged once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from groundswell.errors import GroundswellError, ModelError, RegistryError
from serving.copies import Copies
from serving.loading import LoadedModel
from serving.metrics import Metrics
from serving.registry import ALIAS, Version

_LONGEST_RETRY_SECONDS = 3600

logger = logging.getLogger(__name__)


class Registry(Protocol):
    """What the keeper needs of a registry: `serving.registry.MlflowRegistry` has it."""

    def champion(self) -> Version | None: ...

    def download(self, version: Version, folder: Path) -> Path: ...


class Keeper:
    """The champion that answers (`current`), and a thread that keeps it the registry's.

    ``load(folder, version)`` gives a `LoadedModel` or raises `ModelError`. ``clock`` counts seconds and never goes back.
    """

    def __init__(
        self,
        registry: Registry,
        copies: Copies,
        load: Callable[[Path, Version], LoadedModel],
        metrics: Metrics,
        *,
        poll_seconds: float,
        retry_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.current: LoadedModel | None = None
        """Read by every request, once: what it read, it finishes on."""
        self.trouble: str | None = "not asked the registry yet"
        """Why there is no champion, or no newer one; None when all is well."""
        self._registry, self._copies, self._load, self._metrics = registry, copies, load, metrics
        self._poll_seconds, self._retry_seconds, self._clock = poll_seconds, retry_seconds, clock
        self._refused: tuple[Version, float, float] | None = None  # which, when to try again, and after how long then
        self._wakeup = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin with the local copy that was served last, then follow the registry in a thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the registry now: something may have changed."""
        self._wakeup.set()

    def stop(self, timeout_seconds: float = 5) -> None:
        """Stop following. A download under way is left to die with the process: it has written nothing under a final name."""
        self._is_stopping = True
        self._wakeup.set()
        self._thread.join(timeout_seconds)

    def resume(self) -> None:
        """Serve the local copy that was served last, if there is one and it is whole."""
        self._copies.sweep()
        version = self._copies.served()
        if version is None:
            return
        try:
            self._serve(self._load(self._copies.export(version), version))
        except ModelError as error:
            self._say(logging.ERROR, f"the local copy of version {version.version} can't be used: {error}")
            self._copies.drop(version)

    def check(self) -> None:
        """Ask the registry once, and load its champion when that is not what answers already."""
        try:
            champion = self._registry.champion()
        except RegistryError as error:
            self._metrics.registry_up.set(0)
            self._say(logging.WARNING, str(error))
            return
        self._metrics.registry_up.set(1)
        if champion is None:
            self._say(logging.WARNING, f"the registry has no version with the alias {ALIAS}: promote one")
        elif self.current is not None and self.current.version == champion:
            self._settle(champion)
        elif self._may_try(champion):
            self._take(champion)

    def _take(self, champion: Version) -> None:
        try:
            model = self._load(self._copies.fetch(champion, self._registry.download), champion)
        except RegistryError as error:
            self._say(logging.WARNING, str(error))
        except ModelError as error:
            self._refuse(champion, error)
        else:
            self._serve(model)
            self._settle(champion)

    def _settle(self, champion: Version) -> None:
        """The champion answers: all is well, and what was refused before it may be tried again should the alias come back to it."""
        self._refused = None
        self._say(logging.INFO, None)
        self._copies.remember(champion)

    def _serve(self, model: LoadedModel) -> None:
        before, self.current = self.current, model
        self._metrics.now_serving(model.version.version, model.version.run_id, model.loaded_at.timestamp())
        logger.info("serving version %s (before: %s)", model.version.version, before.version.version if before else "none")

    def _refuse(self, version: Version, error: ModelError) -> None:
        wait = self._refused[2] if self._refused and self._refused[0] == version else self._retry_seconds
        self._refused = (version, self._clock() + wait, min(2 * wait, _LONGEST_RETRY_SECONDS))
        self._copies.drop(version)  # a copy that was damaged on the way must not be what the next try loads
        self._metrics.refused_models.labels(version.version).inc()
        still = f"version {self.current.version.version} goes on answering" if self.current else "nothing answers"
        self._say(logging.ERROR, f"version {version.version} is refused: {error}; {still}")

    def _may_try(self, version: Version) -> bool:
        return self._refused is None or self._refused[0] != version or self._clock() >= self._refused[1]

    def _say(self, level: int, trouble: str | None) -> None:
        """Note the state; log it only when it is another than before."""
        if trouble is not None:
            trouble = trouble.replace(str(self._copies.folder), "copies")  # clients see it too; where the files lie is not theirs to know
            if trouble != self.trouble:
                logger.log(level, trouble)
        self.trouble = trouble

    def _run(self) -> None:
        self._guarded(self.resume)
        while not self._is_stopping:
            self._wakeup.clear()
            self._guarded(self.check)
            self._wakeup.wait(self._poll_seconds)

    def _guarded(self, step: Callable[[], None]) -> None:
        """A thread that dies of one surprise would leave the process serving an old model for ever, looking healthy."""
        try:
            step()
        except GroundswellError as error:
            self._say(logging.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - see above; the next poll tries again
            if self.trouble != (surprise := f"{type(error).__name__} while looking after the champion"):
                logger.exception(surprise)
            self.trouble = surprise
