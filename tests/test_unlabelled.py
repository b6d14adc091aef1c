"""Unlabelled posts: only strangers to the rows of a data set come out of the lake."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from groundswell.examples import Examples
from groundswell.lake import Lake
from groundswell.schema import ANNOTATION, EXAMPLE, POST
from groundswell.unlabelled import Post, strangers, unlabelled_posts
from groundswell.window import Window

LONG = "the long story of a patch that came late and broke what it was meant to mend, told by somebody who waited for it"
NOON = datetime(2026, 10, 19, 12, tzinfo=UTC)


def put(lake, layer, schema, day, rows):
    window = Window.parse(day)
    lake.write(lake.partition(layer, "replay", "games", window), pa.Table.from_pylist(rows, schema=schema), {"window": window.key})


def post(post_id, text, author=None, label=None):
    provenance = "human" if label else None
    of_lake = {"source": "replay", "topic": "games", "created_at": NOON, "label": label, "label_provenance": provenance}
    return {**of_lake, "post_id": post_id, "text": text, "author": author}


def examples(*rows):
    of_all = {"source": "replay", "created_at": NOON, "lang": "en", "label": 0, "label_provenance": "human", "group": "g", "tokens": 5}
    table = pa.Table.from_pylist([{**of_all, "row_id": f"replay/games/{name}", "post_id": name, "text": text} for name, text in rows], schema=EXAMPLE)
    return Examples(table["text"].to_pylist(), table["label"].to_numpy(), table)


def texts_of(lake, topic, rows, **how):
    return [one.text for one in unlabelled_posts(lake, topic, rows, **how)]


@pytest.fixture
def lake(tmp_path):
    found = Lake(tmp_path)
    put(
        found,
        "valid",
        POST,
        "2026-10-19",
        [
            post("1", LONG, author="ann", label="negative"),
            post("2", "ann again, of something else", author="ann"),
            post("3", LONG.replace("somebody", "someone")),
            post("4", "a stranger speaks of the weather", author="bob"),
            post("5", "labelled by hand, in no split", label="neutral"),
            post("6", "an annotator has seen this one"),
            post("7", "   "),
            post("8", "a first form"),
        ],
    )
    put(found, "valid", POST, "2026-10-20", [post("8", "the latest form, see https://example.org/x"), post("9", "one more stranger")])
    put(
        found,
        "labels",
        ANNOTATION,
        "2026-10-20",
        [{"source": "replay", "topic": "games", "post_id": "6", "label": "neutral", "label_provenance": "human"}],
    )
    return found


def test_only_strangers_without_a_label_come_out(lake):
    found = texts_of(lake, "games", [examples(("1", LONG))], most=10, similarity=0.8)
    assert sorted(found) == ["a stranger speaks of the weather", "one more stranger", "the latest form, see http"]
    assert len(texts_of(lake, "games", [examples(("1", LONG))], most=2, similarity=0.8)) == 2
    assert texts_of(lake, "films", [], most=2, similarity=0.8) == []
    assert {post.post_id for post in unlabelled_posts(lake, "games", [examples(("1", LONG))], most=10, similarity=0.8)} == {"4", "8", "9"}


def test_a_row_keeps_strangers_off_although_its_post_is_gone_or_edited(lake):
    gone = examples(("99", "a stranger speaks of the weather"), ("8", "one more stranger"))
    found = texts_of(lake, "games", [gone], most=10, similarity=0.8)
    assert not set(found) & {"a stranger speaks of the weather", "one more stranger", "the latest form, see http"}


def test_chains_of_near_duplicates_author_and_id_relate():
    words = LONG.split()
    near = " ".join(words[:-1])
    nearer = " ".join(words[:-2])
    known = [Post("replay", "1", "ann", LONG)]
    posts = [
        Post("x", "2", None, nearer),
        Post("x", "3", None, near),
        Post("x", "4", "ann", "other"),
        Post("x", "1", None, "else"),
        Post("x", "5", None, "new"),
    ]
    assert strangers(posts, known, similarity=0.9) == [posts[-1]]
    assert strangers(posts[:1], known, similarity=0.99) == posts[:1]
