"""Prediction ids and /v1/feedback: what can be forged, what is kept when the disk is full, held, damaged, or the process is killed."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from groundswell import keys as keys_file
from serving import feedback, messages
from serving.app import create_app
from serving.config import ServingSettings
from serving.feedback import FILE, Correction, Feedback, FeedbackUnavailable, counts, rows
from serving.forget import forget
from serving.messages import LABELS
from serving.prediction_ids import PredictionIds, UnknownPrediction
from serving.secret import Secret, present_and_previous
from tests.serving.servers import PROJECT, SERVING_PYTHON, start_alone
from tests.serving.test_serving_app import problem_of, wait_until
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

TEXTS, _ = tiny_rows(4, seed=21)
SECRET_WORD = "xylophone"


@pytest.fixture
def client(settings, registry):
    with TestClient(create_app(settings, registry), raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        yield client


def predicted(client, text: str = TEXTS[0]) -> dict:
    return client.post("/v1/predict", json={"texts": [text]}).json()["predictions"][0]


def corrected(client, token: str, label: str = "negative", **more):
    return client.post("/v1/feedback", json={"id": token, "label": label, **more})


def kept(settings: ServingSettings) -> list[dict]:
    path = settings.folder / FILE
    return list(rows(path)) if path.exists() else []


def correction(number: int, *, client: str = "a", label: str = "negative", text: str | None = None) -> Correction:
    now = datetime(2026, 11, 1, tzinfo=UTC).isoformat()
    return Correction(now, client, f"id-{number}", now, "1", "ab" * 4, "positive", label, number.to_bytes(8), text)


# --- ids


@pytest.fixture
def model(client):
    return client.app.state.service.champion


def test_an_id_says_which_prediction_it_is_of_and_nothing_else_reads_it(model):
    ids = PredictionIds("games", Secret(b"one"))
    probabilities = model.predictor.predict(TEXTS)
    before = datetime.now(UTC)
    made = ids.make(model, TEXTS, probabilities)
    assert len({*made, *ids.make(model, TEXTS, probabilities)}) == 2 * len(TEXTS), "two predictions of one text have two ids"
    for token, text, best in zip(made, TEXTS, probabilities.argmax(axis=1), strict=True):
        found = ids.read(token)
        assert (found.label, found.version, found.digest) == (LABELS[best], "1", model.digest[:8])
        assert abs((found.made_at - before).total_seconds()) < 60
        assert [found.is_of(each) for each in TEXTS] == [each == text for each in TEXTS]
        assert len(token) == 56
        assert httpx2.URL(f"http://a/{token}").raw_path == f"/{token}".encode()
    for stranger in (PredictionIds("games", Secret(b"two")), PredictionIds("films", Secret(b"one"))):
        with pytest.raises(UnknownPrediction):
            stranger.read(made[0])


def test_no_character_of_an_id_can_be_changed(model):
    ids = PredictionIds("games", Secret(b"one"))
    (token,) = ids.make(model, TEXTS[:1], np.eye(3, dtype=np.float32)[:1])
    for place, character in enumerate(token):
        changed = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(UnknownPrediction):
            ids.read(changed)
    for wrong in ("", "A" * 56, token[:-1], token + "AAAA", token[:-1] + "é", token[:28] + "\n" + token[28:], token[:-1] + "+"):
        with pytest.raises(UnknownPrediction):
            ids.read(wrong)


def test_a_secret_may_be_changed_and_the_one_before_is_still_read(model):
    old, new = Secret(b"old"), Secret(b"new")
    (token,) = PredictionIds("games", old).make(model, TEXTS[:1], np.eye(3, dtype=np.float32)[:1])
    both = PredictionIds("games", new, previous=old)
    assert both.read(token).is_of(TEXTS[0])
    assert both.read(token).text_hash in both.hashes(TEXTS[0])
    with pytest.raises(UnknownPrediction):
        PredictionIds("games", new).read(token)


def test_the_secret_is_made_once_and_for_nobody_elses_eyes(settings):
    code = "from serving.config import *; from serving.secret import *; print(present_and_previous(ServingSettings())[0].key('x').hex())"
    environment = {**os.environ, "GROUNDSWELL_TOPIC": "games", "GROUNDSWELL_PROJECT": str(settings.project)}
    workers = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {worker.communicate(timeout=60)[0].strip() for worker in workers}
    assert found == {present_and_previous(settings)[0].key("x").hex()}
    assert [path.name for path in settings.folder.iterdir()] == ["secret"]
    assert stat.S_IMODE((settings.folder / "secret").stat().st_mode) == 0o600


def test_without_a_place_for_the_secret_there_are_ids_all_the_same(settings, caplog):
    settings.folder.parent.mkdir(parents=True)
    settings.folder.write_text("a file where the folder should be")
    secret, _ = present_and_previous(settings)
    assert len(secret.key("x")) == 32
    assert "until this process ends" in caplog.text


# --- what is kept


def test_a_correction_is_kept_with_where_it_comes_from(client, settings):
    prediction = predicted(client)
    answer = corrected(client, prediction["id"], "negative")
    assert answer.status_code == 201
    assert messages.FeedbackResponse.model_validate(answer.json()).predicted == prediction["label"]
    (row,) = kept(settings)
    assert row["client"] == "anonymous"
    assert (row["predicted"], row["label"], row["version"], row["state"]) == (prediction["label"], "negative", "1", "quarantined")
    assert row["digest"] == client.get("/v1/model").json()["digest"][:8]
    assert row["text"] is None, "kept only if it is sent"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(row["received_at"])).total_seconds()) < 60
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        path = settings.folder / name
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_word_twice_is_one_row_and_another_word_is_a_newer_one(client, settings):
    token = predicted(client)["id"]
    for label, status in (("negative", 201), ("negative", 200), ("positive", 201), ("positive", 200), ("negative", 201)):
        assert corrected(client, token, label).status_code == status
    assert [row["label"] for row in kept(settings)] == ["negative", "positive", "negative"]
    assert client.app.state.service.metrics.registry.get_sample_value("groundswell_serving_feedback_total", {"outcome": "repeated"}) == 2


def test_two_clients_have_a_word_each(settings):
    async def story():
        store = Feedback(settings.folder)
        return [await store.keep(correction(1, client=name)) for name in ("a", "b", "a")]

    assert asyncio.run(story()) == [True, True, False]


@pytest.mark.parametrize("text", [TEXTS[0], "", "half \ud83d an emoji", "😡\x00\u202e"], ids=["words", "empty", "surrogate", "odd"])
def test_a_text_is_kept_only_with_its_own_prediction(client, settings, text):
    headers = {"Content-Type": "application/json"}
    token = client.post("/v1/predict", content=json.dumps({"texts": [text]}), headers=headers).json()["predictions"][0]["id"]
    wrong = corrected(client, token, text=f"{SECRET_WORD} {text}".encode("utf-8", "replace").decode())
    assert problem_of(wrong, 422)["faults"][0]["where"] == "body.text"
    assert SECRET_WORD not in wrong.text
    assert kept(settings) == []
    assert client.post("/v1/feedback", content=json.dumps({"id": token, "label": "neutral", "text": text}), headers=headers).status_code == 201
    (row,) = kept(settings)
    assert row["text"] == messages.mend(text)


def test_forged_and_broken_ids_are_problems(client, settings):
    token = predicted(client)["id"]
    forged = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    assert problem_of(corrected(client, forged), 404)["type"].endswith("unknown-prediction")
    for wrong in (f"{SECRET_WORD}", token + "A", token[:-1] + "=", token + "\n"):
        answer = corrected(client, wrong)
        assert problem_of(answer, 422)["faults"][0]["where"] == "body.id"
        assert wrong not in answer.text
    assert problem_of(corrected(client, token, SECRET_WORD), 422)["faults"][0]["where"] == "body.label"
    assert kept(settings) == []


def test_nobody_reads_a_text_in_the_log(client, settings, caplog):
    caplog.set_level("DEBUG")
    token = predicted(client, SECRET_WORD)["id"]
    assert corrected(client, token, text=SECRET_WORD).status_code == 201
    (settings.folder / FILE).write_bytes(b"no database" * 1000)
    problem_of(corrected(client, token, "positive", text=SECRET_WORD), 503)
    assert "feedback can't be written" in caplog.text
    assert SECRET_WORD not in caplog.text


def test_a_key_pays_for_its_word_and_gives_it_its_name(settings, registry):
    settings = settings.model_copy(update={"serving_auth": "keys"})
    _, key = keys_file.create(settings.keys_file, "desk", texts_per_second=0.001, burst_texts=128)
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: client.app.state.service.keeper.current is not None)
        client.headers["Authorization"] = f"Bearer {key}"
        client.post("/v1/predict", json={"texts": TEXTS[:1] * 125})
        token = predicted(client)["id"]
        assert corrected(client, token).status_code == 201
        assert corrected(client, token).status_code == 200
        assert problem_of(corrected(client, token, "positive"), 429)["type"].endswith("rate-limited")
        del client.headers["Authorization"]
        problem_of(corrected(client, token), 401)
    assert [row["client"] for row in kept(settings)] == ["desk"]


# --- what goes wrong


def test_a_file_that_somebody_holds_is_a_problem_and_then_none(client, settings, monkeypatch):
    monkeypatch.setattr(feedback, "LOCK_SECONDS", 0.1)
    token = predicted(client)["id"]
    assert corrected(client, token).status_code == 201
    holding = sqlite3.connect(settings.folder / FILE, isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    answer = corrected(client, token, "positive")
    assert problem_of(answer, 503)["type"].endswith("feedback-unavailable")
    assert answer.headers["Retry-After"]
    holding.execute("ROLLBACK")
    holding.close()
    assert corrected(client, token, "positive").status_code == 201
    assert [row["label"] for row in kept(settings)] == ["negative", "positive"]


def test_a_damaged_file_stops_feedback_and_nothing_else_until_it_is_taken_away(client, settings):
    token = predicted(client)["id"]
    settings.folder.joinpath(FILE).write_bytes(b"this is no database, it is rubbish " * 300)
    problem_of(corrected(client, token), 503)
    assert predicted(client)["label"]
    settings.folder.joinpath(FILE).unlink()
    assert corrected(client, token).status_code == 201


def test_a_text_is_forgotten_in_the_file_too(client, settings):
    for text in (SECRET_WORD, "something else"):
        assert corrected(client, predicted(client, text)["id"], text=text).status_code == 201
    everything = b"".join(path.read_bytes() for path in settings.folder.glob(f"{FILE}*"))
    assert SECRET_WORD.encode() in everything
    assert forget([SECRET_WORD], settings) == {"corrections": 1, "caches": "forgotten"}
    everything = b"".join(path.read_bytes() for path in settings.folder.glob(f"{FILE}*"))
    assert SECRET_WORD.encode() not in everything
    assert [row["text"] for row in kept(settings)] == ["something else"]


def test_it_is_counted_and_exported(client, settings, tmp_path):
    for label in ("negative", "positive"):
        corrected(client, predicted(client)["id"], label, text=TEXTS[0])
    label = predicted(client)["label"]
    assert counts(settings.folder / FILE) == {f"{label} → negative": 1, f"{label} → positive": 1}
    environment = {**os.environ, "GROUNDSWELL_TOPIC": "games", "GROUNDSWELL_PROJECT": str(settings.project)}
    command = [sys.executable, "-m", "serving.feedback", "--out", str(tmp_path / "out.csv")]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows"] == 2
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [TEXTS[0]] * 2


WORKER = """
import asyncio, sys
from pathlib import Path
from serving.feedback import Feedback
from tests.serving.test_feedback import correction

async def main(folder, name):
    store, new = Feedback(folder), 0
    for start in range(0, 120, 20):
        new += sum(await asyncio.gather(*(store.keep(correction(number, client="same")) for number in range(start, start + 20))))
        new += await store.keep(correction(start, client=name))
    print(new)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.slow
def test_two_workers_write_one_file_and_say_each_thing_once(tmp_path):
    running = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), name], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    new = [int(process.communicate(timeout=120)[0]) for process in running]
    found = list(rows(tmp_path / FILE))
    assert sum(new) == len(found) == 120 + 2 * 6
    assert len({(row["prediction_id"], row["client"]) for row in found}) == len(found)


@pytest.mark.slow
def test_a_full_disk_is_a_problem_and_leaves_nothing_half_written(exports, tmp_path):
    """A real process whose files may not grow: SQLite is told what it is told by a full disk, at the same places."""
    serving = start_alone(tmp_path, exports["1"])
    path = tmp_path / "var" / "serving" / "games" / FILE
    try:
        serving.wait(120, "/readyz")
        ask = httpx2.Client(base_url=serving.url, timeout=60)
        assert corrected(ask, predicted(ask)["id"]).status_code == 201
        _, hard = resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE)
        refused = []
        for allowed in range(0, 60_000, 5_000):
            resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (allowed, hard))
            token = predicted(ask)["id"]
            answer = corrected(ask, token, text=TEXTS[0])
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 503:
                refused.append(token)
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        assert refused
        assert not {row["prediction_id"] for row in rows(path)} & set(refused)
        for token in refused:
            assert corrected(ask, token).status_code == 201
        assert set(refused) <= {row["prediction_id"] for row in rows(path)}
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        assert serving.stop() == 0


@pytest.mark.slow
def test_what_was_answered_is_on_the_disk_when_the_process_is_killed(exports, tmp_path):
    serving = start_alone(tmp_path, exports["1"])
    try:
        serving.wait(120, "/readyz")
        acknowledged: list[str] = []

        def send() -> None:
            with httpx2.Client(base_url=serving.url, timeout=60) as ask:
                try:
                    while True:
                        token = predicted(ask)["id"]
                        if corrected(ask, token).status_code == 201:
                            acknowledged.append(token)
                except httpx2.TransportError:
                    return

        sending = [threading.Thread(target=send) for _ in range(4)]
        for thread in sending:
            thread.start()
        wait_until(lambda: len(acknowledged) > 30, 60)
        serving.process.kill()
        for thread in sending:
            thread.join(60)
    finally:
        serving.process.kill()
        serving.process.wait()
    path = tmp_path / "var" / "serving" / "games" / FILE
    assert set(acknowledged) <= {row["prediction_id"] for row in rows(path)}
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_serving_needs_nothing_more_for_it_than_it_has():
    done = subprocess.run(
        [SERVING_PYTHON, "-c", "import serving.feedback, serving.explain, serving.cache"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_store_that_can_not_be_made_refuses(tmp_path):
    (tmp_path / "file").write_text("")

    async def story():
        with pytest.raises(FeedbackUnavailable):
            await Feedback(tmp_path / "file" / "folder").keep(correction(1))

    asyncio.run(story())


@pytest.mark.slow
def test_the_page_says_why_and_takes_a_correction(page, exports, tmp_path):
    """As a person does it: ask, ask why, disagree."""
    serving = start_alone(tmp_path, exports["1"])
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        serving.wait(120, "/readyz")
        page.goto(serving.url)
        page.get_by_label("One text a line").fill("the 😀 film crash awful it\nthe map great it")
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("button", name="Why?").first.click()
        page.locator(".words").wait_for()
        assert page.locator(".word").evaluate_all("words => words.map((word) => word.firstChild.data)") == [
            "the",
            "😀",
            "film",
            "crash",
            "awful",
            "it",
        ]
        assert page.locator(".word sub").count() >= 1, "a number beside the colour"
        group = page.get_by_role("group", name="What the label should be").first
        group.get_by_label("send the text with it").check()
        group.get_by_role("button", name="neutral").click()
        group.get_by_text("Kept for a person to judge: neutral.").wait_for()
        page.screenshot(path=tmp_path / "page.png", full_page=True)
    finally:
        assert serving.stop() == 0
    assert faults == []
    (row,) = rows(tmp_path / "var" / "serving" / "games" / FILE)
    assert (row["label"], row["text"]) == ("neutral", "the 😀 film crash awful it")
