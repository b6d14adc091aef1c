"""verify: serving is asked until it answers with the version, and told on when it does not."""

import json

import httpx2
import pytest

from groundswell.errors import RegistryError, StackError
from groundswell.ledger import Entry, Ledger
from groundswell.params import PromoteParams
from groundswell.settings import Settings
from groundswell.verify import verify

PARAMS = PromoteParams(serving_timeout_seconds=10)


class Serving:
    """A serving process whose model is, one question after the other, each of ``versions``; the last one stays. None: it has none yet."""

    def __init__(self, *versions, predicted=None, topic="games", trouble=None):
        self.versions = list(versions)
        self.predicted = predicted
        self.name = f"groundswell-sentiment-{topic}"
        self.trouble = trouble
        self.key = ""
        self.seconds = 0.0

    def __call__(self, request):
        self.shown = request.headers.get("authorization")
        if request.url.path == "/v1/predict":
            texts = json.loads(request.content)["texts"]
            answer = {
                "model": self.name,
                "version": self.predicted or self.versions[0],
                "run_id": "r",
                "predictions": [{"label": "neutral"}] * len(texts),
            }
            return httpx2.Response(200, json=answer)
        version = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
        if version is None:
            return httpx2.Response(503, json={"title": "no champion"})
        return httpx2.Response(200, json={"model": self.name, "version": version, "run_id": "r", "trouble": self.trouble})

    def verify(self, home, version="2"):
        return verify(
            "games",
            version,
            settings=Settings(home=home, serving_url="http://serving.test", serving_key=self.key),
            params=PARAMS,
            clock=lambda: self.seconds,
            sleep=self.sleep,
            transport=httpx2.MockTransport(self),
        )

    def sleep(self, seconds):
        self.seconds += seconds


def test_it_waits_until_the_version_answers(tmp_path):
    serving = Serving(None, "1", "1", "2")
    report = serving.verify(tmp_path)
    assert (report["version"], report["run_id"], report["labels"]) == ("2", "r", ["neutral", "neutral"])
    assert serving.seconds == pytest.approx(1.5)
    assert json.loads((tmp_path / "reports" / "verify" / "games.json").read_text()) == report


def test_the_key_that_is_set_is_shown(tmp_path):
    serving = Serving("2")
    serving.verify(tmp_path)
    assert serving.shown is None
    serving.key = "gsw_told-to-nobody"
    serving.verify(tmp_path)
    assert serving.shown == "Bearer gsw_told-to-nobody"


def test_a_version_that_never_comes_is_told_with_servings_own_trouble(tmp_path):
    with pytest.raises(StackError, match=r"version 2 of games within 10 s; it answers with version 1 .*\(manifest broken\)"):
        Serving("1", trouble="manifest broken").verify(tmp_path)
    with pytest.raises(StackError, match="answered 503"):
        Serving(None).verify(tmp_path)


def test_the_same_number_of_another_topic_is_not_it(tmp_path):
    with pytest.raises(StackError, match="sentiment-films"):
        Serving("2", topic="films").verify(tmp_path)


def test_what_is_named_must_be_what_answers(tmp_path):
    with pytest.raises(StackError, match="named version 2 and then answered with version 1"):
        Serving("2", predicted="1").verify(tmp_path)


def test_without_a_version_the_ledger_says_which(tmp_path):
    with pytest.raises(RegistryError, match="nothing of games was promoted yet"):
        Serving("2").verify(tmp_path, None)
    ledger = Ledger(Settings(home=tmp_path), "games")
    for version in ("1", "2"):
        ledger.append(Entry("2026-11-02T08:00:00Z", "ann", "promote", None, version, None))
    assert Serving("2").verify(tmp_path, None)["version"] == "2"
    with ledger.path.open("a") as file:
        file.write('{"at": "2026-1')  # a power cut
    assert Serving("2").verify(tmp_path, None)["version"] == "2"
