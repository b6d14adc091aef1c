"""What every protocol asks: texts in, probabilities and the version that gave them out. Routes only translate to and from it.

Holds the keeper of the champion, the pool that computes, the metrics. Refuses as they do: `NoChampion` while there is none, `Busy` when
too much is waiting, `Late` when it waited too long, `PredictionFailed` when the model raised, `Unauthenticated` and `RateLimited` as
`serving.keys` does.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from groundswell.text import normalise
from serving.cache import Cache, make_cache
from serving.canary import CANARY_ARM, CHAMPION_ARM, Rollout, client_id
from serving.config import ServingSettings
from serving.copies import Copies
from serving.explain import Span, spans, variants
from serving.feedback import Feedback
from serving.keeper import Keeper, Registry
from serving.keys import Keys
from serving.ledger import Ledger
from serving.loading import LoadedModel, Pace, load_model
from serving.messages import LABELS, ModelResponse
from serving.metrics import Metrics, merged_page
from serving.pool import Busy, Late, Pool, PredictionFailed
from serving.prediction_ids import PredictionIds
from serving.problems import NoChampion, NotReady
from serving.registry import ALIAS, CANARY, CHALLENGER, Version
from serving.secret import Secret, present_and_previous
from serving.shadow import Job, Shadow
from serving.siblings import Siblings

FIRST_MODEL_SECONDS = 20
"""How long a start waits for the first look at the registry where no local copy answers: a server that nobody can reach tells nobody why."""
SETTLE_SECONDS = 1
PROBE_SECONDS = 10
PROBE_TEXTS = ("Is anybody there? I hope so.",)


@dataclass(frozen=True)
class Answered:
    """Probabilities, float32 (n, labels), one row a text in their order, all of them given by ``model``."""

    model: LoadedModel
    probabilities: np.ndarray

    @cached_property
    def places(self) -> list[int]:
        """Of each row, the likeliest label's place in `LABELS`."""
        return self.probabilities.argmax(axis=1).tolist()

    @property
    def labels(self) -> list[str]:
        """The likeliest label of each row."""
        return [LABELS[place] for place in self.places]

    def predictions(self) -> list[dict]:
        """`Prediction` as dicts: float32 numbers as they are, not rounded, so that they can be compared with offline ones."""
        rows = self.probabilities.tolist()
        return [{"label": label, "probabilities": dict(zip(LABELS, row, strict=True))} for label, row in zip(self.labels, rows, strict=True)]


class Service:
    """One topic's answers. `start` and `stop` belong to the application's lifespan; everything else is called on its event loop."""

    def __init__(self, settings: ServingSettings, registry: Registry, siblings: Siblings | None = None):
        self.settings = settings
        self.siblings = siblings
        self.metrics = Metrics()
        self.keys = Keys(settings.keys_file)
        worker = siblings.number if siblings else 0
        ledger = Ledger(settings.folder, worker=worker)
        self.rollout = Rollout(
            settings.folder,
            ledger,
            points=settings.serving_canary_points,
            step_seconds=settings.serving_canary_step_seconds,
            slower=settings.serving_canary_slower,
            disagreement=settings.serving_canary_disagreement,
        )
        self.shadow = Shadow(
            is_idle=lambda: self.pool.waiting_texts == 0,
            make_id=lambda model, text, row: self.ids.make(model, [text], row[None])[0],
            metrics=self.metrics,
            ledger=Ledger(settings.folder, "shadow", worker=worker),
        )
        self.keeper = Keeper(
            registry,
            Copies(settings.folder),
            self._load,
            self.metrics,
            ledger,
            poll_seconds=settings.serving_poll_seconds,
            retry_seconds=settings.serving_retry_seconds,
            others=(*((CHALLENGER,) if settings.serving_shadow_share else ()), CANARY),
        )
        self.pool = Pool(
            threads=settings.threads,
            max_waiting_tokens=settings.serving_max_waiting_tokens,
            deadline_seconds=settings.serving_deadline_seconds,
            observe=self.metrics.batch,
        )
        self.metrics.waiting_texts.set_function(lambda: self.pool.waiting_texts)
        self.keeper.moved = self._follow

    def _load(self, folder: Path, version: Version, present: LoadedModel | None) -> LoadedModel:
        settings = self.settings
        pace = Pace(present, settings.serving_slowest_ratio, settings.serving_slowest_seconds)
        return load_model(folder, version, name=settings.model_name, topic=settings.topic, pace=pace, alone_threads=settings.threads)

    async def start(self) -> None:
        """Returns when there is a model to answer with, or it is known that there is none: only then may anybody connect."""
        self.keys.start()
        if self.siblings is not None:
            await self.siblings.listen({"metrics": lambda: json.dumps(self.metrics.families()).encode(), "wake": self._woken})
        self.keeper.start()
        await asyncio.to_thread(self.keeper.wait, FIRST_MODEL_SECONDS)
        self.shadow.start()
        self._settling = asyncio.create_task(self._settle())

    @cached_property
    def secrets(self) -> tuple[Secret, Secret | None]:
        """What ids and cache keys are made with; read, or made, when it is first needed."""
        return present_and_previous(self.settings)

    @cached_property
    def ids(self) -> PredictionIds:
        return PredictionIds(self.settings.topic, *self.secrets)

    @cached_property
    def cache(self) -> Cache | None:
        return make_cache(self.settings, self.secrets[0], self.metrics)

    @cached_property
    def feedback(self) -> Feedback:
        return Feedback(self.settings.folder)

    async def stop(self) -> None:
        if self.siblings is not None:
            await self.siblings.stop()
        self._settling.cancel()
        await asyncio.to_thread(self.shadow.stop)
        await asyncio.to_thread(self.keeper.stop)
        await asyncio.to_thread(self.rollout.settle)
        await asyncio.to_thread(self.pool.close)
        await asyncio.to_thread(self.feedback.close)
        if self.cache is not None:
            await self.cache.close()

    @property
    def champion(self) -> LoadedModel:
        """The model that answers now; `NoChampion` with the reason when there is none."""
        model = self.keeper.current
        if model is None:
            raise NoChampion(self.keeper.trouble or "it is being loaded")
        return model

    def refuse_if_full(self) -> None:
        """`Busy` when no text at all would be admitted: what is refused anyway need not be read first."""
        if self.pool.is_full:
            self.metrics.busy.inc()
            raise Busy

    async def predict(self, texts: Sequence[str], by: LoadedModel | None = None) -> Answered:
        """The answers to ``texts``, all from one version; texts are normalised by the predictor. Charged to the client that asks.

        ``by``: the model that must give them, whatever rollout there is.
        """
        model = self.champion
        self.keys.client().charge(len(texts))
        started = time.perf_counter()
        try:
            answered = Answered(by, await self._probabilities(by, texts)) if by else await self._answered(model, texts)
        except Busy:
            self.metrics.busy.inc()
            raise
        self.metrics.predict_seconds.observe(time.perf_counter() - started)
        for place, count in Counter(answered.places).items():
            self.metrics.texts[place].inc(count)
        return answered

    async def _answered(self, champion: LoadedModel, texts: Sequence[str]) -> Answered:
        """By the champion, or by the canary for the clients in its share; a sample is put to the challenger too, later."""
        beside = self.keeper.beside
        if (canary := beside.get(CANARY)) is not None:
            answered = await self._in_rollout(champion, canary, texts)
        else:
            answered = Answered(champion, await self._probabilities(champion, texts))
        challenger = beside.get(CHALLENGER)
        if challenger is not None and random.random() < self.settings.serving_shadow_share:
            self.shadow.offer(Job(CHALLENGER, answered.model, challenger, texts, answered.probabilities))
        return answered

    async def _in_rollout(self, champion: LoadedModel, canary: LoadedModel, texts: Sequence[str]) -> Answered:
        """Counted for the arm that the client is in. What the canary fails at, the champion answers: a trial is at nobody's cost."""
        key = self.keys.client().key
        is_canary = self.rollout.chooses_canary(canary.version, client_id(key.name if key else None))
        model, arm = (canary, CANARY_ARM) if is_canary else (champion, CHAMPION_ARM)
        started = time.perf_counter()
        try:
            probabilities = await self._probabilities(model, texts)
            is_error = not np.isfinite(probabilities).all()
        except PredictionFailed:
            is_error = True
            if not is_canary:
                self.rollout.observe(arm, 0, is_error=True)
                raise
        except Late:
            self.rollout.observe(arm, 0, is_error=True)
            raise
        self.metrics.rollout_requests.labels(arm, "error" if is_error else "ok").inc()
        self.rollout.observe(arm, time.perf_counter() - started, is_error=is_error)
        if is_canary and is_error:
            return Answered(champion, await self._probabilities(champion, texts))
        if is_canary:
            self.shadow.offer(Job(CANARY, canary, champion, texts, probabilities, self.rollout.compared))
        return Answered(model, probabilities)

    def _follow(self, aliases: Mapping[str, Version]) -> None:
        canary = aliases.get(CANARY)
        self.rollout.follow(canary, aliases.get(ALIAS), canary and self.keeper.refusal(canary))

    async def _settle(self) -> None:
        while True:
            await asyncio.to_thread(self.rollout.settle)
            report = self.rollout.report()
            self.metrics.rollout_share.set(report["share"])
            await asyncio.sleep(SETTLE_SECONDS)

    async def _probabilities(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        """Remembered, or computed; nothing of the cache is on the way where it is off."""
        if self.cache is None:
            return await self.pool.predict(model, texts)
        return await self.cache.through(model, texts, self.pool.predict)

    async def occlude(self, text: str) -> tuple[LoadedModel, str, list[Span], np.ndarray]:
        """A model, the normalised text, its words, and what the model says of `variants`. Charged and admitted as so many predictions."""
        model, text = self.champion, normalise(text)
        places = spans(model.predictor, text)
        asked = variants(text, places)
        self.keys.client().charge(len(asked))
        try:
            return model, text, places, await self.pool.predict(model, asked)
        except Busy:
            self.metrics.busy.inc()
            raise

    async def wake(self) -> None:
        """Something moved in the registry: every worker looks there now."""
        self.keeper.wake()
        if self.siblings is not None:
            await self.siblings.ask("wake")

    def _woken(self) -> bytes:
        self.keeper.wake()
        return b""

    async def metrics_page(self) -> bytes:
        """What Prometheus reads: this worker's numbers, and those of every sibling that answers."""
        if self.siblings is None:
            return self.metrics.page()
        others = {str(number): json.loads(answer) for number, answer in (await self.siblings.ask("metrics")).items() if answer}
        return merged_page({str(self.siblings.number): self.metrics.families(), **others})

    async def probe(self) -> LoadedModel:
        """The model that answers, after it has answered a text just now, past every queue; `NotReady` when it can't."""
        model = self.champion
        try:
            await asyncio.wait_for(self.pool.probe(model, PROBE_TEXTS), PROBE_SECONDS)
        except (TimeoutError, Late):
            raise NotReady(f"a prediction took more than {PROBE_SECONDS} seconds") from None
        except PredictionFailed as error:
            raise NotReady(f"a prediction failed: {error}") from None
        return model


def describe(model: LoadedModel, trouble: str | None = None) -> ModelResponse:
    """What is known about ``model``."""
    config = model.predictor.config
    return ModelResponse(
        model=model.name,
        version=model.version.version,
        run_id=model.version.run_id,
        alias=ALIAS,
        base=str(config.get("base", "")),
        dataset_md5=str(config.get("dataset_md5", "")),
        labels=list(model.predictor.labels),
        digest=model.digest,
        loaded_at=model.loaded_at,
        trouble=trouble,
    )
