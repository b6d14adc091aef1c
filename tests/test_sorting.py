"""Sorted posts: what comes out is what a sort in memory gives, however many runs it took and however the posts came."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from groundswell import sorting
from groundswell.schema import POST
from groundswell.sorting import SortedPosts
from groundswell.window import Window

START = datetime(2026, 10, 19, tzinfo=UTC)
ENDS = [START + timedelta(seconds=seconds) for seconds in (3, 5, 9)]


def post(second, post_id, raw, number=0):
    row = dict.fromkeys(POST.names) | {"source": "replay", "topic": "games", "post_id": post_id, "raw": raw, "likes": number}
    return row | {"created_at": START + timedelta(seconds=second)}


@pytest.fixture
def small(monkeypatch):
    for name, rows in (("RUN", 8), ("_CONVERTED", 4), ("_READ", 2)):
        monkeypatch.setattr(sorting, name, rows)


MANY = st.lists(st.tuples(st.integers(0, 8), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=60)


@given(rows=MANY, by_raw=st.booleans())
@examples(max_examples=80, deadline=None)
def test_it_is_the_order_of_a_stable_sort_cut_at_the_ends(rows, by_raw, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, count in (("RUN", 8), ("_CONVERTED", 4), ("_READ", 2)):
            patch.setattr(sorting, name, count)
        posts = [post(*row, number) for number, row in enumerate(rows)]
        with SortedPosts(tmp_path_factory.getbasetemp(), by_raw=by_raw) as waiting:
            for one in posts:
                waiting.add(one)
            found = [[row for table in waiting.until(end) for row in table.to_pylist()] for end in ENDS]
    ordered = sorted(posts, key=lambda row: (row["created_at"], row["post_id"], row["raw"] if by_raw else ""))
    for before, end, rows_found in zip((START, *ENDS), ENDS, found, strict=False):
        expected = [row["likes"] for row in ordered if before <= row["created_at"] < end]
        assert [row["likes"] for row in rows_found] == expected


def test_runs_leave_no_file_behind_not_even_while_they_wait(small, tmp_path):
    with SortedPosts(tmp_path / "state", by_raw=True) as waiting:
        for number in range(50):
            waiting.add(post(number % 9, str(number), ""))
        assert waiting.count == 50
        assert list((tmp_path / "state").iterdir()) == []
        assert sum(table.num_rows for table in waiting.until(Window.of(START).end)) == 50
