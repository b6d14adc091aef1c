"""What Prometheus reads at /metrics. One registry an application, so that two in one process (tests) do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

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
        self.predict_seconds = Histogram(
            f"{_PREFIX}predict_seconds", "A request's wait for a thread, and its prediction", registry=registry, buckets=_SECONDS
        )
        self.texts = Counter(f"{_PREFIX}texts", "Texts answered, by the label they got", ["label"], registry=registry)
        self.waiting_texts = Gauge(f"{_PREFIX}waiting_texts", "Texts under way or waiting", registry=registry)
        self.busy = Counter(f"{_PREFIX}busy", "Requests refused with 429", registry=registry)
        self.model = Gauge(f"{_PREFIX}model", "1 for the version that answers", ["version", "run_id"], registry=registry)
        self.model_loaded = Gauge(f"{_PREFIX}model_loaded_timestamp_seconds", "When it was loaded", registry=registry)
        self.swaps = Counter(f"{_PREFIX}swaps", "Times that a model came into service", registry=registry)
        self.refused_models = Counter(f"{_PREFIX}refused_models", "Times that a champion was refused", ["version"], registry=registry)
        self.registry_up = Gauge(f"{_PREFIX}registry_up", "1 when the registry answered the last time it was asked", registry=registry)
        self.hooks = Counter(f"{_PREFIX}hooks", "Webhook deliveries", ["outcome"], registry=registry)

    def now_serving(self, version: str, run_id: str, timestamp: float) -> None:
        self.model.clear()
        self.model.labels(version, run_id).set(1)
        self.model_loaded.set(timestamp)
        self.swaps.inc()

    def page(self) -> bytes:
        return generate_latest(self.registry)
