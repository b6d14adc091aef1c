"""simulator: posts that appear late, are edited and are deleted, each at its own moment, the same in every process."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from groundswell.schema import LABELS
from groundswell.simulator.content import PLATFORMS, TOPICS, lookup, posts_of, shown
from groundswell.simulator.history import fate
from groundswell.simulator.settings import SimulatorSettings
from tests.simulated import platforms

DAY = datetime(2026, 10, 19, tzinfo=UTC)
WORLD = SimulatorSettings(bluesky_per_day=3000)


def at(**after):
    return WORLD.model_copy(update={"now": DAY + timedelta(**after)})


def seen(**after):
    return {post.post_id: post for post in shown(at(**after), "bluesky", "games", DAY.date())}


def test_without_a_now_everything_is_there_as_it_was_posted():
    posts = shown(WORLD, "bluesky", "games", DAY.date())
    assert posts == posts_of(1, "bluesky", "games", DAY.date(), 3000)
    assert not any(post.edited_at for post in posts)


def test_what_was_not_posted_yet_is_not_there():
    assert not seen(hours=0)
    noon = seen(hours=12)
    assert 300 < len(noon) < len(seen(hours=24)) and all(post.created <= DAY.timestamp() + 12 * 3600 for post in noon.values())


def test_the_shares_are_those_of_the_settings():
    posts = shown(WORLD, "bluesky", "games", DAY.date())
    fates = [fate(WORLD, post) for post in posts]
    late = sum(fate.appeared > post.created for fate, post in zip(fates, posts, strict=True)) / len(posts)
    deleted, edited = (sum(value is not None for value in values) / len(posts) for values in ([f.deleted for f in fates], [f.edited for f in fates]))
    assert late == pytest.approx(0.01, abs=0.006) and deleted == pytest.approx(0.03, abs=0.01) and edited == pytest.approx(0.04, abs=0.012)


def test_a_deleted_post_is_gone_for_good_and_nothing_else_is():
    first, later = seen(hours=36), seen(days=5)
    gone = set(first) - set(later)
    assert 20 < len(gone) < 0.03 * 3500
    for post_id in gone:
        assert lookup(at(hours=36), "bluesky", "games", post_id) == first[post_id]
        assert lookup(at(days=5), "bluesky", "games", post_id) is None
        assert lookup(WORLD, "bluesky", "games", post_id) is not None


def test_late_posts_come_after_their_day_is_over():
    came = set(seen(days=3)) - set(seen(hours=25))
    assert 5 < len(came) < 100
    assert all(lookup(WORLD, "bluesky", "games", post_id).created < DAY.timestamp() + 86_400 for post_id in came)


def test_an_edit_shows_from_its_moment_on_and_may_turn_the_truth():
    whole, later = {post.post_id: post for post in shown(WORLD, "bluesky", "games", DAY.date())}, seen(days=5)
    edited = [post for post in later.values() if post.edited_at]
    assert len(edited) > 60
    for post in edited:
        assert post.created < post.edited_at <= (DAY + timedelta(days=5)).timestamp()
        assert post.text != whole[post.post_id].text and post.sentiment in LABELS
        just_before = SimulatorSettings(bluesky_per_day=3000, now=datetime.fromtimestamp(post.edited_at - 1, UTC))
        assert lookup(just_before, "bluesky", "games", post.post_id) in (whole[post.post_id], None)
    assert 3 < sum(post.sentiment != whole[post.post_id].sentiment for post in edited) < len(edited) / 2
    assert all(post == whole[number] for number, post in later.items() if not post.edited_at)


def test_ids_are_looked_up_in_every_topic_on_every_platform():
    ids = set()
    for platform in PLATFORMS:
        for topic in TOPICS:
            posts = shown(WORLD, platform, topic, DAY.date())
            assert all(lookup(WORLD, platform, topic, post.post_id) == post for post in posts[:50])
            assert lookup(WORLD, platform, topic, posts[-1].post_id + 1) is None
            assert [lookup(WORLD, platform, other, posts[0].post_id) for other in TOPICS if other != topic] == [None, None]
        ids |= {(platform, post.post_id) for topic in TOPICS for post in shown(WORLD, platform, topic, DAY.date())}
    assert len(ids) == sum(len(shown(WORLD, platform, topic, DAY.date())) for platform in PLATFORMS for topic in TOPICS)
    assert lookup(WORLD, "bluesky", "games", 3) is None and lookup(WORLD, "bluesky", "knitting", posts[0].post_id) is None


def test_one_running_simulator_moves_on():
    query = {"query": "game", "numericFilters": f"created_at_i>={DAY.timestamp():.0f},created_at_i<{DAY.timestamp() + 86400:.0f}"}
    with platforms(hackernews_per_day=400) as url:

        def hits(now):
            httpx2.put(f"{url}/now", json={"now": now}).raise_for_status()
            return httpx2.get(f"{url}/hackernews/api/v1/search_by_date", params=query).json()["nbHits"]

        counts = [hits(now) for now in ("2026-10-19T00:00:00Z", "2026-10-19T12:00:00Z", "2026-10-30T00:00:00Z", None)]
        assert counts == sorted(counts) and counts[0] == 0 and len(set(counts)) == 4
        assert httpx2.get(f"{url}/now").json() == {"now": None}
        assert httpx2.put(f"{url}/now", json={"now": "2026-10-19T00:00:00"}).status_code == 422


def test_a_world_may_start_at_a_moment(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_SIMULATOR_NOW", "2026-10-19T12:00:00+02:00")
    assert SimulatorSettings().now == DAY + timedelta(hours=10)


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("game", "games"),
        ("#Gaming", "games"),
        ("(stocks OR shares) lang:en", "finance"),
        ("Customer Service", "brands"),
        ("knitting", None),
        ("", None),
    ],
)
def test_what_people_ask_for_is_about_a_topic(asked, topic):
    assert SimulatorSettings().topic_of(asked) == topic
