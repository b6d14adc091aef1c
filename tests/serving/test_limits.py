"""What is too much, not for this host, or poison is refused in one shape, and never repeated, whichever protocol it comes by."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.staticfiles import StaticFiles

from groundswell.predictor import Predictor
from serving import messages
from serving.app import create_app
from serving.config import ServingSettings
from tests.serving.servers import NAME, PROJECT
from tests.serving.test_serving_app import problem_of, wait_until
from tests.tiny import tiny_rows

SECRET_WORD = "xylophone"
MOST = messages.MAX_TEXT_CHARACTERS
PROTOCOLS = {
    "/v1/predict": lambda texts: {"texts": texts},
    "/invocations": lambda texts: {"inputs": texts},
    f"/v2/models/{NAME}/infer": lambda texts: {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}]},
}


@pytest.fixture(params=PROTOCOLS)
def ask(request, standing):
    return lambda texts: standing.post(request.param, json=PROTOCOLS[request.param](texts))


def test_the_most_there_may_be_is_answered(ask):
    assert ask(["great"] * 128).status_code == 200
    assert ask(["é" * MOST]).status_code == 200
    assert ask(["😡" * MOST]).status_code == 200


def test_one_more_is_refused_and_not_repeated(ask, caplog):
    for texts in (["great"] * 127 + [SECRET_WORD] * 2, ["great", (SECRET_WORD * MOST)[: MOST + 1]]):
        answer = ask(texts)
        problem_of(answer, 422)
        assert SECRET_WORD not in answer.text + caplog.text


def test_one_text_too_long_to_explain_or_correct(standing, caplog):
    given = standing.post("/v1/predict", json={"texts": ["great"]}).json()["predictions"][0]["id"]
    long = SECRET_WORD * MOST
    for path, body in {"/v1/explain": {"text": long}, "/v1/feedback": {"id": given, "label": "positive", "text": long}}.items():
        answer = standing.post(path, json=body)
        assert problem_of(answer, 422)["faults"][0]["where"] == "body.text"
        assert SECRET_WORD not in answer.text + caplog.text


def test_a_body_is_at_most_256_kilobytes(standing):
    most = ServingSettings.model_fields["serving_max_body_bytes"].default
    assert most == 256 * 1024
    headers = {"Content-Type": "application/json"}
    whole = json.dumps({"texts": ["great"]}).encode().ljust(most)
    assert standing.post("/v1/predict", content=whole, headers=headers).status_code == 200
    assert standing.post("/v1/predict", content=iter([whole]), headers=headers).status_code == 200
    for path in ("/v1/predict", "/invocations", "/hooks/mlflow", "/v1/explain", "/v1/feedback", f"/v2/models/{NAME}/infer", "/nowhere"):
        problem_of(standing.post(path, content=whole + b" ", headers=headers), 413)
    problem_of(standing.post("/v1/predict", content=iter([whole, b" "]), headers=headers), 413)


@pytest.mark.parametrize(
    ("allowed", "host", "is_ours"),
    [
        ("localhost,127.0.0.1,[::1]", "localhost", True),
        ("localhost,127.0.0.1,[::1]", "LOCALHOST:8000", True),
        ("localhost,127.0.0.1,[::1]", "127.0.0.1:8000", True),
        ("localhost,127.0.0.1,[::1]", "[::1]:8000", True),
        ("localhost,127.0.0.1,[::1]", "evil.example", False),
        ("localhost,127.0.0.1,[::1]", "localhost.evil.example", False),
        ("localhost,127.0.0.1,[::1]", "localhost:8000/v1/predict?", False),
        ("localhost,127.0.0.1,[::1]", "localhost@evil.example", False),
        ("localhost,127.0.0.1,[::1]", "localhost:", False),
        ("localhost,127.0.0.1,[::1]", "", False),
        ("*.example.org", "a.b.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "evilexample.org", False),
        ("*", "anything.at.all", True),
        ("*", "any thing", False),
    ],
)
def test_requests_are_for_this_host(settings, registry, allowed, host, is_ours):
    client = TestClient(create_app(settings.model_copy(update={"serving_allowed_hosts": allowed}), registry))
    answer = client.get("/healthz", headers={"Host": host})
    if is_ours:
        assert answer.status_code == 200
    else:
        assert problem_of(answer, 400)["type"].endswith(":unknown-host")
        assert "evil" not in answer.text


def test_two_hosts_are_none(settings, registry):
    client = TestClient(create_app(settings, registry))
    answer = client.get("/healthz", headers=[("Host", "localhost"), ("Host", "localhost")])
    assert problem_of(answer, 400)["type"].endswith(":unknown-host")


def test_nothing_reads_forms_and_no_folder_is_served(standing):
    """No parser of multipart bodies is there to be attacked, and no path leads to a file."""
    names = {line.partition("==")[0].lower() for line in (PROJECT / "requirements" / "serving.lock").read_text().splitlines()}
    assert not names & {"python-multipart", "multipart"}
    assert not list((PROJECT / ".venv-serving").glob("lib/*/site-packages/*multipart*"))
    for source in Path(PROJECT / "serving").rglob("*.py"):
        assert not any(word in source.read_text() for word in ("UploadFile", "StaticFiles", "Form(", ".form(", "FileResponse")), source
    assert not any(isinstance(getattr(route, "app", None), StaticFiles) for route in standing.app.routes)
    answer = standing.post("/v1/predict", files={"texts": ("posts.txt", SECRET_WORD)})
    problem_of(answer, 422)
    assert SECRET_WORD not in answer.text


class Poisoned:
    """A predictor that raises, or gives NaN, for whatever batch holds one text; with ``gate`` it waits, so that requests meet in a batch."""

    def __init__(self, real: Predictor, poison: str, fault: str, gate: threading.Event):
        self._real, self._fault, self._gate = real, fault, gate
        self._poison = real.encode([poison])[0].ids
        self.batches: list[int] = []

    def __getattr__(self, name: str):
        return getattr(self._real, name)

    def run(self, pieces, **how):
        assert self._gate.wait(30)
        self.batches.append(len(pieces))
        answers = self._real.run(pieces, **how)
        if self._poison in pieces:
            if self._fault == "raises":
                raise RuntimeError(f"can't read {SECRET_WORD}")
            answers = np.array(answers)
            answers[pieces.index(self._poison)] = np.nan
        return answers


@pytest.mark.parametrize("fault", ["raises", "is no number"])
def test_a_poison_text_fails_alone(settings, registry, exports, caplog, fault):
    texts, _ = tiny_rows(24, seed=13)
    offline = Predictor.load(exports["1"]).predict(texts)
    with TestClient(create_app(settings, registry), raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        current, gate = client.app.state.service.keeper.current, threading.Event()
        poisoned = Poisoned(current.predictor, f"great {SECRET_WORD} love", fault, gate)
        object.__setattr__(current, "predictor", poisoned)
        with ThreadPoolExecutor(26) as clients:
            good = [clients.submit(client.post, "/v1/predict", json={"texts": [text]}) for text in texts]
            bad = clients.submit(client.post, "/v1/predict", json={"texts": [f"great {SECRET_WORD} love"]})
            wait_until(lambda: client.app.state.service.pool.waiting_texts == 25)
            gate.set()
            rows = [answer.result().json()["predictions"][0]["probabilities"] for answer in good]
            refused = bad.result()
        assert max(poisoned.batches) > 1, "nobody shared a batch with it"
        assert np.array_equal(np.array([[row[label] for label in messages.LABELS] for row in rows], dtype=np.float32), offline)
        assert problem_of(refused, 500)["type"].endswith(":prediction-failed")
        assert SECRET_WORD not in refused.text + caplog.text
        assert client.post("/v1/predict", json={"texts": texts[:1]}).status_code == 200
