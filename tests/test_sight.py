"""append on sight: a window grows with each reading, loses nothing that it had, and says how much of it was seen."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from groundswell.collect import collect, watch
from groundswell.errors import AccessRefused, RateLimited, SourceError, UsageError, WindowError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Section, Topic
from groundswell.sources.base import Found, Shown, Source
from groundswell.window import Window, parse_windows
from tests.simulated import settings_at

DAY = Window.parse("2026-10-19")
NEXT = datetime(2026, 10, 20, 0, 30, tzinfo=UTC)
ADDRESS = "http://board.test/"


class BoardTopic(Section):
    pass


def at(hour, minute=0, day=19):
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


def pinned(number, created, text="a note", edited=None, **more):
    return Found(post_id=str(number), created_at=created, text=text, record={"n": number}, edited_at=edited, **more)


class Board:
    """A platform that shows what a test puts on it, and knows its own state again by a validator."""

    def __init__(self, monkeypatch, home):
        self.notes: Sequence[Found] = ()
        self.state = "1"
        self.address = ADDRESS
        self.broken = {}
        self.asked_with = []
        source = Source(name="board", version=1, section=BoardTopic, posts=self._posts, reads="append on sight")
        monkeypatch.setattr("groundswell.collect.source_named", lambda name: source)
        self.settings = settings_at("http://platform.test", home)
        self.lake = Lake(self.settings.lake)

    def show(self, *notes):
        self.notes, self.state = notes, str(int(self.state) + 1)

    def _posts(self, reading):
        reading.failed.update(self.broken)
        known = reading.known.get(self.address)
        self.asked_with.append(known and known.validators["if-none-match"])
        if known and known.validators["if-none-match"] == self.state:
            reading.shown[self.address] = known
            return
        since = min((note.created_at for note in self.notes), default=None)
        reading.shown[self.address] = Shown(since, {"if-none-match": self.state})
        yield from (note for note in self.notes if note.created_at in reading)

    def read(self, now=NEXT, windows=(DAY,)):
        topic = Topic(board=BoardTopic())
        transport = httpx2.MockTransport(lambda request: httpx2.Response(404))
        return collect("board", "games", topic, list(windows), settings=self.settings, params=CollectParams(), now=now, transport=transport)

    def watch(self, now):
        topic = Topic(board=BoardTopic())
        transport = httpx2.MockTransport(lambda request: httpx2.Response(404))
        return watch("board", "games", topic, settings=self.settings, params=CollectParams(), now=now, transport=transport)

    def partition(self, window=DAY):
        return self.lake.partition("raw", "board", "games", window)

    def rows(self, window=DAY):
        return self.lake.read(self.partition(window)).to_pylist()

    def ids(self, window=DAY):
        return [row["post_id"] for row in self.rows(window)]

    def footer(self, window=DAY):
        return self.lake.metadata(self.partition(window))


@pytest.fixture
def board(monkeypatch, tmp_path):
    return Board(monkeypatch, tmp_path)


def spans(board, window=DAY):
    return [tuple(end[11:16] for end in span) for span in board.footer(window)["seen"][ADDRESS]]


def test_a_window_is_the_union_of_what_was_seen(board):
    board.show(pinned(1, at(9)), pinned(2, at(10)))
    board.read(at(11))
    board.show(pinned(2, at(10)), pinned(3, at(12)))
    board.read(at(13))
    board.show(pinned(3, at(12)), pinned(4, at(1, day=20)))
    board.read(at(2, day=20))
    assert board.ids() == ["1", "2", "3"]
    assert spans(board) == [("09:00", "00:00")]
    assert (board.footer()["status"], board.footer()["seen_share"], board.footer()["revision"]) == ("complete", 0.625, 2)


def test_a_rerun_with_nothing_new_changes_no_byte(board):
    board.show(pinned(1, at(9)))
    first = board.read()
    assert board.read(NEXT + timedelta(hours=3))["sha256"] == first["sha256"]
    board.show(pinned(9, at(3, day=20)))
    assert board.read(NEXT + timedelta(hours=9))["sha256"] == first["sha256"] == board.lake.sha256(board.partition())
    assert board.ids() == ["1"]


def test_what_was_missed_between_two_readings_is_said(board):
    board.show(pinned(1, at(0, day=18)), pinned(2, at(6)))
    board.read(at(7))
    board.show(pinned(3, at(12)))
    assert board.read(at(18))["windows"][DAY.key]["seen_share"] == pytest.approx(13 / 24, abs=1e-4)
    assert spans(board) == [("00:00", "07:00"), ("12:00", "18:00")]


def test_a_window_that_is_not_over_is_open(board):
    board.show(pinned(1, at(9, day=18)))
    board.read(at(12))
    assert (board.footer()["status"], board.ids()) == ("open", [])
    board.read(NEXT)
    assert (board.footer()["status"], board.footer()["revision"], board.footer()["seen_share"]) == ("complete", 1, 1.0)
    assert board.lake.revisions() == []


def test_a_window_that_has_not_begun_is_refused(board):
    with pytest.raises(WindowError, match="begins at 2026-10-19T00:00Z"):
        board.read(at(0))


def test_a_window_out_of_sight_is_refused_not_empty(board):
    board.show(pinned(1, at(9, day=20)))
    with pytest.raises(WindowError, match=r"2026-10-19 is out of sight.*reaches back to 2026-10-20T09:00Z"):
        board.read(at(10, day=20))
    board.show()
    with pytest.raises(WindowError, match="nothing with a date is shown"):
        board.read(at(11, day=20))
    assert not board.lake.exists(board.partition())


def test_once_seen_a_window_may_go_out_of_sight(board):
    board.show(pinned(1, at(9)))
    board.read()
    board.show(pinned(8, at(9, day=23)))
    assert board.read(at(10, day=23))["rows"] == 1


def test_another_address_takes_nothing_from_what_was_seen(board):
    board.show(pinned(1, at(9)))
    board.read()
    board.address = "http://other.test/"
    board.show(pinned(8, at(9, day=23)))
    assert board.read(at(10, day=23))["rows"] == 1
    assert board.footer()["seen"]["http://board.test/"] == [["2026-10-19T09:00:00+00:00", "2026-10-20T00:00:00+00:00"]]
    assert board.footer()["seen_share"] == 0


def test_the_first_text_stays_unless_a_later_edit_is_named(board):
    board.show(pinned(1, at(9), "as it was"), pinned(2, at(9), "as it was", edited=at(10)))
    board.read()
    board.show(pinned(1, at(9), "touched in silence"), pinned(2, at(9), "older", edited=at(9, 30)))
    board.read()
    assert [row["text"] for row in board.rows()] == ["as it was", "as it was"]
    board.show(pinned(1, at(9), "corrected", edited=at(11)), pinned(2, at(9), "corrected", edited=at(11)))
    board.read()
    assert [row["text"] for row in board.rows()] == ["corrected", "corrected"]
    assert board.footer()["reason"] == "appended on sight"


def test_nothing_new_is_asked_for_by_the_windows_own_reading(board):
    """The platform's "not changed" means nothing new only for a window that was written from the same state."""
    board.show(pinned(1, at(9)), pinned(2, at(0, 10, day=20)))
    board.read(NEXT)
    following = DAY.next()
    board.read(at(1, day=21), windows=[following])
    assert board.ids(following) == ["2"]
    board.read(at(2, day=21))
    assert board.ids() == ["1"]
    assert board.asked_with == [None, None, "2"]


def test_a_range_asks_once_and_trusts_only_what_all_windows_share(board):
    days = parse_windows("2026-10-18..2026-10-19")
    board.show(pinned(0, at(1, day=17)), pinned(1, at(9, day=18)), pinned(2, at(9)))
    board.read(windows=days[1:])
    board.read(windows=days)
    assert (board.ids(days[0]), board.ids()) == (["1"], ["2"])
    board.read(windows=days)
    assert board.asked_with == [None, None, "2"]


def test_an_address_that_changed_nothing_still_extends_what_was_seen(board):
    board.show(pinned(1, at(9)))
    board.read(at(10))
    board.read(at(15))
    assert board.asked_with == [None, "2"]
    assert spans(board) == [("09:00", "15:00")]


# --- several addresses, of which one is down ------------------------------------------------------------------------------

OTHER = "http://other.test/"


def test_what_one_address_showed_is_kept_though_another_is_down_and_the_window_stays_open(board):
    board.show(pinned(1, at(9)))
    board.broken = {OTHER: SourceError(f"{OTHER}: answered 503, 5 times: try again later")}
    with pytest.raises(SourceError, match=r"1 of 2 addresses could not be read: http://other\.test/: answered 503.*What the others showed is kept"):
        board.read()
    assert (board.ids(), board.footer()["status"], board.footer()["seen_share"]) == (["1"], "open", 0)
    assert json.loads(board.settings.report("collect", "games", "board", DAY.key).read_text())["failed"] == [OTHER]
    board.broken = {}
    assert board.read(at(10, day=20))["rows"] == 1
    assert (board.footer()["status"], list(board.footer()["seen"])) == ("complete", [ADDRESS])


def test_a_window_that_was_closed_stays_so_though_an_address_of_it_is_down_later_and_not_though_a_new_one_is(board):
    board.show(pinned(1, at(9)))
    board.read()
    board.address, board.broken = OTHER, {ADDRESS: SourceError("down")}
    with pytest.raises(SourceError):
        board.read(at(9, day=20))
    assert (board.footer()["status"], board.ids()) == ("complete", ["1"])
    board.broken = {"http://new.test/": SourceError("down")}
    with pytest.raises(SourceError):
        board.read(at(10, day=20))
    assert (board.footer()["status"], board.footer()["seen_share"]) == ("open", 0)


def test_while_an_address_is_down_a_window_that_the_others_show_nothing_of_is_no_matter_of_sight(board):
    board.show(pinned(1, at(9, day=20)))
    board.broken = {OTHER: SourceError("down")}
    with pytest.raises(SourceError, match="1 of 2 addresses"):
        board.read(at(10, day=20))
    assert not board.lake.exists(board.partition())


@pytest.mark.parametrize(
    ("failed", "kind", "code"),
    [
        ([RateLimited("a", 70), AccessRefused("b", 403), RateLimited("c", 90)], RateLimited, 75),
        ([AccessRefused("a", 403), AccessRefused("b", 401)], AccessRefused, 77),
        ([AccessRefused("a", 403), SourceError("b")], SourceError, 1),
    ],
)
def test_one_error_tells_them_all_and_is_of_the_kind_that_the_next_try_goes_by(board, failed, kind, code):
    board.show(pinned(1, at(9)))
    board.broken = {f"http://{number}.test/": error for number, error in enumerate(failed)}
    with pytest.raises(kind, match=f"{len(failed)} of {len(failed) + 1} addresses") as told:
        board.read()
    assert (told.value.exit_code, getattr(told.value, "seconds", 90)) == (code, 90)


# --- posts that are dated anew --------------------------------------------------------------------------------------------


def test_a_post_that_is_dated_anew_is_one_row_where_it_was_seen_first(board):
    board.show(pinned(1, at(9)), pinned(2, at(10)))
    board.read()
    before = board.read(NEXT)["sha256"]
    board.show(pinned(2, at(10)), pinned(1, at(1, day=20)), pinned(3, at(2, day=20)))
    following = board.read(at(0, 30, day=21), windows=[DAY.next()])
    assert board.ids(DAY.next()) == ["3"] and following["dropped"] == {"dated_anew": 1}
    assert (board.ids(), board.lake.sha256(board.partition())) == (["1", "2"], before)


def test_dated_anew_with_another_text_it_is_an_edit_while_its_window_is_read(board):
    board.show(pinned(1, at(9), "a headline"))
    board.watch(at(10))
    board.show(pinned(1, at(0, 10, day=20), "a headline, corrected"))
    report = board.watch(at(0, 30, day=20))
    (row,) = board.rows()
    assert (row["created_at"], row["edited_at"], row["text"]) == (at(9), at(0, 10, day=20), "a headline, corrected")
    assert (board.footer()["revision"], board.footer()["reason"]) == (2, "dated_anew")
    assert board.ids(DAY.next()) == [] and report["rows"] == 1
    again = board.watch(at(1, day=20))
    assert again["dropped"] == {} and board.footer()["revision"] == 2


def test_a_time_that_moves_at_every_reading_or_back_changes_nothing(board):
    for hour in (9, 10, 11):
        board.show(pinned(1, at(hour - 1)), pinned(2, at(hour)))
        board.watch(at(hour, 30))
    board.show(pinned(2, at(7), "another text"), pinned(1, at(8)))
    board.watch(at(12))
    assert [(row["post_id"], row["created_at"], row["text"]) for row in board.rows()] == [("1", at(8), "a note"), ("2", at(9), "a note")]
    assert board.footer()["revision"] == 1


def test_what_two_addresses_date_differently_is_one_post(board):
    board.show(pinned(1, at(0, 20, day=20)), pinned(1, at(23, 50)), pinned(2, at(9)))
    report = board.read(at(1, day=20), windows=[DAY, DAY.next()])
    assert (board.ids(), board.ids(DAY.next()), report["dropped"]) == (["2"], ["1"], {"dated_anew": 1})


# --- watching: whatever is open, at a time --------------------------------------------------------------------------------


def test_watching_reads_the_day_that_goes_on_and_leaves_it_open(board):
    board.show(pinned(1, at(9)))
    assert list(board.watch(at(10))["windows"]) == [DAY.key]
    board.show(pinned(2, at(11)))
    board.watch(at(12))
    assert board.ids() == ["1", "2"] and board.footer()["status"] == "open"


def test_after_midnight_it_closes_yesterday_with_what_is_still_shown_and_then_lets_it_be(board):
    board.show(pinned(1, at(9)))
    board.watch(at(10))
    board.show(pinned(2, at(23, 50)), pinned(3, at(0, 5, day=20)))
    assert list(board.watch(at(0, 10, day=20))["windows"]) == [DAY.key, DAY.next().key]
    assert (board.ids(), board.ids(DAY.next()), board.footer()["status"]) == (["1", "2"], ["3"], "complete")
    assert list(board.watch(at(0, 40, day=20))["windows"]) == [DAY.next().key]


def test_the_first_reading_of_all_takes_what_is_shown_of_yesterday(board):
    board.show(pinned(1, at(20, day=18)), pinned(2, at(9)))
    before = DAY.previous()
    assert list(board.watch(at(10))["windows"]) == [before.key, DAY.key]
    assert (board.ids(before), board.ids(), board.footer(before)["status"]) == (["1"], ["2"], "complete")


def test_a_window_that_nothing_is_shown_of_is_named_and_the_others_are_read(board):
    board.show(pinned(2, at(9)))
    report = board.watch(at(10))
    assert (list(report["windows"]), report["out_of_sight"]) == ([DAY.key], [DAY.previous().key])
    assert board.ids() == ["2"] and not board.lake.exists(board.partition(DAY.previous()))
    board.watch(at(11))
    assert board.asked_with == [None, "2"], "what is out of sight does not make it ask for the whole once more"


def test_a_platform_that_shows_nothing_is_no_failure(board):
    board.show()
    report = board.watch(at(10))
    assert (report["windows"], report["rows"]) == ({}, 0) and DAY.key in report["out_of_sight"]


def test_after_days_of_silence_what_is_still_open_is_closed(board):
    board.show(pinned(1, at(9)))
    board.watch(at(10))
    later = at(9, day=22)
    board.show(pinned(1, at(9)), pinned(5, at(8, day=22)))
    assert list(board.watch(later)["windows"]) == [DAY.key, "2026-10-21", "2026-10-22"]
    assert board.footer()["status"] == "complete" and board.ids() == ["1"]


def test_a_day_that_begins_just_now_has_nothing_to_be_seen(board):
    board.show(pinned(1, at(9)))
    assert DAY.next().key not in board.watch(DAY.end)["windows"]


def test_what_can_be_asked_for_its_past_is_not_watched(tmp_path):
    topic = Topic(steam={"app_ids": [730]})
    with pytest.raises(UsageError, match="steam can be asked for windows that are over"):
        watch("steam", "games", topic, settings=settings_at("http://platform.test", tmp_path), params=CollectParams(), now=NEXT)
