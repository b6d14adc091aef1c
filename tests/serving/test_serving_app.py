"""The HTTP service in this process, with a real model and a registry in a folder."""

from __future__ import annotations

import json
import math
import re
import threading
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient

from groundswell import schema
from groundswell.predictor import Predictor
from serving import messages
from serving.app import create_app
from serving.pool import Busy, Late, PredictionFailed
from serving.signature import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.tiny import tiny_rows

ODD = {
    "empty": "",
    "NUL": "great\x00game",
    "emoji only": "😡🔥👩‍👩‍👧",
    "right to left": "משחק נהדר \u202eabc",
    "lone surrogates": "half \ud83d an emoji \udc00",
    "the longest there may be": "wonderful " * 200,
    "one long word": "a" * 2_000,
    "markup": "<p>&amp;&lt;script&gt;" * 50,
    "zalgo": "g\u0300\u0301\u0302" * 500,
    "newlines": "\r\n\t" * 100,
    "as long in emoji": "😡" * 2_000,
}


def wait_until(is_so, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def client(settings, registry):
    with TestClient(create_app(settings, registry), raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        yield client


def problem_of(answer, status: int) -> dict:
    """The body of a problem, after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = messages.Problem.model_validate(answer.json())
    assert body.status == status
    return body.model_dump()


def test_the_nouns_are_the_librarys(settings):
    assert messages.LABELS == schema.LABELS
    assert settings.model_name == schema.registered_model("games")
    assert tuple(messages.Probabilities.model_fields) == schema.LABELS


def test_answers_are_the_offline_predictors_to_the_last_bit(standing, exports):
    texts, _ = tiny_rows(128, seed=9)
    answer = standing.post("/v1/predict", json={"texts": texts})
    body = messages.PredictResponse.model_validate(answer.json())
    offline = Predictor.load(exports["1"]).predict(texts)
    served = np.array([[getattr(each.probabilities, label) for label in schema.LABELS] for each in body.predictions], dtype=np.float32)
    assert np.array_equal(served, offline)
    assert [each.label for each in body.predictions] == [schema.LABELS[best] for best in offline.argmax(axis=1)]
    alone = standing.post("/v1/predict", json={"texts": texts[:1]}).json()["predictions"]
    assert alone[0]["probabilities"] == answer.json()["predictions"][0]["probabilities"], "its neighbours change nothing in a text's answer"
    assert len({each.label for each in body.predictions}) > 1, "a model that says one thing proves nothing here"
    assert (body.model, body.version, body.run_id) == ("groundswell-sentiment-games", "1", "run-1")


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_texts_get_an_answer(standing, text):
    body = json.dumps({"texts": [text, "great"]})  # \ud83d stays an escape, as a standing of another language would send it
    answer = standing.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    for prediction in answer.json()["predictions"]:
        assert math.isclose(sum(prediction["probabilities"].values()), 1, abs_tol=1e-5)


SECRET_WORD = "xylophone"
WRONG = {
    "no texts": ({"texts": []}, "body.texts", "1 to 128 texts, found none"),
    "too many texts": ({"texts": [SECRET_WORD] * 129}, "body.texts", "1 to 128 texts, found more"),
    "one string": ({"texts": SECRET_WORD}, "body.texts", "a list of strings"),
    "a number among them": ({"texts": ["fine", 3]}, "body.texts[1]", "a string"),
    "a text too long among them": ({"texts": ["fine", SECRET_WORD * 300]}, "body.texts[1]", "at most 2000 characters, found more"),
    "null among them": ({"texts": [None]}, "body.texts[0]", "a string"),
    "no key": ({}, "body.texts", "is not there"),
    "another key": ({"texts": ["fine"], SECRET_WORD: 1}, "body.an unknown key", "only texts"),
    "a list": ([SECRET_WORD], "body", "an object"),
    "a number": (7, "body", "an object"),
}


@pytest.mark.parametrize(("body", "where", "expected"), WRONG.values(), ids=WRONG.keys())
def test_wrong_requests_are_told_what_was_expected_and_nothing_is_repeated(standing, body, where, expected):
    answer = standing.post("/v1/predict", json=body)
    found = problem_of(answer, 422)
    assert found["faults"][0]["where"] == where
    assert expected in found["faults"][0]["expected"]
    assert SECRET_WORD not in answer.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"texts": ["xylophone', 422),
        (b"", 422),
        (b'{"texts": ["\xff\xfe xylophone"]}', 400),
        (b"[" * 100_000, 400),
        (b'{"texts": [' + b"9" * 5000 + b"]}", 400),
    ],
    ids=["cut off", "nothing", "not UTF-8", "deep", "a number too long"],
)
def test_bodies_that_are_no_json(standing, content, status):
    answer = standing.post("/v1/predict", content=content, headers={"Content-Type": "application/json"})
    problem_of(answer, status)
    assert SECRET_WORD not in answer.text


def test_a_form_is_no_json(standing):
    problem_of(standing.post("/v1/predict", data={"texts": "fine"}), 422)


def test_a_large_body_is_refused_announced_or_not(standing, settings):
    large = b'{"texts": ["' + b"a" * settings.serving_max_body_bytes + b'"]}'
    problem_of(standing.post("/v1/predict", content=large, headers={"Content-Type": "application/json"}), 413)
    pieces = (large[start : start + 65536] for start in range(0, len(large), 65536))
    problem_of(standing.post("/v1/predict", content=pieces, headers={"Content-Type": "application/json"}), 413)


def test_unknown_addresses_and_methods_are_problems(standing):
    problem_of(standing.get("/v2/predict"), 404)
    problem_of(standing.get("/v1/predict"), 405)


def test_model_ready_and_alive(standing, exports):
    model = standing.get("/v1/model").json()
    assert model["base"] == "tiny"
    assert model["dataset_md5"] == "0" * 32
    assert model["labels"] == list(schema.LABELS)
    assert model["alias"] == "champion"
    assert len(model["digest"]) == 64
    assert standing.get("/healthz").json() == {"status": "alive"}
    wait_until(lambda: standing.get("/readyz").json() == {"status": "ready", "version": "1", "trouble": None})


def test_a_model_that_stopped_answering_is_not_ready(client):
    class Nan(Predictor):
        def run(self, pieces, **how):
            return np.full((len(pieces), 3), np.nan, dtype=np.float32)

    client.app.state.service.keeper.current.predictor.__class__ = Nan
    assert problem_of(client.get("/readyz"), 503)["type"].endswith(":not-ready")
    assert client.get("/healthz").status_code == 200


def test_a_prediction_that_raises_is_a_problem_without_its_words(client, caplog):
    class Broken(Predictor):
        def run(self, pieces, **how):
            raise RuntimeError(f"can't read {SECRET_WORD}")

    client.app.state.service.keeper.current.predictor.__class__ = Broken
    answer = client.post("/v1/predict", json={"texts": [SECRET_WORD]})
    assert "RuntimeError" in problem_of(answer, 500)["detail"]
    assert SECRET_WORD not in answer.text + caplog.text


def test_without_a_champion_it_says_so_and_begins_as_soon_as_there_is_one(settings, registry):
    registry.alias = None
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: "alias champion" in problem_of(client.get("/readyz"), 503)["detail"])
        assert problem_of(client.post("/v1/predict", json={"texts": ["fine"]}), 503)["type"].endswith(":no-champion")
        assert client.get("/healthz").status_code == 200
        registry.alias = "2"
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/predict", json={"texts": ["fine"]}).json()["version"] == "2"


def test_every_answer_during_swaps_is_whole_and_of_one_version(client, registry, exports):
    texts, _ = tiny_rows(8, seed=5)
    offline = {number: Predictor.load(folder).predict(texts) for number, folder in exports.items()}
    assert not np.array_equal(*offline.values())
    seen, faults, is_over = [], [], threading.Event()

    def ask():
        while not is_over.is_set():
            answer = client.post("/v1/predict", json={"texts": texts})
            body = answer.json()
            served = np.array([list(each["probabilities"].values()) for each in body["predictions"]], dtype=np.float32)
            seen.append(body["version"])
            if answer.status_code != 200 or not np.array_equal(served, offline[body["version"]]):
                faults.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in ["2", "1"] * 4:
        registry.alias = number
        wait_until(lambda number=number: client.get("/v1/model").json()["version"] == number)
    is_over.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert set(seen) == {"1", "2"}


def test_when_too_much_waits_the_rest_is_told_to_come_back(settings, registry):
    settings = settings.model_copy(update={"serving_max_waiting_tokens": 30, "serving_threads": 1})
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        keeper, may_go_on = client.app.state.service.keeper, threading.Event()

        class Slow(Predictor):
            def run(self, pieces, **how):
                assert may_go_on.wait(10)
                return super().run(pieces, **how)

        keeper.current.predictor.__class__ = Slow
        answers = []
        first = threading.Thread(target=lambda: answers.append(client.post("/v1/predict", json={"texts": ["a"] * 20})))
        first.start()
        wait_until(lambda: client.app.state.service.pool.waiting_texts == 20)
        refused = client.post("/v1/predict", json={"texts": ["b"]})
        assert problem_of(refused, 429)["type"].endswith(":busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200, "the event loop is free while predictions run"
        may_go_on.set()
        first.join()
        assert answers[0].status_code == 200, "alone, a request larger than the bound is admitted"
        wait_until(lambda: client.app.state.service.pool.waiting_texts == 0)
        assert client.post("/v1/predict", json={"texts": ["b"]}).status_code == 200


def delivery(secret: str = "told-to-nobody", age_seconds: float = 0, body: bytes = b'{"entity": "model_version_alias"}') -> dict:
    timestamp = str(int(time.time() - age_seconds))
    headers = {DELIVERY_HEADER: "d-1", TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, "d-1", timestamp, body)}
    return {"content": body, "headers": headers}


def test_a_signed_hook_wakes_the_keeper(settings, registry):
    settings = settings.model_copy(update={"serving_poll_seconds": 3600})
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        registry.alias = "2"
        assert client.post("/hooks/mlflow", **delivery()).status_code == 202
        wait_until(lambda: client.get("/v1/model").json()["version"] == "2")


@pytest.mark.parametrize("wrong", [delivery("guessed"), delivery(age_seconds=301), {"content": b"{}"}, delivery() | {"content": b"{}"}])
def test_other_hooks_are_refused(standing, wrong):
    assert problem_of(standing.post("/hooks/mlflow", **wrong), 403)["type"].endswith(":unsigned")


def test_without_a_secret_no_hook_is_believed(settings, registry):
    with TestClient(
        create_app(settings.model_copy(update={"serving_webhook_secret": type(settings.serving_webhook_secret)("")}), registry)
    ) as client:
        assert "GROUNDSWELL_SERVING_WEBHOOK_SECRET" in problem_of(client.post("/hooks/mlflow", **delivery("")), 403)["detail"]


ASKED = {
    "a text": (json.dumps({"texts": ["great"]}), {}),
    "two texts": (json.dumps({"texts": ["great", ""]}), {}),
    "half an emoji": ('{"texts": ["half \\ud83d"]}', {}),
    "JSON of another kind": (json.dumps({"texts": ["great"]}), {"Content-Type": "application/vnd.one+json"}),
    "no texts": ('{"texts": []}', {}),
    "no JSON": ('{"texts": [', {}),
    "no UTF-8": (b'{"texts": ["\xff"]}', {}),
    "nothing": ("", {}),
    "too large": ("x" * 300_000, {}),
    "another kind of body": (json.dumps({"texts": ["great"]}), {"Content-Type": "text/plain"}),
    "another host": (json.dumps({"texts": ["great"]}), {"Host": "stranger.example"}),
}


def _answers(client: TestClient) -> float:
    """How many requests have been counted, those for this number aside."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if "serving_requests_total{" in line and "/metrics" not in line)


def test_a_sound_request_goes_past_the_framework(client, monkeypatch):
    (route,) = (route for route in client.app.routes if getattr(route, "path", "") == "/v1/predict")
    monkeypatch.setattr(route, "app", None)  # called by nobody, or this is a 500
    assert client.post("/v1/predict", json={"texts": ["great"]}).status_code == 200
    assert client.post("/v1/predict", json={"texts": []}).status_code == 500


@pytest.mark.parametrize(("content", "headers"), ASKED.values(), ids=ASKED.keys())
def test_the_way_past_the_framework_answers_as_the_framework_does_and_counts_once(standing, content, headers):
    """A body that comes in chunks goes through the framework, one whose length is announced past it."""
    content = content.encode() if isinstance(content, str) else content
    headers = {"Content-Type": "application/json"} | headers
    before = _answers(standing)
    short = standing.post("/v1/predict", content=content, headers=headers)
    counted = _answers(standing) - before
    long = standing.post("/v1/predict", content=iter([content]), headers=headers)
    assert "content-length" in short.request.headers and "transfer-encoding" in long.request.headers
    assert counted == _answers(standing) - before - counted
    assert short.status_code == long.status_code
    assert {**short.headers, "content-length": ""} == {**long.headers, "content-length": ""}
    found, expected = short.json(), long.json()
    for prediction in (*found.get("predictions", ()), *expected.get("predictions", ())):
        assert prediction.pop("id"), "and every prediction has one of its own"
    assert found == expected


@pytest.mark.parametrize("by_the_framework", [False, True])
def test_errors_of_ours_are_the_same_problems_either_way(client, registry, monkeypatch, by_the_framework):
    service = client.app.state.service

    def ask():
        body = json.dumps({"texts": ["great"]}).encode()
        headers = {"Content-Type": "application/json"}
        return client.post("/v1/predict", content=iter([body]) if by_the_framework else body, headers=headers)

    def raising(error):
        async def predict(*_):
            raise error

        monkeypatch.setattr(service.pool, "predict", predict)

    raising(Late())
    assert problem_of(ask(), 503)["type"].endswith("late")
    raising(Busy())
    busy = ask()
    assert problem_of(busy, 429)["type"].endswith("busy") and busy.headers["retry-after"] == "1"
    raising(PredictionFailed("ValueError"))
    assert problem_of(ask(), 500)["type"].endswith("prediction-failed")
    raising(RuntimeError("a fault of ours"))
    fault = ask()
    assert fault.status_code == 500 and "a fault of ours" not in fault.text
    page = client.get("/metrics").text
    assert 'requests_total{route="/v1/predict",status="500"} 2.0' in page and 'requests_total{route="/v1/predict",status="429"} 1.0' in page
    monkeypatch.setattr(service.keeper, "current", None)
    assert problem_of(ask(), 503)["type"].endswith("no-champion")


def test_metrics_count_what_happened(client):
    client.post("/v1/predict", json={"texts": ["great", "awful", "today"]})
    client.post("/v1/predict", json={"texts": []})
    page = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert lines['groundswell_serving_requests_total{route="/v1/predict",status="200"}'] == "1.0"
    assert lines['groundswell_serving_requests_total{route="/v1/predict",status="422"}'] == "1.0"
    assert sum(float(value) for name, value in lines.items() if name.startswith("groundswell_serving_texts_total")) == 3
    assert lines['groundswell_serving_model{run_id="run-1",version="1"}'] == "1.0"
    assert lines["groundswell_serving_registry_up"] == "1.0"
    assert "great" not in page


def test_the_openapi_document_has_examples_that_hold(standing):
    document = standing.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics", "/hooks/mlflow"} <= set(document["paths"])
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert document["components"]["schemas"][body.rpartition("/")[2]]["properties"]["texts"]["maxItems"] == messages.MAX_TEXTS
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    for example in schemas["PredictRequest"]["examples"]:
        assert standing.post("/v1/predict", json=example).status_code == 200
    for example in schemas["PredictResponse"]["examples"]:
        messages.PredictResponse.model_validate(example)
    named = {part["$ref"].rpartition("/")[2] for part in _references(document)}
    assert named <= set(schemas)


def _references(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def test_the_page_for_people_needs_nobody_else(standing):
    answer = standing.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.findall(r"https?://|//[a-z]+\.|src=|@import", answer.text), "a page that loads from elsewhere is blank offline"
