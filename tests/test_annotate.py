"""annotate: people's labels come in beside the posts, the same each time, and only for posts that have none."""

from datetime import UTC, datetime

import httpx2
import pytest

from groundswell.annotate import annotate
from groundswell.collect import collect
from groundswell.errors import LakeError, SourceError
from groundswell.files import sha256_of
from groundswell.lake import Lake
from groundswell.params import AnnotateParams, CollectParams, Topic
from groundswell.schema import ANNOTATION, LABELS
from groundswell.simulator.corpus import write_corpus
from groundswell.simulator.settings import SimulatorSettings
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.replay import ReplayTopic
from groundswell.sources.steam import SteamTopic
from groundswell.window import Window, parse_windows
from tests.simulated import platforms, settings_at

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """Settings of a lake with one raw day of all three sources, the simulator running."""
    home = tmp_path_factory.mktemp("annotate")
    columns = {"post_id": "id", "created_at": "time", "author": "user", "text": "body", "label": "sentiment", "lang": "lang"}
    topic = Topic(
        hackernews=HackerNewsTopic(query="game"), steam=SteamTopic(app_ids=[730]), replay=ReplayTopic(path=home / "corpus.csv", columns=columns)
    )
    write_corpus(home / "corpus.csv", "games", [DAY], SimulatorSettings())
    with platforms() as url:
        settings = settings_at(url, home)
        for source in topic.sources:
            collect(source, "games", topic, [DAY], settings=settings, params=CollectParams(), now=NOW)
        yield settings


def labels(settings, source):
    lake = Lake(settings.lake)
    return lake.read(lake.partition("labels", source, "games", DAY))


def test_a_share_of_the_unlabelled_posts_is_labelled(collected):
    report = annotate("games", [DAY], settings=collected, params=AnnotateParams(share=0.3))
    asked = {source: part["asked"] for source, part in report["windows"][DAY.key].items()}
    assert asked["replay"] == 0 and asked["hackernews"] > 60 and asked["steam"] > 60
    assert labels(collected, "replay").num_rows == 0
    for source in ("hackernews", "steam"):
        table = labels(collected, source)
        assert table.schema.equals(ANNOTATION)
        assert 0.1 < table.num_rows / asked[source] < 0.55
        assert set(table["label_provenance"].to_pylist()) == {"human"}
        assert set(table["label"].to_pylist()) <= set(LABELS)
        assert table["post_id"].to_pylist() == sorted(table["post_id"].to_pylist())
    assert report["labels"] == sum(labels(collected, source).num_rows for source in asked)


def test_the_same_question_has_the_same_answer(collected):
    params = AnnotateParams(share=0.4, seed=3)
    path = collected.lake / Lake(collected.lake).partition("labels", "steam", "games", DAY).name
    found = []
    for _ in range(2):
        path.unlink(missing_ok=True)
        annotate("games", [DAY], settings=collected, params=params)
        found.append(sha256_of(path))
    assert found[0] == found[1]


def test_what_validate_leaves_changes_no_label(collected):
    """The first time a window is annotated before it is validated, every later time after."""
    annotate("games", [DAY], settings=collected, params=AnnotateParams())
    lake = Lake(collected.lake)
    before = lake.sha256(lake.partition("labels", "hackernews", "games", DAY))
    raw = lake.read(lake.partition("raw", "hackernews", "games", DAY))
    valid = lake.partition("valid", "hackernews", "games", DAY)
    lake.write(valid, raw.slice(0, 20), {"window": DAY.key})
    try:
        annotate("games", [DAY], settings=collected, params=AnnotateParams())
    finally:
        lake.remove(valid)
    assert lake.sha256(lake.partition("labels", "hackernews", "games", DAY)) == before


def test_annotators_err_at_the_rate_that_is_set(collected):
    right, wrong = (_labels_at(collected, error_rate) for error_rate in (0.0, 1.0))
    assert right.keys() == wrong.keys() and len(right) > 60
    assert not any(right[post] == wrong[post] for post in right)


def _labels_at(settings, error_rate):
    annotate("games", [DAY], settings=settings, params=AnnotateParams(share=1.0, error_rate=error_rate))
    table = labels(settings, "hackernews")
    return dict(zip(table["post_id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_nobody_annotates_where_no_annotator_is_set(tmp_path):
    settings = settings_at("http://platform.test", tmp_path).model_copy(update={"annotator_url": ""})
    report = annotate("games", [DAY], settings=settings, params=AnnotateParams())
    assert (report["labels"], report["annotator"]) == (0, None)
    assert not list(tmp_path.iterdir())


def test_a_window_without_posts_is_refused(collected):
    with pytest.raises(LakeError, match="no posts of games/2026-10-20"):
        annotate("games", parse_windows("2026-10-19..2026-10-20"), settings=collected, params=AnnotateParams())


def test_a_damaged_window_is_said(collected):
    path = collected.lake / Lake(collected.lake).partition("raw", "steam", "games", DAY).name
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\x00" * 400 + whole[404:])
    try:
        with pytest.raises(LakeError, match="source=steam.*can't be read as Parquet"):
            annotate("games", [DAY], settings=collected, params=AnnotateParams())
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "answer",
    [
        {"nothing": 1},
        {"annotations": [{"source": "steam", "post_id": "no such post", "label": "positive", "labelled_at": "2026-10-19T00:00:00Z"}]},
        {"annotations": [{"source": "steam", "post_id": "$first", "label": "splendid", "labelled_at": "2026-10-19T00:00:00Z"}]},
        {"annotations": [{"source": "steam", "post_id": "$first", "label": "positive", "labelled_at": "2026-10-19T00:00:00"}]},
        {"annotations": [{"post_id": "$first"}]},
        {"annotations": ["positive"]},
    ],
)
def test_an_annotator_that_cannot_be_understood_is_said(collected, answer):
    def annotator(request):
        import json

        first = json.loads(request.content)["posts"][0]
        return httpx2.Response(200, text=json.dumps(answer).replace("$first", first["post_id"]).replace('"steam"', f'"{first["source"]}"'))

    with pytest.raises(SourceError, match="annotat"):
        annotate("games", [DAY], settings=collected, params=AnnotateParams(), transport=httpx2.MockTransport(annotator))
