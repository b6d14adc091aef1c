"""Of no simulated platform does anything get to valid by which a person is known: handles, ids, addresses, numbers, in no column of no row."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from groundswell.collect import collect
from groundswell.lake import Lake
from groundswell.params import CollectParams, ValidateParams
from groundswell.simulator.content import posts_of
from groundswell.simulator.settings import SimulatorSettings
from groundswell.validate import validate
from groundswell.window import Window
from tests.simulated import platforms, settings_at
from tests.sources.cases import CASES

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 10, 20, 3, tzinfo=UTC)  # Reddit shows its newest thousand only: the platforms have nothing later yet
FORMS = {
    "handle": r"(?<![\w@])@(?!user\b)[A-Za-z_]\w+",
    "address": r"[\w.+-]+@[\w-]+\.\w+",
    "did": r"did:plc:\w+",
    "profile": r"reddit\.com/u(?:ser)?/(?!@user)|/users/(?!@user)|bsky\.app/profile/(?!@user)",
}
SIMULATED = [case for case in CASES if case.is_past and case.names_authors]


@pytest.fixture(scope="module")
def url():
    with platforms(now=NOW) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("case", SIMULATED, ids=lambda case: case.name)
def test_nobody_is_left_in_valid(case, url, tmp_path):
    settings = settings_at(url, tmp_path)
    collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings, params=CollectParams(), now=NOW + timedelta(days=2))
    validate("games", [case.name], [DAY], settings=settings, params=ValidateParams(max_duplicate_share=1, max_quarantined_share=1))
    lake = Lake(settings.lake)
    rows = lake.read(lake.partition("valid", case.name, "games", DAY)).to_pylist()
    told = "\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in rows)
    assert len(rows) > 20
    assert {form: re.findall(pattern, told)[:3] for form, pattern in FORMS.items()} == dict.fromkeys(FORMS, [])
    day = posts_of(SimulatorSettings().seed, case.name, "games", DAY.day, SimulatorSettings().per_day(case.name))
    writers = {post.author for post in day if post.author}
    assert [writer for writer in writers if re.search(rf"(?<![A-Za-z0-9]){re.escape(writer)}(?![A-Za-z0-9])", told)] == []
    assert [piece.kind for post in day for piece in post.planted if piece.value in told] == []
