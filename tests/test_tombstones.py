"""tombstones: who was erased stays out of every publish, before it and after it, under every key; nothing in the file says who it was."""

from contextlib import contextmanager

import pyarrow as pa
import pytest

from groundswell import tombstones
from groundswell.collect import collect
from groundswell.errors import ErasureError, ParamsError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.pseudonym import Pseudonyms, key_id
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.sources.contract import NOW
from groundswell.sources.replay import ReplayTopic
from groundswell.tombstones import Tombstones
from groundswell.window import Window
from groundswell.wrapped import wrap

DAY = Window.parse("2026-10-19")
KEYS = ("the-first-key-of-the-tests", "the-second-key-of-the-tests")
COLUMNS = {"post_id": "id", "created_at": "time", "text": "text", "author": "by"}
ROWS = ["id,time,text,by", "1,2026-10-19T01:00,one,otter_77", "2,2026-10-19T02:00,two,heron_12", "3,2026-10-19T03:00,three,otter_77"]


def settings_with(tmp_path, *keys):
    return Settings(project=tmp_path, home=tmp_path / "var", pseudonym_key=keys[0], pseudonym_keys_before=",".join(keys[1:]))


def collected(settings, rows=ROWS):
    path = settings.project / "corpus.csv"
    path.write_text("\n".join(rows) + "\n")
    topic = Topic(replay=ReplayTopic(path=path, columns=COLUMNS))
    return collect("replay", "games", topic, [DAY], settings=settings, params=CollectParams(), now=NOW)


def ids(settings):
    lake = Lake(settings.lake)
    return lake.read(lake.partition("raw", "replay", "games", DAY))["post_id"].to_pylist()


def table(*rows):
    filled = [dict.fromkeys(POST.names) | {"source": "replay", "topic": "games", "created_at": DAY.start, **row} for row in rows]
    return pa.Table.from_pylist(filled, schema=POST)


def test_an_erased_author_and_an_erased_post_are_left_out_and_counted(tmp_path):
    settings = settings_with(tmp_path, KEYS[0])
    assert collected(settings)["rows"] == 3
    assert tombstones.add(settings, "replay", authors=["otter_77"]) == 1
    report = collected(settings)
    assert (report["rows"], report["dropped"], ids(settings)) == (1, {"erased": 2}, ["2"])
    tombstones.add(settings, "replay", post_ids=["2"])
    assert collected(settings)["dropped"] == {"erased": 3}
    assert ids(settings) == []


def test_the_same_ids_of_another_source_stay(tmp_path):
    settings = settings_with(tmp_path, KEYS[0])
    tombstones.add(settings, "steam", authors=["otter_77"], post_ids=["2"])
    assert collected(settings)["rows"] == 3


def test_the_file_says_nothing_to_whoever_has_no_key(tmp_path):
    settings = settings_with(tmp_path, *KEYS)
    tombstones.add(settings, "replay", authors=["otter_77"], post_ids=["6790123456"])
    assert tombstones.add(settings, "replay", authors=["otter_77"]) == 0, "twice is once"
    content = tombstones.path_of(settings).read_text()
    assert "otter" not in content and "6790123456" not in content
    assert content.count("\n") == 2 and all(key_id(key.encode()) in content for key in KEYS)


def test_a_tombstone_holds_under_a_key_that_came_later_and_rows_made_with_an_older_one(tmp_path):
    tombstones.add(settings_with(tmp_path, KEYS[0]), "replay", authors=["otter_77"], post_ids=["2"])
    later = settings_with(tmp_path, "a-third-key-of-the-tests", *KEYS)
    assert collected(later)["dropped"] == {"erased": 3}
    made_with = {key: Pseudonyms(key.encode(), "replay").of("heron_12") for key in KEYS}
    both = settings_with(tmp_path, *KEYS)
    tombstones.add(both, "replay", authors=["heron_12"])
    rows = table(*({"post_id": key, "author": author} for key, author in made_with.items()), {"post_id": "9", "author": "a" * 32})
    assert Tombstones(both).without(rows)["post_id"].to_pylist() == ["9"]


def test_a_key_that_is_gone_is_an_error_not_a_way_back(tmp_path):
    tombstones.add(settings_with(tmp_path, KEYS[0]), "replay", authors=["otter_77"])
    with pytest.raises(ErasureError, match="GROUNDSWELL_PSEUDONYM_KEYS_BEFORE, or what was erased could come back"):
        collected(settings_with(tmp_path, KEYS[1]))
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEY"):
        Tombstones(Settings(project=tmp_path, home=tmp_path / "var"))


def test_a_line_cut_short_by_a_kill_is_cut_off_and_one_that_was_damaged_is_named(tmp_path):
    settings = settings_with(tmp_path, KEYS[0])
    tombstones.add(settings, "replay", authors=["otter_77"])
    path = tombstones.path_of(settings)
    with open(path, "ab") as file:
        file.write(b'{"kind": "auth')
    assert len(Tombstones(settings)) == 1
    tombstones.add(settings, "replay", authors=["heron_12"])
    assert len(Tombstones(settings)) == 2
    path.write_bytes(path.read_bytes().replace(b"kind", b"sort", 1))
    with pytest.raises(ErasureError, match="line 1: expected a tombstone"):
        Tombstones(settings)


def test_who_is_erased_between_reading_and_publishing_is_taken_out_again(tmp_path, monkeypatch):
    settings = settings_with(tmp_path, KEYS[0])
    writing = Lake.writing

    @contextmanager
    def erased_meanwhile(self, *arguments, **options):
        with writing(self, *arguments, **options) as rows:
            yield rows
        tombstones.add(settings, "replay", authors=["otter_77"])

    monkeypatch.setattr(Lake, "writing", erased_meanwhile)
    report = collected(settings)
    assert ids(settings) == ["2"] and report["rows"] == 1


def test_what_others_quoted_of_an_erased_author_goes_with_the_rest(tmp_path):
    settings = settings_with(tmp_path, KEYS[0])
    otter = Pseudonyms(KEYS[0].encode(), "replay").of("otter_77")
    lake = Lake(settings.lake)
    partition = lake.partition("raw", "replay", "games", DAY)
    answered = f"at://{wrap('otter_77', KEYS[0].encode(), 'replay')}/7"
    quoting = {"post_id": "1", "parent_id": answered, "raw": f'{{"quoted":{{"by":"{otter}","text":"mine"}}}}'}
    rows = table(quoting, {"post_id": "2", "parent_id": "8", "raw": '{"text":"other"}'})
    lake.write(partition, rows, {"window": DAY.key})
    tombstones.add(settings, "replay", authors=["otter_77"])
    assert Tombstones(settings).clean(lake, partition) == 0
    assert lake.read(partition)["raw"].to_pylist() == ["{}", '{"text":"other"}']
    assert lake.read(partition)["parent_id"].to_pylist() == [None, "8"]
    assert lake.metadata(partition)["revision"] == 2, "whom a post answers is part of what it says; what its record quotes is not"


def test_windows_that_are_there_keep_the_pseudonyms_of_their_key(tmp_path):
    old, new = settings_with(tmp_path, KEYS[0]), settings_with(tmp_path, KEYS[1], KEYS[0])
    first = collected(old)
    assert collected(new)["sha256"] == first["sha256"], "a backfill after a rotation gives the same bytes"
    lake = Lake(new.lake)
    partition = lake.partition("raw", "replay", "games", DAY)
    assert lake.metadata(partition)["pseudonym_key"] == key_id(KEYS[0].encode())
    lake.remove(partition)
    collected(new)
    assert set(lake.read(partition)["author"].to_pylist()) == {Pseudonyms(KEYS[1].encode(), "replay").of(name) for name in ("otter_77", "heron_12")}
