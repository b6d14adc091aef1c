"""What Prometheus reads at /metrics. One registry an application, so that two in one process (tests) do not mix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, generate_latest

from serving.messages import LABELS

_PREFIX = "groundswell_serving_"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters and gauges of one serving process."""

    def __init__(self):
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(f"{_PREFIX}requests", "Answers given", ["route", "status"], registry=registry)
        self.request_seconds = Histogram(
            f"{_PREFIX}request_seconds", "From the request's first byte to the answer's last", ["route"], registry=registry, buckets=_SECONDS
        )
        self._request = lru_cache(self._children)
        self.predict_seconds = Histogram(
            f"{_PREFIX}predict_seconds", "A request's wait for a thread, and its prediction", registry=registry, buckets=_SECONDS
        )
        texts = Counter(f"{_PREFIX}texts", "Texts answered, by the label they got", ["label"], registry=registry)
        self.texts = [texts.labels(label) for label in LABELS]
        """A counter a label, in their order: looking one up costs more than counting."""
        self.waiting_texts = Gauge(f"{_PREFIX}waiting_texts", "Texts under way or waiting", registry=registry)
        self.batch_texts = Histogram(
            f"{_PREFIX}batch_texts", "Texts of a batch that was computed", registry=registry, buckets=(1, 2, 4, 8, 16, 32, 64, 128)
        )
        self.batch_seconds = Histogram(f"{_PREFIX}batch_seconds", "The computing of a batch", registry=registry, buckets=_SECONDS)
        self.busy = Counter(f"{_PREFIX}busy", "Requests refused with 429", registry=registry)
        self.rate_limited = Counter(f"{_PREFIX}rate_limited", "Requests for more texts than their key allows", ["client"], registry=registry)
        self.model = Gauge(f"{_PREFIX}model", "1 for the version that answers", ["version", "run_id"], registry=registry)
        self.model_loaded = Gauge(f"{_PREFIX}model_loaded_timestamp_seconds", "When it was loaded", registry=registry)
        self.swaps = Counter(f"{_PREFIX}swaps", "Times that a model came into service", registry=registry)
        self.refused_models = Counter(f"{_PREFIX}refused_models", "Times that a version was refused", ["version", "reason"], registry=registry)
        self.shadow_texts = Counter(f"{_PREFIX}shadow_texts", "Texts put to a second model", ["alias", "outcome"], registry=registry)
        self.rollout_requests = Counter(f"{_PREFIX}rollout_requests", "Requests during a rollout, by arm", ["arm", "outcome"], registry=registry)
        self.rollout_share = Gauge(f"{_PREFIX}rollout_share", "The share of clients that a version on trial answers", registry=registry)
        self.registry_up = Gauge(f"{_PREFIX}registry_up", "1 when the registry answered the last time it was asked", registry=registry)
        self.cache_hits = Counter(f"{_PREFIX}cache_hits", "Texts that were answered without computing", registry=registry)
        self.cache_misses = Counter(f"{_PREFIX}cache_misses", "Texts that were computed and remembered", registry=registry)
        self.cache_errors = Counter(f"{_PREFIX}cache_errors", "Times that the cache's Redis failed", registry=registry)
        self.feedback = Counter(f"{_PREFIX}feedback", "Corrections, by what became of them", ["outcome"], registry=registry)
        self.hooks = Counter(f"{_PREFIX}hooks", "Webhook deliveries", ["outcome"], registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Hears of a request that was answered."""
        count, times = self._request(route, status)
        count.inc()
        times.observe(seconds)

    def _children(self, route: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(route, str(status)), self.request_seconds.labels(route)

    def batch(self, texts: int, seconds: float) -> None:
        """Hears of a batch that was computed, in whichever thread did it."""
        self.batch_texts.observe(texts)
        self.batch_seconds.observe(seconds)

    def now_serving(self, version: str, run_id: str, timestamp: float) -> None:
        self.model.clear()
        self.model.labels(version, run_id).set(1)
        self.model_loaded.set(timestamp)
        self.swaps.inc()

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def families(self) -> list[dict]:
        """The same as values for JSON, for `merged_page`."""
        return [
            {
                "name": family.name,
                "help": family.documentation,
                "type": family.type,
                "samples": [[each.name, each.labels, each.value] for each in family.samples],
            }
            for family in self.registry.collect()
        ]


def merged_page(workers: dict[str, list[dict]]) -> bytes:
    """One page of several workers' `Metrics.families`, every sample with the label ``worker``: sums are Prometheus's business, which knows
    when a worker began to count anew."""
    merged: dict[str, Metric] = {}
    for worker, families in workers.items():
        for family in families:
            into = merged.setdefault(family["name"], Metric(family["name"], family["help"], family["type"]))
            for name, labels, value in family["samples"]:
                into.add_sample(name, {**labels, "worker": worker}, value)
    return generate_latest(_Collected(list(merged.values())))


@dataclass(frozen=True)
class _Collected:
    """Metrics that were collected elsewhere, as `generate_latest` wants them."""

    metrics: list[Metric]

    def collect(self) -> list[Metric]:
        return self.metrics
