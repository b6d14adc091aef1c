"""The fingerprint of rows: equal for equal rows however they are cut, another one for any other value, order or column."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from groundswell.fingerprint import Fingerprint
from groundswell.schema import OUTSIDE_CONTENT_HASH, POST

TEXT = st.none() | st.text(max_size=5)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"post_id": st.text(max_size=3), "text": TEXT, "hashtags": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3)}
        | {"edited_at": st.none() | st.datetimes(timezones=st.just(UTC))}
    ),
    max_size=12,
)


def table(rows):
    sound = dict.fromkeys(POST.names) | {"source": "steam", "topic": "games", "created_at": datetime(2026, 10, 19, tzinfo=UTC)}
    return pa.Table.from_pylist([sound | row for row in rows], schema=POST)


def of(*tables):
    found = Fingerprint()
    for one in tables:
        found.add(one)
    return found.hexdigest()


@given(ROWS, st.integers(0, 12), st.integers(0, 12))
@examples(deadline=None)
def test_the_same_rows_however_they_are_cut(rows, one, other):
    first, second = sorted((one, other))
    whole = table(rows)
    padded = pa.concat_tables([table([{"post_id": "x", "text": "before", "hashtags": ["y"]}]), whole]).combine_chunks().slice(1)
    parts = [POST.empty_table(), whole.slice(0, first), whole.slice(first, second - first), whole.slice(second)]
    assert of(whole) == of(*parts) == of(padded) == of(POST.empty_table(), *whole.to_batches())


@given(ROWS, ROWS)
@examples(deadline=None)
def test_other_rows_have_another_one(one, other):
    assert (of(table(one)) == of(table(other))) == (one == other)


CHANGES = [
    {"text": None},
    {"text": ""},
    {"text": "ab"},
    {"hashtags": []},
    {"hashtags": [None]},
    {"hashtags": [""]},
    {"hashtags": ["a", "b"]},
    {"hashtags": ["ab"]},
    {"edited_at": datetime(1970, 1, 1, tzinfo=UTC)},
    {"lang": "ab"},
]


def test_none_nothing_and_nought_are_three_things():
    assert len({of(table([{"post_id": "1", **change}])) for change in [{"text": "a"}, *CHANGES[1:]]}) == len(CHANGES)


@pytest.mark.parametrize("column", OUTSIDE_CONTENT_HASH)
def test_what_moves_by_itself_is_outside(column):
    moved = {"raw": "{}", "fetched_at": datetime(2026, 10, 20, tzinfo=UTC)}.get(column, 7)
    assert of(table([{"post_id": "1"}])) == of(table([{"post_id": "1", column: moved}]))


def test_what_a_nulls_place_holds_is_nobodys_business():
    held = pa.array([1, 2, 3], pa.int64())
    hidden = pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(bytes([0b101])), held.buffers()[1]])
    assert of(pa.table({"n": hidden})) == of(pa.table({"n": pa.array([1, None, 3], pa.int64())})) != of(pa.table({"n": held}))
