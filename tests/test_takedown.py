"""takedown: what a platform shows no longer is erased, some each day, and an outage is not believed."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell.collect import collect
from groundswell.erase import erase
from groundswell.erasure.subjects import Subject
from groundswell.errors import ErasureError, SourceError
from groundswell.files import write_json
from groundswell.lake import Lake, write_parquet
from groundswell.params import CollectParams, TakedownParams, Topic
from groundswell.schema import EXAMPLE
from groundswell.sources import source_named
from groundswell.sources.base import Recheck
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.steam import SteamTopic
from groundswell.takedown import takedown, todays
from groundswell.window import Window
from tests.simulated import platforms, settings_at

DAY = Window.parse("2026-10-19")
TOPIC = Topic(hackernews=HackerNewsTopic(query="game"), steam=SteamTopic(app_ids=[730]))
NEXT_MORNING = DAY.end + timedelta(hours=7)
LATER = datetime(2026, 10, 26, tzinfo=UTC)


def run(settings, *, now=LATER, params=None, topic=TOPIC, **options):
    def erase_posts(gone):
        subjects = [Subject("post", source, post_id) for source, ids in gone.items() for post_id in ids]
        return erase(subjects, settings=settings, now=now, seal=lambda name: {})

    how = {"settings": settings, "params": params or TakedownParams(), "collect": CollectParams(), "now": now, "erase": erase_posts}
    return takedown("games", topic, **how, **options)


def ids(settings):
    lake = Lake(settings.lake)
    return lake.read(lake.partition("raw", "hackernews", "games", DAY))["post_id"].to_pylist()


def collected(settings):
    return collect("hackernews", "games", TOPIC, [DAY], settings=settings, params=CollectParams(), now=LATER)


def test_what_was_deleted_since_is_erased_and_stays_so(tmp_path):
    world = {"deleted_share": 0.2, "late_share": 0, "edited_share": 0}
    with platforms(**world, now=NEXT_MORNING) as url:
        settings = settings_at(url, tmp_path)
        collected(settings)
        before = ids(settings)
        assert run(settings)["receipt"] is None, "nothing has changed there"
        httpx2.put(f"{url}/now", json={"now": LATER.isoformat()}).raise_for_status()
        report = run(settings)
        gone = report["sources"]["hackernews"]["gone"]
        after = ids(settings)
        assert 0 < gone == len(before) - len(after)
        assert report["sources"]["hackernews"] == {"known": len(before), "asked": len(before), "gone": gone}
        assert report["sources"]["steam"] == {"asked": 0, "note": "the platform can't be asked"}
        assert run(settings)["sources"]["hackernews"]["known"] == len(after)
        httpx2.put(f"{url}/now", json={"now": NEXT_MORNING.isoformat()}).raise_for_status()
        assert collected(settings)["dropped"]["erased"] == gone, "not even where the platform would show it again"
        assert ids(settings) == after


def items(answer):
    return httpx2.MockTransport(lambda request: httpx2.Response(200, content=json.dumps(answer(number(request)))))


def number(request):
    return request.url.path.rpartition("/")[2].removesuffix(".json")


@pytest.mark.parametrize(
    ("item", "is_gone"),
    [
        ({"by": "otter", "text": "here"}, False),
        ({"deleted": True}, True),
        ({"dead": True, "by": "otter"}, True),
        (None, True),
    ],
)
def test_hackernews_says_of_an_item_whether_it_is_there(tmp_path, item, is_gone):
    from groundswell.http import Http

    settings = settings_at("http://platform.test", tmp_path)
    with Http(transport=items(lambda number: item and {"id": int(number), **item})) as http:
        found = list(source_named("hackernews").gone(Recheck(None, ["41000001"], settings, http)))
    assert found == (["41000001"] if is_gone else [])


def test_what_is_no_item_is_not_taken_for_a_deletion(tmp_path):
    from groundswell.http import Http

    settings = settings_at("http://platform.test", tmp_path)
    with Http(transport=items(lambda number: {"error": "moved"})) as http, pytest.raises(SourceError, match="GROUNDSWELL_HACKERNEWS_ITEMS_URL"):
        list(source_named("hackernews").gone(Recheck(None, ["41000001"], settings, http)))


@pytest.fixture
def settings(tmp_path):
    with platforms() as url:
        settings = settings_at(url, tmp_path)
        collected(settings)
        yield settings


def test_an_outage_that_looks_like_deletions_erases_nothing(settings):
    before = ids(settings)
    with pytest.raises(ErasureError, match=f"{len(before)} of {len(before)} posts are said to be gone.*max_gone_share = 0.5"):
        run(settings, transport=items(lambda number: None))
    assert ids(settings) == before
    assert json.loads(settings.report("takedown", "games", "2026-10-26").read_text())["receipt"] is None


def moved(settings, layer):
    """The posts' partition from raw to ``layer``, as retention leaves it; how many."""
    lake = Lake(settings.lake)
    raw = lake.partition("raw", "hackernews", "games", DAY)
    lake.write(lake.partition(layer, "hackernews", "games", DAY), rows := lake.read(raw), {"status": "complete"})
    lake.remove(raw)
    return rows


@pytest.mark.parametrize("layer", ["valid", "quarantine", "scored"])
def test_a_post_that_raw_has_lost_is_found_in_the_other_layers(settings, layer):
    rows = moved(settings, layer)
    chosen = rows["post_id"].to_pylist()[3]
    report = run(settings, transport=items(lambda number: None if number == chosen else {"id": int(number), "by": "otter"}))
    assert report["sources"]["hackernews"] == {"known": rows.num_rows, "asked": rows.num_rows, "gone": 1}
    lake = Lake(settings.lake)
    assert chosen not in lake.read(lake.partition(layer, "hackernews", "games", DAY))["post_id"].to_pylist()
    assert run(settings, transport=items(lambda number: {"id": int(number)}))["sources"]["hackernews"]["known"] == rows.num_rows - 1


def test_a_post_that_only_a_data_set_has_still_is_asked_about_and_goes_from_there(settings):
    rows = moved(settings, "valid")
    lake = Lake(settings.lake)
    lake.remove(lake.partition("valid", "hackernews", "games", DAY))
    sources = {"post_id": rows["post_id"], "created_at": rows["created_at"], "text": rows["text"], "source": rows["source"]}
    row_ids = [f"hackernews/games/{post_id}" for post_id in rows["post_id"].to_pylist()]
    given = {
        "row_id": row_ids,
        "group": row_ids,
        "label": [1] * len(row_ids),
        "label_provenance": ["human"] * len(row_ids),
        "tokens": [7] * len(row_ids),
    }
    table = pa.table({**sources, **given, "lang": ["en"] * rows.num_rows}).select(EXAMPLE.names).cast(EXAMPLE)
    folder = settings.dataset("games")
    folder.mkdir(parents=True)
    for split, part in (("train", table.slice(5)), ("validation", table.slice(2, 3)), ("test", table.slice(0, 2))):
        write_parquet(part, folder / f"{split}.parquet")
    write_json({"topic": "games", "partitions": {}, "splits": {}, "sources": {"hackernews": len(row_ids)}}, folder / "manifest.json")
    chosen = rows["post_id"].to_pylist()[3]
    report = run(settings, transport=items(lambda number: None if number == chosen else {"id": int(number), "by": "otter"}))
    assert report["sources"]["hackernews"] == {"known": len(row_ids), "asked": len(row_ids), "gone": 1}
    assert pq.read_table(folder / "validation.parquet")["post_id"].to_pylist() == [
        each for each in table.slice(2, 3)["post_id"].to_pylist() if each != chosen
    ]
    assert run(settings, now=LATER + timedelta(days=60))["sources"]["hackernews"]["known"] == 0


def test_only_windows_of_the_last_days_are_asked_about(settings):
    report = run(settings, now=LATER + timedelta(days=60))
    assert report["sources"]["hackernews"] == {"known": 0, "asked": 0, "gone": 0}


def test_every_post_has_its_turn_though_others_come_and_go_every_day():
    """The days that are asked about move on by one a day, so what is known is never twice the same."""
    asked, due = {}, {}
    for day in range(40):
        known = [f"{window}-{number}" for window in range(day, day + 10) for number in range(20 + window % 7)]
        chosen = todays(known, 60, LATER + timedelta(days=day))
        assert 0 < len(chosen) <= 60 and set(chosen) <= set(known)
        asked.update(dict.fromkeys(chosen, day))
        due |= {post: day for post in known if post not in due}
        waiting = [post for post in known if day - asked.get(post, due[post]) >= 8]
        assert not waiting, f"day {day}: {len(waiting)} of {len(known)} had no turn for 8 days"


def test_all_are_asked_about_where_a_run_may_ask_so_many():
    known = [str(number) for number in range(25)]
    assert todays(known, 25, LATER) == known
