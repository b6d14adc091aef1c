"""score: every valid post has the champion's answer, the same bytes however often, and a lake that says when scores are stale."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from groundswell import registry, tombstones
from groundswell.errors import LakeChanged, LakeError, UsageError
from groundswell.lake import Lake
from groundswell.overview import overview
from groundswell.params import Params, ScoreParams, Topic
from groundswell.predictor import Predictor
from groundswell.schema import LABELS, POST, SCORED
from groundswell.score import score
from groundswell.settings import Settings
from groundswell.sources.replay import ReplayTopic
from groundswell.superseded import written_as
from groundswell.window import Window, parse_windows
from tests.tiny import make_champion, shared_export, tiny_export, tiny_rows

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent
KEY = "a-key-that-only-the-tests-know"
PARAMS = ScoreParams()
TEXTS = ["", "\x00", "🎮" * 300, "a" * 9000, "שלום", *tiny_rows(40, seed=3)[0]]


class Killed(BaseException):
    pass


def settings_of(project):
    return Settings(project=project, home=Path("var"), pseudonym_key=KEY)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Settings with a champion that has learnt; tests take windows of their own."""
    settings = settings_of(tmp_path_factory.mktemp("score"))
    make_champion(settings, shared_export())
    return settings


def put(settings, day, texts, source="replay", **metadata):
    """Valid posts of a day, author ``a0`` and so on; what the footer says of them."""
    window = Window.parse(day)
    rows = [
        {
            **dict.fromkeys(POST.names),
            "source": source,
            "topic": "games",
            "post_id": f"{day}-{number:05d}",
            "author": f"a{number}",
            "created_at": window.start + timedelta(seconds=number),
            "text": text,
            "connector_version": "1",
        }
        for number, text in enumerate(texts)
    ]
    lake = Lake(settings.lake)
    said = {"window": day, "status": "complete", **metadata}
    return lake.write(lake.partition("valid", source, "games", window), pa.Table.from_pylist(rows, POST), said, reason="recollect D-1")


def scored(settings, days, sources=("replay",), **options):
    return score("games", list(sources), parse_windows(days), settings=settings, params=options.pop("params", PARAMS), **options)


def place(settings, day, layer="scored", source="replay"):
    return Lake(settings.lake).partition(layer, source, "games", Window.parse(day))


def rows_of(settings, day, source="replay"):
    return Lake(settings.lake).read(place(settings, day, source=source))


def footer(settings, day):
    return Lake(settings.lake).metadata(place(settings, day))


def bytes_of(settings, day):
    return (settings.lake / place(settings, day).name).read_bytes()


def champion(settings):
    found = registry.version_by_alias(settings, "games", registry.CHAMPION)
    return {"version": found.version, "run_id": found.run_id}


def test_every_post_has_the_champions_answer_and_no_text(home):
    valid = put(home, "2026-10-01", TEXTS)
    report = scored(home, "2026-10-01")
    table = rows_of(home, "2026-10-01")
    expected = Predictor.load(shared_export()).predict(TEXTS)
    assert table.schema.equals(SCORED) and "text" not in table.column_names
    assert np.array_equal(np.stack([table[label].to_numpy() for label in LABELS], axis=1), expected), "to the last bit"
    assert table["label"].to_pylist() == [LABELS[number] for number in expected.argmax(axis=1)]
    assert set(table["label"].to_pylist()) == set(LABELS), "the champion has learnt, or this shows nothing"
    posts = Lake(home.lake).read(place(home, "2026-10-01", "valid"))
    assert table.select(["source", "post_id", "author", "created_at"]).equals(posts.select(["source", "post_id", "author", "created_at"]))
    model = champion(home)
    assert set(table["model_version"].to_pylist()) == {model["version"]} and set(table["run_id"].to_pylist()) == {model["run_id"]}
    said = footer(home, "2026-10-01")
    assert (said["made_of"], said["model"], said["status"], said["rows"]) == (written_as(valid), model, "complete", len(TEXTS))
    assert (report["rows"], sum(report["labels"].values()), report["model_version"]) == (len(TEXTS), len(TEXTS), model["version"])
    assert report["changed"] == ["replay/games/2026-10-01"]


def test_the_report_counts_labels_by_source_and_repeats_itself(home):
    put(home, "2026-10-02", ["great wonderful best", "awful worst hate"])
    put(home, "2026-10-02", ["love superb fun"], source="steam")
    scored(home, "2026-10-02", ["replay", "steam"])
    path = home.report("score", "games", "2026-10-02")
    before, report = path.read_bytes(), json.loads(path.read_text())
    assert report["sources"]["replay"]["labels"] == {"negative": 1, "neutral": 0, "positive": 1}
    assert report["sources"]["steam"]["labels"] == {"negative": 0, "neutral": 0, "positive": 1}
    assert (report["rows"], report["labels"], report["missing"]) == (3, {"negative": 1, "neutral": 0, "positive": 2}, [])
    assert report["sources"]["steam"]["model"] == champion(home)
    scored(home, "2026-10-02", ["steam"])
    assert path.read_bytes() == before, "of one source alone, what is said of the other stays"


@pytest.mark.parametrize("change", ["none", "gone", "cut elsewhere", "two at once"])
def test_the_same_posts_and_the_same_model_give_the_same_bytes(home, monkeypatch, change):
    put(home, "2026-10-03", TEXTS)
    scored(home, "2026-10-03")
    before, stamp = bytes_of(home, "2026-10-03"), os.stat(home.lake / place(home, "2026-10-03").name).st_mtime_ns
    params = ScoreParams(threads=2) if change == "two at once" else PARAMS
    if change != "none":
        Lake(home.lake).remove(place(home, "2026-10-03"))
    if change == "cut elsewhere":
        monkeypatch.setattr("groundswell.score._AT_ONCE", 7)
    again = scored(home, "2026-10-03", params=params)
    assert bytes_of(home, "2026-10-03") == before
    assert again["changed"] == ([] if change == "none" else ["replay/games/2026-10-03"])
    assert change != "none" or os.stat(home.lake / place(home, "2026-10-03").name).st_mtime_ns == stamp


def test_what_is_scored_already_is_not_asked_again(home, monkeypatch):
    put(home, "2026-10-04", TEXTS[:9])
    scored(home, "2026-10-04")
    monkeypatch.setattr(Predictor, "load", lambda *arguments, **options: pytest.fail("the model was loaded for nothing"))
    assert scored(home, "2026-10-04")["rows"] == 9


def cell(settings, day):
    params = Params(topic="games", topics={"games": Topic(replay=ReplayTopic(path="c.csv"))})
    return overview(settings, params, windows=[Window.parse(day)])["topics"]["games"]["replay"][day]


def test_valid_posts_that_changed_make_scores_stale_until_they_are_made_again(home):
    put(home, "2026-10-05", TEXTS[:9])
    scored(home, "2026-10-05")
    assert (cell(home, "2026-10-05")["is_scored"], cell(home, "2026-10-05")["scored_by"]) == (True, champion(home)["version"])
    put(home, "2026-10-05", TEXTS[:12])
    assert (cell(home, "2026-10-05")["is_scored"], cell(home, "2026-10-05")["rows_scored"]) == (None, 9)
    report = scored(home, "2026-10-05")
    assert (report["rows"], report["changed"]) == (12, ["replay/games/2026-10-05"])
    assert (footer(home, "2026-10-05")["revision"], footer(home, "2026-10-05")["reason"]) == (2, "recollect D-1")
    assert cell(home, "2026-10-05")["is_scored"] is True


def test_another_champion_scores_again_and_says_why(tmp_path):
    settings = settings_of(tmp_path)
    make_champion(settings, shared_export())
    for day, texts in (("2026-10-01", TEXTS), ("2026-10-02", [])):
        put(settings, day, texts)
    scored(settings, "2026-10-01..2026-10-02")
    make_champion(settings, tiny_export(tmp_path / "other" / "export", seed=3, steps=0))
    report = scored(settings, "2026-10-01..2026-10-02")
    assert report["model_version"] == "2" and report["changed"] == ["replay/games/2026-10-01"]
    assert (footer(settings, "2026-10-01")["revision"], footer(settings, "2026-10-01")["reason"]) == (2, "scored by version 2")
    assert set(rows_of(settings, "2026-10-01")["model_version"].to_pylist()) == {"2"}
    assert footer(settings, "2026-10-02")["model"]["version"] == "2", "of a window without posts the footer alone can tell"


def test_a_window_without_posts_is_a_partition_without_rows(home):
    put(home, "2026-10-06", [])
    report = scored(home, "2026-10-06")
    assert (report["rows"], report["labels"]) == (0, dict.fromkeys(LABELS, 0))
    assert rows_of(home, "2026-10-06").schema.equals(SCORED) and cell(home, "2026-10-06")["is_scored"] is True


def test_an_open_window_is_scored_as_open(home):
    put(home, "2026-10-07", TEXTS[:3], status="open")
    scored(home, "2026-10-07")
    assert footer(home, "2026-10-07")["status"] == "open"
    put(home, "2026-10-07", TEXTS[:3], status="complete")
    scored(home, "2026-10-07")
    assert footer(home, "2026-10-07")["status"] == "complete"


def test_a_window_that_is_not_validated_is_named(home):
    with pytest.raises(LakeError, match=r"valid/replay/games/2026-09-01 is not in the lake .*run groundswell validate --window 2026-09-01 first"):
        scored(home, "2026-09-01")
    put(home, "2026-09-02", TEXTS[:3])
    with pytest.raises(LakeError, match="valid/steam/games/2026-09-02"):
        scored(home, "2026-09-02", ["replay", "steam"])
    report = scored(home, "2026-09-02", ["replay", "steam"], spare_missing=True)
    assert (report["rows"], report["missing"]) == (3, ["steam/games/2026-09-02"])
    with pytest.raises(LakeError, match="2026-09-01"):
        scored(home, "2026-09-01", ["replay", "steam"], spare_missing=True)


def test_without_a_champion_nobody_can_score(tmp_path):
    settings = settings_of(tmp_path)
    put(settings, "2026-10-01", TEXTS[:3])
    with pytest.raises(UsageError, match="no model of topic games is champion yet") as caught:
        scored(settings, "2026-10-01")
    assert caught.value.exit_code == 2
    report = scored(settings, "2026-10-01", if_champion=True)
    assert "no model of topic games is champion yet" in report["nothing_to_do"]
    assert not (settings.lake / "scored").exists() and not settings.report("score", "games", "2026-10-01").exists()


def test_killed_on_the_way_the_next_run_does_the_rest_and_no_more(home, monkeypatch):
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        put(home, day, [f"{text} {day}" for text in TEXTS])
    whole = Predictor.predict

    def dies(self, texts):
        if any("2026-11-02" in text for text in texts):
            raise Killed
        return whole(self, texts)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Predictor, "predict", dies)
        scored(home, "2026-11-01..2026-11-03")
    lake = Lake(home.lake)
    assert [lake.exists(place(home, f"2026-11-0{day}")) for day in (1, 2, 3)] == [True, False, False]
    report = scored(home, "2026-11-01..2026-11-03")
    assert report["changed"] == ["replay/games/2026-11-02", "replay/games/2026-11-03"]
    assert {day: one["rows"] for day, one in report["windows"].items()} == dict.fromkeys(("2026-11-01", "2026-11-02", "2026-11-03"), len(TEXTS))
    assert not [path for path in (home.lake / "scored").rglob("*") if path.is_file() and path.name != "part-0.parquet"]


def meanwhile(monkeypatch, do):
    """Have ``do`` happen while the first texts are answered."""
    whole, done = Predictor.predict, []

    def predict(self, texts):
        if not done:
            done.append(do())
        return whole(self, texts)

    monkeypatch.setattr(Predictor, "predict", predict)


def test_valid_posts_that_are_written_meanwhile_are_no_halves(home, monkeypatch):
    put(home, "2026-11-05", TEXTS)
    meanwhile(monkeypatch, lambda: put(home, "2026-11-05", TEXTS[:4]))
    with pytest.raises(LakeChanged, match="valid/replay/games/2026-11-05 was written anew while its posts were scored"):
        scored(home, "2026-11-05")
    assert not Lake(home.lake).exists(place(home, "2026-11-05"))
    assert scored(home, "2026-11-05")["rows"] == 4


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_was_erased_is_not_scored(tmp_path, monkeypatch, when):
    settings = settings_of(tmp_path)
    make_champion(settings, shared_export())
    put(settings, "2026-10-01", TEXTS[:9])

    def erase():
        return tombstones.add(settings, "replay", post_ids=["2026-10-01-00003"])

    erase() if when == "before" else meanwhile(monkeypatch, erase)
    assert scored(settings, "2026-10-01")["rows"] == 8
    assert "2026-10-01-00003" not in rows_of(settings, "2026-10-01")["post_id"].to_pylist()


def test_an_erasure_makes_no_score_stale(home):
    put(home, "2026-10-08", TEXTS[:9])
    scored(home, "2026-10-08")
    lake = Lake(home.lake)
    for layer in ("valid", "scored"):
        lake.rewrite(place(home, "2026-10-08", layer), lambda table: table.slice(1), reason="erased")
    assert cell(home, "2026-10-08")["is_scored"] is True
    assert scored(home, "2026-10-08")["changed"] == [] and rows_of(home, "2026-10-08").num_rows == 8


def test_scores_of_an_encrypted_lake_are_encrypted(tmp_path):
    (tmp_path / "lake.keys").write_text("0f" * 32)
    settings = settings_of(tmp_path).model_copy(update={"lake_key": "lake.keys"})
    make_champion(settings, shared_export())
    put(settings, "2026-10-01", TEXTS[:9])
    assert scored(settings, "2026-10-01")["rows"] == 9
    raw = (settings.root / "lake" / place(settings, "2026-10-01").name).read_bytes()
    assert raw[:4] == b"PARE" and b"2026-10-01-0000" not in raw
    assert rows_of(settings, "2026-10-01").num_rows == 9


def test_the_command_prints_its_report_as_one_line_and_refuses_in_one_sentence(home):
    (home.project / "params.yaml").write_text("topic: games\ntopics:\n  games:\n    replay: {path: c.csv}\n  films:\n    replay: {path: c.csv}\n")
    put(home, "2026-10-09", TEXTS[:9])
    environment = {**os.environ, "GROUNDSWELL_PROJECT": str(home.project), "GROUNDSWELL_PSEUDONYM_KEY": KEY, "PYTHONPATH": f"{PROJECT}/src:{PROJECT}"}

    def run(*words):
        command = [sys.executable, "-m", "groundswell.cli", "score", "--window", "2026-10-09", *words]
        return subprocess.run(command, cwd=home.project, env=environment, capture_output=True, text=True, check=False)

    done = run("--sources", "replay")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 9
    lake = Lake(home.lake)
    lake.write(lake.partition("valid", "replay", "films", Window.parse("2026-10-09")), POST.empty_table(), {"window": "2026-10-09"})
    refused = run("--topic", "films")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1].startswith("groundswell: no model of topic films is champion yet")
