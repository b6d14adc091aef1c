"""Verify: wait until serving answers with the version that was promoted.

Asks the serving process (``GROUNDSWELL_SERVING_URL``): ``/v1/model`` until it names the version, then ``/v1/predict`` once. Reads the
ledger where no version is given. Writes its report. Refuses, as a `StackError` with serving's own word on the trouble, when the
version does not answer in time: the alias has moved by then, so this is the last place to notice a champion that can't be served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from groundswell.errors import RegistryError, SourceError, StackError
from groundswell.files import write_json
from groundswell.http import Http
from groundswell.ledger import Ledger
from groundswell.params import PromoteParams
from groundswell.schema import registered_model
from groundswell.settings import Settings

log = logging.getLogger(__name__)

_EVERY_SECONDS = 0.5
_TEXTS = ("What a wonderful day", "Nothing works any more")


def verify(
    topic: str,
    version: str | None,
    *,
    settings: Settings,
    params: PromoteParams,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    transport=None,
) -> dict:
    """Wait until ``version`` (None: the ledger's last) answers for ``topic``; the report has its run and the labels it gave."""
    version = version or _last_promoted(settings, topic)
    deadline = clock() + params.serving_timeout_seconds
    with Http(attempts=1, timeout_seconds=15, key=settings.serving_key.get_secret_value(), transport=transport) as http:
        model = _wait(http, topic, version, settings.serving_url, lambda: clock() < deadline, sleep, params.serving_timeout_seconds)
        answer = http.post(f"{settings.serving_url}/v1/predict", {"texts": list(_TEXTS)})
    if str(answer.get("version")) != version or len(answer.get("predictions", ())) != len(_TEXTS):
        raise StackError(
            f"serving at {settings.serving_url} named version {version} and then answered with version {answer.get('version')}: run it again"
        )
    report = {
        "stage": "verify",
        "topic": topic,
        "version": version,
        "model": model["model"],
        "run_id": model.get("run_id"),
        "labels": [prediction["label"] for prediction in answer["predictions"]],
    }
    write_json(report, settings.report("verify", topic))
    return report


def _wait(http: Http, topic: str, version: str, url: str, has_time: Callable[[], bool], sleep, seconds: float) -> dict:
    """``/v1/model`` once it names ``version``."""
    while True:
        model, found = _model(http, url)
        if model.get("version") == version and model.get("model") == registered_model(topic):
            return model
        if not has_time():
            raise StackError(f"serving at {url} did not answer with version {version} of {topic} within {seconds:.0f} s; it {found}: see its log")
        sleep(_EVERY_SECONDS)


def _model(http: Http, url: str) -> tuple[dict, str]:
    """What serving says of its model, and the same in words for a message."""
    try:
        model = http.get(f"{url}/v1/model", {})
    except SourceError as error:
        return {}, f"said: {error}"
    trouble = model.get("trouble")
    return model, f"answers with version {model.get('version')} of {model.get('model')}" + (f" ({trouble})" if trouble else "")


def _last_promoted(settings: Settings, topic: str) -> str:
    ledger = Ledger(settings, topic)
    entries = ledger.entries()
    if not entries:
        raise RegistryError(f"nothing of {topic} was promoted yet ({ledger.path}): promote first, or name a version")
    return entries[-1].after
