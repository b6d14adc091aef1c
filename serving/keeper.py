"""Keeps the models in memory that the registry's aliases point to: the champion that answers, and those that are asked beside it.

Reads the registry and the local copies; writes the copies and the ledger. A swap is one assignment, and nobody lets go of a good model:
a version that is refused is remembered and left alone until the alias moves or its time is up, doubled each time; a registry that does
not answer changes nothing. The champion before the present one stays in memory, so the way back is immediate. Every change of
state is logged once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from groundswell.errors import GroundswellError, ModelError, RegistryError
from serving.copies import Copies
from serving.ledger import Ledger
from serving.loading import LoadedModel, Refused
from serving.metrics import Metrics
from serving.registry import ALIAS, Version

_LONGEST_RETRY_SECONDS = 3600

logger = logging.getLogger(__name__)


class Registry(Protocol):
    """What the keeper needs of a registry: `serving.registry.MlflowRegistry` has it."""

    def aliases(self) -> Mapping[str, Version]: ...

    def download(self, version: Version, folder: Path) -> Path: ...


@dataclass(frozen=True)
class _Refusal:
    """Why a version is not here, when to try it again, and how long to wait after that."""

    reason: str
    again_at: float
    then_wait: float


class Keeper:
    """The champion that answers (`current`), the models of other aliases (`beside`), and a thread that keeps them the registry's.

    ``load(folder, version, present)`` gives a `LoadedModel` or raises `ModelError`; ``present`` is the champion it is measured against, or
    None. ``others`` are the aliases besides champion that are followed. ``clock`` counts seconds and never goes back.
    """

    def __init__(
        self,
        registry: Registry,
        copies: Copies,
        load: Callable[[Path, Version, LoadedModel | None], LoadedModel],
        metrics: Metrics,
        ledger: Ledger,
        *,
        poll_seconds: float,
        retry_seconds: float,
        others: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self.current: LoadedModel | None = None
        """Read by every request, once: what it read, it finishes on."""
        self.beside: dict[str, LoadedModel] = {}
        """Alias → its model, where that is not the champion; replaced as a whole."""
        self.moved: Callable[[Mapping[str, Version]], None] = lambda aliases: None
        """Called, in the keeper's thread, with the aliases after each look at the registry that was answered."""
        self._previous: LoadedModel | None = None
        self._registry, self._copies, self._load, self._metrics, self._ledger = registry, copies, load, metrics, ledger
        self._poll_seconds, self._retry_seconds, self._others, self._clock = poll_seconds, retry_seconds, others, clock
        self._refused: dict[Version, _Refusal] = {}
        self._troubles: dict[str, str] = {ALIAS: "not asked the registry yet"}
        self._wakeup, self._settled = threading.Event(), threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    @property
    def trouble(self) -> str | None:
        """Why there is no champion, or no newer one, or what is wrong with another alias's version; None when all is well."""
        troubles = dict(self._troubles)
        first = [troubles.pop(ALIAS)] if ALIAS in troubles else []
        return "; ".join(first + [f"{alias}: {text}" for alias, text in sorted(troubles.items())]) or None

    def refusal(self, version: Version) -> str | None:
        """Why ``version`` is not in memory although an alias points to it; None when it is, or was not tried yet."""
        refusal = self._refused.get(version)
        return refusal and refusal.reason

    def start(self) -> None:
        """Begin with the local copy that was served last, then follow the registry in a thread."""
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until a model answers, or the registry was asked once; ``seconds`` at most."""
        self._settled.wait(seconds)

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
            self._serve(self._load(self._copies.export(version), version, None))
        except ModelError as error:
            self._say(ALIAS, logging.ERROR, f"the local copy of version {version.version} can't be used: {error}")
            self._copies.drop(version)

    def check(self) -> None:
        """Ask the registry once, and load what its aliases point to when that is not here already."""
        try:
            aliases = self._registry.aliases()
        except RegistryError as error:
            self._metrics.registry_up.set(0)
            self._say(ALIAS, logging.WARNING, str(error))
            return
        self._metrics.registry_up.set(1)
        self._refused = {version: refusal for version, refusal in self._refused.items() if version in aliases.values()}
        self._follow_champion(aliases.get(ALIAS))
        self.beside = self._followed(aliases)
        self._remember()
        self.moved(aliases)

    def _follow_champion(self, champion: Version | None) -> None:
        if champion is None:
            self._say(ALIAS, logging.WARNING, f"the registry has no version with the alias {ALIAS}: promote one")
        elif (model := self._obtain(ALIAS, champion)) is not None:
            self._say(ALIAS, logging.INFO, None)  # first: who sees the new version must not see why it was late beside it
            if model is not self.current:
                self._serve(model)

    def _followed(self, aliases: Mapping[str, Version]) -> dict[str, LoadedModel]:
        found = {}
        for alias in self._others:
            version = aliases.get(alias)
            if version is None or version == aliases.get(ALIAS):
                self._say(alias, logging.INFO, None)
            elif (model := self._obtain(alias, version)) is not None:
                self._say(alias, logging.INFO, None)
                found[alias] = model
        return found

    def _obtain(self, alias: str, version: Version) -> LoadedModel | None:
        """The model of ``version``: from memory, else loaded now, else None and the reason noted."""
        for model in (self.current, self._previous, *self.beside.values()):
            if model is not None and model.version == version:
                return model
        refusal = self._refused.get(version)
        if refusal is not None and self._clock() < refusal.again_at:
            self._say(alias, logging.ERROR, self._told(alias, refusal.reason))
            return None
        try:
            return self._load(self._copies.fetch(version, self._registry.download), version, self.current)
        except RegistryError as error:
            self._say(alias, logging.WARNING, str(error))
        except ModelError as error:
            self._refuse(alias, version, error)
        return None

    def _serve(self, model: LoadedModel) -> None:
        before, self.current = self.current, model
        self._previous = before
        self._metrics.now_serving(model.version.version, model.version.run_id, model.loaded_at.timestamp())
        known = before.version.version if before else None
        self._ledger.write("serving", version=model.version.version, run_id=model.version.run_id, digest=model.digest, before=known)
        logger.info("serving version %s (before: %s)", model.version.version, known or "none")

    def _refuse(self, alias: str, version: Version, error: ModelError) -> None:
        known = self._refused.get(version)
        wait = known.then_wait if known else self._retry_seconds
        kind = error.kind if isinstance(error, Refused) else "copy"
        reason = self._shown(f"version {version.version} is refused: {error}")
        self._refused[version] = _Refusal(reason, self._clock() + wait, min(2 * wait, _LONGEST_RETRY_SECONDS))
        self._copies.drop(version)  # a copy that was damaged on the way must not be what the next try loads
        self._metrics.refused_models.labels(version.version, kind).inc()
        self._ledger.write("refused", alias=alias, version=version.version, kind=kind, reason=self._shown(str(error)))
        self._say(alias, logging.ERROR, self._told(alias, reason))

    def _told(self, alias: str, reason: str) -> str:
        """A refused champion leaves the question who answers then."""
        if alias != ALIAS:
            return reason
        return f"{reason}; version {self.current.version.version} goes on answering" if self.current else f"{reason}; nothing answers"

    def _remember(self) -> None:
        """What is in memory has its copy on disk, for a restart without the registry."""
        if self.current is not None:
            held = [self.current, self._previous, *self.beside.values()]
            self._copies.remember(self.current.version, also=[model.version for model in held if model is not None])

    def _say(self, alias: str, level: int, trouble: str | None) -> None:
        """Note the state of ``alias``; log it only when it is another than before."""
        if trouble is None:
            self._troubles.pop(alias, None)
            return
        trouble = self._shown(trouble)
        if self._troubles.get(alias) != trouble:
            logger.log(level, "%s%s", "" if alias == ALIAS else f"{alias}: ", trouble)
        self._troubles = {**self._troubles, alias: trouble}

    def _shown(self, text: str) -> str:
        """Clients see it too; where the files lie is not theirs to know."""
        return text.replace(str(self._copies.folder), "copies")

    def _run(self) -> None:
        self._guarded(self.resume)
        if self.current is not None:
            self._settled.set()
        while not self._is_stopping:
            self._wakeup.clear()
            self._guarded(self.check)
            self._settled.set()
            self._wakeup.wait(self._poll_seconds)

    def _guarded(self, step: Callable[[], None]) -> None:
        """A thread that dies of one surprise would leave the process serving an old model for ever, looking healthy."""
        try:
            step()
        except GroundswellError as error:
            self._say(ALIAS, logging.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - see above; the next poll tries again
            surprise = f"{type(error).__name__} while looking after the models"
            if self._troubles.get(ALIAS) != surprise:
                logger.exception(surprise)
            self._troubles = {**self._troubles, ALIAS: surprise}
