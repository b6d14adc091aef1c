"""`groundswell predict` and its client against a real serving process: as typed, and as fast as several requests at once."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundswell.client import Client
from groundswell.errors import ServingError
from groundswell.predictor import Predictor
from groundswell.schema import LABELS
from tests.serving.servers import PROJECT, free_port
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

TEXTS = [*tiny_rows(600, seed=21)[0], "Ärger 😡", 'with "quotes", and\nlines']


def predict(url: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).with_name("groundswell"), "predict", *arguments]
    environment = {"PATH": os.environ["PATH"], "GROUNDSWELL_SERVING_URL": url, "COLUMNS": "160", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def offline(exports):
    return Predictor.load(exports["1"]).predict(TEXTS)


def test_the_client_gives_the_offline_answers(answering, offline):
    with Client(answering.url) as client:
        found = client.predict(TEXTS)
        assert client.model()["version"] == "1"
    assert [[getattr(each, label) for label in LABELS] for each in found] == offline.tolist()
    assert [each.label for each in found] == [LABELS[best] for best in offline.argmax(axis=1)]
    assert {each.version for each in found} == {"1"}


def test_the_client_explains_and_takes_a_correction(answering):
    with Client(answering.url) as client:
        (prediction,) = client.predict(["the game great love 😡"])
        found = client.explain("the game great love 😡", prediction.label)
        assert [found.text[word.start : word.end] for word in found.words] == [word.word for word in found.words]
        assert [word.word for word in found.words] == ["the", "game", "great", "love", "😡"]
        assert (found.label, found.version) == (prediction.label, "1")
        for _ in range(2):
            client.feedback(prediction, "neutral", text="the game great love 😡")
        client.feedback(prediction.id, "positive")
        with pytest.raises(ServingError, match="found 4[0-9]{2}: "):
            client.feedback("x" * 56, "neutral")
        with pytest.raises(ServingError, match="found 422: "):
            client.feedback(prediction, "neutral", text="another text")


def test_a_file_comes_back_with_the_offline_answers(answering, offline, tmp_path):
    file = tmp_path / "posts.csv"
    with open(file, "w", newline="") as opened:
        csv.writer(opened).writerows([["number", "text"], *enumerate(TEXTS)])
    done = predict(answering.url, "--file", file)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["rows"], report["versions"]) == (602, {"1": 602})
    assert "602 rows" in done.stderr
    with open(tmp_path / "posts.answers.csv", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["text"] for row in rows] == TEXTS
    assert [int(row["number"]) for row in rows] == list(range(602))
    assert [[float(row[label]) for label in LABELS] for row in rows] == offline.tolist()


def test_texts_as_typed(answering):
    done = predict(answering.url, "great love", "awful hate")
    assert done.returncode == 0, done.stderr
    assert "great love" in done.stdout
    assert "version 1" in done.stdout
    (found,) = json.loads(predict(answering.url, "great love", "--json").stdout)["predictions"]
    assert found["label"] in LABELS


def test_wrong_use_and_an_endpoint_that_is_not_there(answering, tmp_path):
    for arguments in ((), ("text", "--file", tmp_path / "posts.csv"), ("text", "--out", tmp_path / "out.csv"), ("--file", tmp_path / "posts.xlsx")):
        assert predict(answering.url, *arguments).returncode == 2
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = predict(nowhere, "fine")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert nowhere in done.stderr
    with Client(nowhere, attempts=2) as client, pytest.raises(ServingError, match="ConnectError"):
        client.predict(["fine"])
