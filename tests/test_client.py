"""client: any number of texts in requests that keep the endpoint's limits, in order, asked again where that may help."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from groundswell import client as limits
from groundswell.client import Client, Prediction
from groundswell.errors import ServingError
from serving import messages
from serving.config import ServingSettings

URL = "http://serving.test"


def answer_to(request: httpx2.Request) -> httpx2.Response:
    """What an endpoint says whose model finds texts that end in an even digit positive."""
    predictions = []
    for text in json.loads(request.content)["texts"]:
        label = "positive" if text[-1:] in "02468" else "negative"
        predictions.append({"label": label, "probabilities": {"negative": 0.25, "neutral": 0.25, "positive": 0.5}, "id": f"id of {text[-1:]}"})
    return httpx2.Response(200, json={"model": "m", "version": "3", "run_id": "r", "predictions": predictions})


class Endpoint:
    """An endpoint that keeps its requests; ``before`` are answers, or errors, that come before the right ones."""

    def __init__(self, *before):
        self.before, self.requests = list(before), []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if self.before:
            first = self.before.pop(0)
            if isinstance(first, Exception):
                raise first
            return first
        return answer_to(request)

    def client(self, **options) -> Client:
        return Client(URL, transport=httpx2.MockTransport(self), **options)


def problem(status: int, detail: str) -> httpx2.Response:
    return httpx2.Response(status, json={"detail": detail}, headers={"content-type": "application/problem+json", "retry-after": "0"})


def test_the_limits_are_servings():
    assert limits.MOST_TEXTS == messages.MAX_TEXTS
    assert limits.MOST_CHARACTERS == messages.MAX_TEXT_CHARACTERS
    assert ServingSettings(topic="games").serving_max_body_bytes > limits._MOST_BYTES + 1000


def test_predictions_are_typed_and_in_order():
    endpoint = Endpoint()
    with endpoint.client(key="a-key") as client:
        found = client.predict(f"text {number}" for number in range(1000))
    assert found[2] == Prediction("positive", negative=0.25, neutral=0.25, positive=0.5, version="3", id="id of 2")
    assert [each.id for each in found] == [f"id of {number % 10}" for number in range(1000)]
    assert sorted(len(json.loads(request.content)["texts"]) for request in endpoint.requests) == [1000 - 7 * 128] + [128] * 7
    assert {request.headers["authorization"] for request in endpoint.requests} == {"Bearer a-key"}
    with endpoint.client() as client:
        assert client.predict([]) == []


def test_order_does_not_hang_on_which_request_is_answered_first():
    started = itertools.count()

    def later_first(request):
        time.sleep(0.05 * (3 - next(started) % 4))
        return answer_to(request)

    with Client(URL, transport=httpx2.MockTransport(later_first)) as client:
        assert [each.id for each in client.predict(f"text {number}" for number in range(700))] == [f"id of {number % 10}" for number in range(700)]


@pytest.mark.parametrize("text", ["a" * 2000, "😡" * 2000, '"\n' * 1000, "\x00" * 2000], ids=["ascii", "emoji", "escapes", "control characters"])
def test_a_request_keeps_the_bodys_limit(text):
    endpoint = Endpoint()
    with endpoint.client() as client:
        assert len(client.predict([text] * 200)) == 200
    assert max(len(request.content) for request in endpoint.requests) <= limits._MOST_BYTES + 100
    assert max(len(json.loads(request.content)["texts"]) for request in endpoint.requests) <= 128


def test_half_an_emoji_is_sent_as_serving_reads_it():
    endpoint = Endpoint()
    with endpoint.client() as client:
        client.predict(["half \ud83d an emoji"])
    assert json.loads(endpoint.requests[0].content)["texts"] == [messages.mend("half \ud83d an emoji")]


def test_only_a_few_requests_are_read_ahead():
    read = itertools.count()
    with Endpoint().client() as client:
        stream = client.stream(f"text {next(read)}" for _ in itertools.count())
        assert [next(stream).id for _ in range(3)] == ["id of 0", "id of 1", "id of 2"]
        stream.close()
    assert next(read) <= 128 * 6


def test_what_may_go_better_is_asked_again():
    endpoint = Endpoint(problem(429, "as much is waiting"), problem(503, "there is no model"), httpx2.ConnectError("refused"))
    with endpoint.client() as client:
        assert len(client.predict(["fine"])) == 1
    assert len(endpoint.requests) == 4


def test_what_does_not_is_told_in_servings_words():
    endpoint = Endpoint(*[problem(503, "the alias champion is not set")] * 2)
    with endpoint.client(attempts=2) as client, pytest.raises(ServingError, match="503: the alias champion is not set, 2 times"):
        client.predict(["fine"])


def test_what_is_refused_is_not_asked_again():
    endpoint = Endpoint(problem(401, "expected an API key"))
    with endpoint.client() as client, pytest.raises(ServingError, match="401: expected an API key"):
        client.predict(["fine"])
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"version": "1", "predictions": [{}]}, {"version": "1", "predictions": 3}, {"version": "1", "predictions": []}],
)
def test_an_answer_that_is_none_is_an_error(body):
    with Endpoint(httpx2.Response(200, json=body)).client() as client, pytest.raises(ServingError, match="is this serving"):
        client.predict(["fine"])


def test_one_string_is_not_a_list_of_its_letters():
    with Endpoint().client() as client, pytest.raises(TypeError, match="put it in a list"):
        client.predict("fine")


def test_a_closed_client_does_not_go_on_waiting():
    asked = threading.Event()

    def busy(request):
        asked.set()
        return httpx2.Response(429, headers={"retry-after": "25"})

    client = Client(URL, transport=httpx2.MockTransport(busy))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.predict, ["fine"])
        assert asked.wait(10)
        client.close()
        with pytest.raises(ServingError, match="this client is closed"):
            waiting.result(20)
