"""x: what a post costs and where that ends, pages that are no end, quotas that no wait mends, edits, and what is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import ValidationError

from groundswell.collect import collect
from groundswell.errors import AccessRefused, ParamsError, QuotaSpent, RateLimited, SourceError, WindowError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading, Recheck
from groundswell.sources.contract import answer
from groundswell.sources.x import SOURCE, XTopic, written_at
from groundswell.window import Window, parse_windows
from tests.simulated import plan_faults, platforms, settings_at

DAY = Window.parse("2026-10-19")
EVENING = datetime(2026, 10, 20, 18, tzinfo=UTC)


def section(**changes):
    return XTopic(**{"query": "game", "max_usd_per_window": 20, "max_usd_per_run": 50, "seconds_apart": 0, **changes})


def read(transport, tmp_path, url="http://platform.test", page_size=100, clock=None, **changes):
    waited = []
    http = Http(transport=transport, sleep=waited.append, **({"clock": clock} if clock else {}))
    reading = Reading(section(**changes), DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(page_size=page_size), http)
    return list(SOURCE.posts(reading)), reading, waited


def record(number, **changes):
    written = {"created_at": "2026-10-19T12:00:00.000Z", "edit_history_tweet_ids": [str(number)]}
    return {"id": str(number), "text": f"post {number} is fine", "author_id": "77", **written, **changes}


def page(*records, next_token=None, **changes):
    meta = {"result_count": len(records)} | ({"next_token": next_token} if next_token else {})
    return ({"data": list(records)} if records else {}) | {"meta": meta} | changes


def scripted(*pages):
    left, asked = iter(pages), []

    def handler(request):
        asked.append(request)
        this = next(left)
        return this if isinstance(this, httpx2.Response) else answer(this)

    return httpx2.MockTransport(handler), asked


def test_a_request_says_everything_that_x_needs(tmp_path):
    transport, asked = scripted(page(record(1), next_token="b26"), page())
    read(transport, tmp_path, page_size=30)
    assert [request.url.path for request in asked] == ["/x/2/tweets/search/recent"] * 2
    sent = dict(asked[1].url.params)
    assert (sent["query"], sent["max_results"], sent["next_token"]) == ("(game) -is:retweet", "30", "b26")
    assert (sent["start_time"], sent["end_time"]) == ("2026-10-19T00:00:00Z", "2026-10-20T00:00:00Z")
    assert "expansions" not in sent and "note_tweet" in sent["tweet.fields"]
    assert asked[0].headers["authorization"] == "Bearer a-token-that-only-the-tests-know"


@pytest.mark.parametrize(
    ("access", "page_size", "path", "asked_for"),
    [("recent", 1000, "recent", "100"), ("archive", 1000, "all", "500"), ("archive", 3, "all", "10")],
)
def test_the_two_searches_have_bounds_of_their_own(tmp_path, access, page_size, path, asked_for):
    transport, asked = scripted(page())
    read(transport, tmp_path, page_size=page_size, access=access)
    assert asked[0].url.path.endswith(f"/search/{path}") and asked[0].url.params["max_results"] == asked_for


def test_a_query_that_is_too_long_is_refused_before_it_is_sent():
    XTopic(query="g" * 498)
    XTopic(query="g" * 512, has_reposts=True)
    XTopic(query="g" * 1010, access="archive")
    for wrong in ({"query": "g" * 499}, {"query": "g" * 1011, "access": "archive"}, {"query": ""}):
        with pytest.raises(ValidationError, match="query"):
            XTopic(**wrong)


def test_an_empty_page_is_no_end_while_it_names_a_next_one(tmp_path):
    transport, asked = scripted(page(record(1), next_token="a"), page(next_token="b"), page(record(2)))
    found, _, _ = read(transport, tmp_path)
    assert [post.post_id for post in found] == ["1", "2"] and len(asked) == 3


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([page(record(1), next_token="a"), page(record(2), next_token="a")], "a next page that came before"),
        ([page(record(1), meta={"result_count": 2})], "counts 2 posts and brings 1"),
        ([{"data": [record(1)]}], "expected 'meta' with a result_count"),
        ([{"errors": [{"title": "Invalid Request"}]}], r"found \['errors'\]"),
        ([page(data="many", meta={"result_count": 4})], "a list 'data'"),
        ([["a list"]], "expected a JSON object, found a list"),
    ],
)
def test_an_incomplete_answer_is_an_error(tmp_path, pages, message):
    with pytest.raises(SourceError, match=message):
        read(scripted(*pages)[0], tmp_path)


def test_money_is_counted_by_the_post(tmp_path):
    _, reading, _ = read(scripted(page(record(1), record(2), next_token="a"), page(record(3)))[0], tmp_path)
    assert reading.http.usd == pytest.approx(0.015)


def test_a_page_that_could_break_the_cap_is_not_asked_for(tmp_path):
    full = [page(*[record(100 * number + place) for place in range(10)], next_token=f"t{number}") for number in range(5)]
    transport, asked = scripted(*full)
    with pytest.raises(QuotaSpent, match=r"may cost \$0.05, and \$0.10 of the \$0.12 that max_usd_per_window allows are spent") as caught:
        read(transport, tmp_path, page_size=10, max_usd_per_window=0.12)
    assert len(asked) == 2 and caught.value.exit_code == 77


def test_pages_are_no_larger_than_the_cap_allows(tmp_path):
    transport, asked = scripted(page(record(1)))
    read(transport, tmp_path, max_usd_per_window=0.2)
    assert asked[0].url.params["max_results"] == "40"


def run(windows, url, home, now=EVENING, topic=None, page_size=100, **options):
    settings = settings_at(url, home)
    topic = topic or Topic(x=section(**options))
    return collect("x", "games", topic, windows, settings=settings, params=CollectParams(page_size=page_size), now=now), Lake(settings.lake)


@pytest.fixture(scope="module")
def url():
    with platforms(now=EVENING, x_per_day=130, deleted_share=0.2, edited_share=0.2) as address:
        yield address


def test_a_window_that_costs_too_much_is_not_written_at_all(url, tmp_path):
    with pytest.raises(QuotaSpent, match="nothing of the window was written"):
        run([DAY], url, tmp_path, page_size=20, max_usd_per_window=0.25)
    assert not list(tmp_path.rglob("*.parquet"))
    report, _ = run([DAY], url, tmp_path, page_size=20)
    assert report["usd"] == round(0.005 * sum([report["rows"], *report["dropped"].values()]), 4) > 0.25


def test_a_run_of_many_windows_has_a_cap_of_its_own(url, tmp_path):
    days = parse_windows("2026-10-17..2026-10-19")
    with pytest.raises(QuotaSpent, match=r"\[2026-10-18T00:00Z, …\).* of the \$0.90 that max_usd_per_run allows"):
        run(days, url, tmp_path, page_size=50, max_usd_per_run=0.9)
    assert [path.parent.name for path in tmp_path.rglob("part-0.parquet")] == ["date=2026-10-17"]


def test_recent_access_looks_back_a_week_and_the_archive_for_ever(url, tmp_path):
    old = [Window.parse("2026-10-12")]
    with pytest.raises(WindowError, match="x looks back 7 days, to 2026-10-13T18:00Z"):
        run(old, url, tmp_path)
    assert run(old, url, tmp_path, access="archive")[0]["rows"] > 50
    assert SOURCE.for_topic(section(access="archive")).look_back is None
    assert SOURCE.for_topic(section(access="archive", seconds_apart=6)).requests_per_minute == 10


def test_no_day_is_bought_twice_by_itself():
    free = replace(SOURCE, usd_per_post=0)
    assert free.can_be_read_again_after(3) and not SOURCE.can_be_read_again_after(3)


def test_both_searches_give_the_same_rows(url, tmp_path):
    (recent, _), (archive, _) = (run([DAY], url, tmp_path / access, access=access) for access in ("recent", "archive"))
    assert recent["sha256"] == archive["sha256"] and recent["rows"] > 50


def test_without_a_token_nothing_is_asked(tmp_path):
    settings = settings_at("http://platform.test", tmp_path).model_copy(update={"x_bearer_token": type(settings_at("", tmp_path).x_bearer_token)("")})
    with pytest.raises(ParamsError, match="x can't be asked without GROUNDSWELL_X_BEARER_TOKEN"):
        collect("x", "games", Topic(x=section()), [DAY], settings=settings, params=CollectParams(), now=EVENING)


def test_a_limit_is_known_by_its_epoch_alone(tmp_path):
    start = DAY.start.timestamp()
    limited = httpx2.Response(
        429, headers={"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(start) + 20)}, json={"title": "Too Many Requests"}
    )
    found, _, waited = read(scripted(limited, page(record(1)))[0], tmp_path, clock=lambda: start)
    assert (len(found), waited) == (1, [20])
    late = httpx2.Response(429, headers={"x-rate-limit-reset": str(int(start) + 900)})
    with pytest.raises(RateLimited, match="asks to wait 900 s") as caught:
        read(scripted(late)[0], tmp_path, clock=lambda: start)
    assert caught.value.seconds == 900


def test_a_months_quota_is_not_waited_for(url, tmp_path):
    plan_faults(url, "x", {1: "usage-capped"})
    with pytest.raises(QuotaSpent, match="the monthly cap on posts is used up, which no wait mends"):
        run([DAY], url, tmp_path)
    plan_faults(url, "x", {})
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_refused_token_is_said_at_once(tmp_path):
    refused = httpx2.Response(401, json={"title": "Unauthorized", "detail": "Unauthorized"}, headers={"content-type": "application/problem+json"})
    transport, asked = scripted(refused)
    with pytest.raises(AccessRefused, match="found 401: Unauthorized"):
        read(transport, tmp_path)
    assert len(asked) == 1


def test_requests_are_kept_a_second_apart(tmp_path):
    pages = [page(record(1), next_token="a"), page(record(2), next_token="b"), page(record(3))]
    _, _, waited = read(scripted(*pages)[0], tmp_path, clock=lambda: 0.0, access="archive", seconds_apart=1)
    assert waited == [1, 1]


def test_reposts_are_left_out_by_query_and_by_sight(tmp_path):
    repost = record(2, referenced_tweets=[{"type": "retweeted", "id": "1"}])
    found, reading, _ = read(scripted(page(record(1), repost))[0], tmp_path)
    assert (len(found), reading.dropped) == (1, {"repost": 1})
    transport, asked = scripted(page(repost))
    (post,), _, _ = read(transport, tmp_path, has_reposts=True)
    assert (post.kind, post.parent_id, asked[0].url.params["query"]) == ("repost", "1", "game")


def test_answers_and_quotes_name_their_post(tmp_path):
    both = [{"type": "quoted", "id": "8"}, {"type": "replied_to", "id": "9"}]
    records = [record(1, referenced_tweets=both), record(2, referenced_tweets=both[:1]), record(3, referenced_tweets="odd"), record(4)]
    found, _, _ = read(scripted(page(*records))[0], tmp_path)
    assert [(post.kind, post.parent_id) for post in found] == [("reply", "9"), ("quote", "8"), ("post", None), ("post", None)]


def test_long_texts_counts_and_languages(tmp_path):
    long = record(1, note_tweet={"text": "a " * 400}, lang="in", public_metrics={"like_count": 3, "retweet_count": 2, "reply_count": 1})
    first, second, third = read(scripted(page(long, record(2, lang="qme"), record(3, lang="pt", public_metrics=None)))[0], tmp_path)[0]
    assert (len(first.text), first.lang, first.likes, first.reposts, first.replies) == (800, "id", 3, 2, 1)
    assert (second.lang, third.lang, third.likes) == (None, "pt", None)


def snowflake(moment):
    return str((int(moment.timestamp() * 1000) - 1_288_834_974_657) << 22)


def test_an_edited_post_keeps_its_first_id(tmp_path):
    versions = [snowflake(DAY.start + timedelta(hours=12, minutes=minutes)) for minutes in (0, 9, 44)]
    (post,), _, _ = read(scripted(page(record(versions[2], edit_history_tweet_ids=versions)))[0], tmp_path)
    assert (post.post_id, post.url) == (versions[0], f"https://x.com/i/web/status/{versions[0]}")
    assert post.edited_at == DAY.start + timedelta(hours=12, minutes=44)
    assert written_at("1578516068309794817").replace(microsecond=0) == datetime(2022, 10, 7, 22, 42, 12, tzinfo=UTC)
    assert written_at("nonsense") is None


def test_other_peoples_names_leave_the_record(url, tmp_path):
    mention = {"start": 0, "end": 9, "username": "tin_heron88", "id": "990017"}
    posts = record(
        1, entities={"mentions": [mention]}, in_reply_to_user_id="990017", note_tweet={"text": "hello", "entities": {"mentions": [mention]}}
    )
    settings = settings_at("http://platform.test", tmp_path)
    transport = scripted(page(posts))[0]
    collect("x", "games", Topic(x=section()), [DAY], settings=settings, params=CollectParams(), now=EVENING, transport=transport)
    lake = Lake(settings.lake)
    (row,) = lake.read(lake.partition("raw", "x", "games", DAY)).to_pylist()
    assert "990017" not in row["raw"] and "tin_heron88" not in row["raw"] and '"77"' not in row["raw"]


def test_names_leave_the_addresses_of_posts_and_profiles(tmp_path):
    """X writes a picture's and a quoted post's address with the name of whoever wrote it; the post is found without."""
    links = [
        "https://twitter.com/tin_heron88/status/1846/photo/1",
        "https://x.com/tin_heron88",
        "x.com/tin_heron88/s…",
        "https://mobile.twitter.com/Tin_Heron88/status/1846?s=20",
        "pic.x.com/zoXlQF",
        "https://x.com/i/web/status/1846",
        "https://x.com/hashtag/goty",
        "https://netflix.com/tin_roofs",
    ]
    urls = {"urls": [{"url": "https://t.co/a", "expanded_url": link} for link in links]}
    transport = scripted(page(record(1, entities=urls, note_tweet={"text": "hello", "entities": urls})))[0]
    found = read(transport, tmp_path)[0][0].record
    assert [one["expanded_url"] for one in found["entities"]["urls"]] == [
        "https://twitter.com/i/status/1846/photo/1",
        "https://x.com/i",
        "x.com/i/s…",
        "https://mobile.twitter.com/i/status/1846?s=20",
        *links[4:],
    ]
    assert found["note_tweet"]["entities"] == found["entities"] and found["note_tweet"]["text"] == "hello"


def asked_for(url, home, ids, transport=None, **changes):
    http = Http(transport=transport, sleep=lambda seconds: None)
    return set(SOURCE.gone(Recheck(section(**changes), ids, settings_at(url, home), http))), http


def test_what_is_gone_is_known_by_its_id(tmp_path):
    with platforms(now=DAY.end + timedelta(hours=2), x_per_day=130, deleted_share=0.3, edited_share=0.3) as there:
        _, lake = run([DAY], there, tmp_path)
        ids = lake.read(lake.partition("raw", "x", "games", DAY))["post_id"].to_pylist()
        assert asked_for(there, tmp_path, ids)[0] == set()
        httpx2.put(f"{there}/now", json={"now": "2026-10-25T00:00:00Z"}).raise_for_status()
        gone, http = asked_for(there, tmp_path, ids)
        run([DAY], there, tmp_path / "later", now=datetime(2026, 10, 25, tzinfo=UTC))
        later = Lake(settings_at(there, tmp_path / "later").lake)
        left = set(later.read(later.partition("raw", "x", "games", DAY))["post_id"].to_pylist())
    assert gone == set(ids) - left and 5 < len(gone) < len(ids)
    assert http.usd == pytest.approx(0.005 * (len(ids) - len(gone)))


def test_a_protected_post_is_gone_and_one_that_nothing_is_said_of_is_an_error(tmp_path):
    hidden = {"resource_id": "2", "type": "https://api.twitter.com/2/problems/not-authorized-for-resource"}
    other = {"resource_id": "3", "type": "https://api.twitter.com/2/problems/something-else"}
    assert asked_for("http://platform.test", tmp_path, ["1", "2"], scripted({"data": [record(1)], "errors": [hidden]})[0])[0] == {"2"}
    with pytest.raises(SourceError, match="1 of 3 posts were neither shown nor called gone"):
        asked_for("http://platform.test", tmp_path, ["1", "2", "3"], scripted({"data": [record(1)], "errors": [hidden, other]})[0])


def test_asking_again_is_paid_for_and_has_the_same_cap(tmp_path):
    with pytest.raises(QuotaSpent, match=r"to ask for 100 posts more may cost \$0.50"):
        asked_for("http://platform.test", tmp_path, [str(number) for number in range(250)], max_usd_per_run=0.4)


def test_answers_of_the_simulator_name_a_post_of_its_own(url, tmp_path):
    found, _, _ = read(None, tmp_path, url)
    ids, answers = {post.post_id for post in found}, [post for post in found if post.kind == "reply"]
    assert 5 < len(answers) < len(found) / 2 and all(post.record["in_reply_to_user_id"] for post in answers)
    assert sum(post.parent_id in ids for post in answers) > len(answers) / 2


@pytest.mark.parametrize("faults", [{2: "empty-page", 3: "repeated-page"}, {1: "empty-page"}])
def test_the_simulators_habits_lose_no_post(url, tmp_path, faults):
    clean, _, _ = read(None, tmp_path, url, page_size=20)
    plan_faults(url, "x", faults)
    found, _, _ = read(None, tmp_path, url, page_size=20)
    plan_faults(url, "x", {})
    assert {post.post_id for post in found} == {post.post_id for post in clean} and len(clean) > 80


def test_the_simulator_refuses_what_x_refuses(url):
    headers = {"authorization": "Bearer t"}
    path = f"{url}/x/2/tweets/search/recent"
    start, token = {"start_time": "2026-10-01T00:00:00Z"}, {"next_token": "?"}
    for wrong in ({"max_results": 9}, {"max_results": 101}, {"query": "g" * 513}, start, {"foo": 1}, token):
        refused = httpx2.get(path, params={"query": "game", **wrong}, headers=headers)
        assert (refused.status_code, refused.json()["title"]) == (400, "Invalid Request"), wrong
    assert httpx2.get(path, params={"query": "game"}).status_code == 401
    bare = httpx2.get(path, params={"query": "game"}, headers=headers)
    assert set(bare.json()["data"][0]) == {"id", "text", "edit_history_tweet_ids"} and "retry-after" not in bare.headers
    assert httpx2.get(path, params={"query": "knitting"}, headers=headers).json() == {"meta": {"result_count": 0}}
