"""reddit: a walk back that says when it can't reach a window, tokens that run out, limits to go, and what is withdrawn."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import ValidationError

from groundswell.collect import collect
from groundswell.errors import AccessRefused, OutOfReach, ParamsError, RateLimited, SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading, Recheck
from groundswell.sources.contract import answer
from groundswell.sources.reddit import SOURCE, RedditTopic
from groundswell.window import Window, parse_windows
from tests.simulated import plan_faults, platforms, settings_at

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
START = int(DAY.start.timestamp())
NOON = START + 43_200
TOKEN = {"access_token": "first", "token_type": "bearer", "expires_in": 86_400, "scope": "*"}


def read(transport, tmp_path, url="http://platform.test", page_size=100, **changes):
    waited = []
    http = Http(transport=transport, sleep=waited.append, clock=lambda: 0.0)
    section = RedditTopic(**{"subreddits": ["gaming"], **changes})
    reading = Reading(section, DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(page_size=page_size), http)
    return list(SOURCE.posts(reading)), reading, waited


def thing(number, at=NOON, kind="t3", **changes):
    texts = {"title": f"thing {number}", "selftext": ""} if kind == "t3" else {"body": f"thing {number}", "parent_id": "t3_1", "link_id": "t3_1"}
    data = {"name": f"{kind}_{number}", "author": "tin_heron88", "created_utc": float(at), "edited": False, **texts, **changes}
    return {"kind": kind, "data": data}


def page(*children, after=None):
    return {"kind": "Listing", "data": {"after": after, "before": None, "dist": len(children), "children": list(children)}}


def scripted(*pages, token=TOKEN):
    """The pages in turn, and tokens as often as one is asked for; what was asked."""
    left, asked = iter(pages), []

    def handler(request):
        asked.append(request)
        this = token if request.method == "POST" else next(left)
        return this if isinstance(this, httpx2.Response) else answer(this)

    return httpx2.MockTransport(handler), asked


def older(number):
    return thing(number, at=START - 1)


def test_a_walk_shows_who_it_is_and_goes_on_where_it_was(tmp_path):
    transport, asked = scripted(page(thing(5), after="t3_5"), page(thing(4), older(3), older(2), after="t3_2"))
    found, _, _ = read(transport, tmp_path, page_size=1000)
    assert [post.post_id for post in found] == ["t3_5", "t3_4"]
    login, first, second = asked
    assert login.content == b"grant_type=client_credentials"
    assert base64.b64decode(login.headers["authorization"].removeprefix("Basic ")) == b"an-app:a-secret-that-only-the-tests-know"
    assert {request.headers["user-agent"] for request in asked} == {"linux:groundswell-tests:1 (by /u/nobody)"}
    assert first.headers["authorization"] == "bearer first" and first.url.path == "/reddit/r/gaming/new"
    assert dict(first.url.params) == {"limit": "100", "raw_json": "1"} and second.url.params["after"] == "t3_5"


def test_a_token_that_runs_out_on_the_way_is_replaced_once(tmp_path):
    def handler(request):
        asked.append(request)
        if request.method == "POST":
            return answer(TOKEN | {"access_token": f"token-{sum(one.method == 'POST' for one in asked)}"})
        if request.headers["authorization"] == "bearer token-1" and "after" in request.url.params:
            return httpx2.Response(401, json={"message": "Unauthorized", "error": 401})
        return answer(page(older(1), older(0)) if "after" in request.url.params else page(thing(2), after="t3_2"))

    asked = []
    found, reading, _ = read(httpx2.MockTransport(handler), tmp_path)
    assert (len(found), [request.method for request in asked]) == (1, ["POST", "GET", "GET", "POST", "GET"])
    assert reading.http.tokens == {"reddit": "token-2"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_that_no_token_mends_is_said(tmp_path, status):
    transport, asked = scripted(*[httpx2.Response(status, json={"reason": "private", "message": "Forbidden"})] * 3)
    with pytest.raises(AccessRefused, match=f"found {status}"):
        read(transport, tmp_path)
    assert [request.method for request in asked] == (["POST", "GET"] * 2 if status == 401 else ["POST", "GET"])


def test_wrong_credentials_are_said_without_showing_them(tmp_path):
    transport, asked = scripted(token=httpx2.Response(401, json={"message": "Unauthorized"}))
    with pytest.raises(AccessRefused, match="access_token: expected status 200, found 401"):
        read(transport, tmp_path)
    assert len(asked) == 1
    with pytest.raises(SourceError, match="expected an access_token .* found unsupported_grant_type") as caught:
        read(scripted(token={"error": "unsupported_grant_type"})[0], tmp_path)
    assert "a-secret" not in str(caught.value)


def test_a_run_asks_for_one_token(tmp_path):
    transport, asked = scripted(*[page(thing(9), older(2), older(1))] * 3)
    hours = parse_windows("2026-10-19T12..2026-10-19T14")
    settings = settings_at("http://platform.test", tmp_path)
    collect("reddit", "games", topic(), hours, settings=settings, params=CollectParams(window="hour"), now=NOW, transport=transport)
    assert [request.method for request in asked] == ["POST", "GET", "GET", "GET"]


def test_without_an_app_of_ones_own_nothing_is_asked(tmp_path):
    settings = settings_at("http://platform.test", tmp_path).model_copy(update={"reddit_client_id": "", "reddit_user_agent": ""})
    with pytest.raises(ParamsError, match="reddit can't be asked without GROUNDSWELL_REDDIT_CLIENT_ID, GROUNDSWELL_REDDIT_USER_AGENT"):
        collect("reddit", "games", topic(), [DAY], settings=settings, params=CollectParams(), now=NOW)


def limited(body, remaining, reset):
    return httpx2.Response(200, json=body, headers={"x-ratelimit-used": "996", "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset})


def test_the_last_request_of_a_period_is_followed_by_a_rest(tmp_path):
    first = page(thing(2), after="t3_2")
    _, _, waited = read(scripted(limited(first, "0.0", "17"), limited(page(older(1)), "0.0", "16"))[0], tmp_path)
    assert waited == [17], "the rest after the last page is nobody's"
    assert read(scripted(limited(first, "1.0", "17"), page(older(1)))[0], tmp_path)[2] == []
    with pytest.raises(RateLimited, match="asks to wait 400 s") as caught:
        read(scripted(limited(first, "0.0", "400.0"), page(older(1)))[0], tmp_path)
    assert caught.value.seconds == 400


def test_an_end_at_the_cap_is_no_end(tmp_path):
    pages = [page(*[thing(1000 - 100 * number - place) for place in range(100)], after=f"t3_{number}") for number in range(9)]
    last = page(*[thing(100 - place) for place in range(93)])
    with pytest.raises(OutOfReach, match=r"/r/gaming/new ended after 993 things and did not reach .* 2026-10-19T00:00Z.* newest 1,000") as caught:
        read(scripted(*pages, last)[0], tmp_path)
    assert caught.value.exit_code == 77
    reaching = page(*[thing(100 - place) for place in range(91)], older(2), older(1))
    assert len(read(scripted(*pages, reaching)[0], tmp_path)[0]) == 991


def test_an_end_far_below_the_cap_may_be_the_cap(tmp_path):
    """What moderators took down counts and is not shown: listings of large subreddits were seen to end after 673."""
    pages = [page(*[thing(1000 - 100 * number - place) for place in range(100)], after=f"t3_{number}") for number in range(6)]
    with pytest.raises(OutOfReach, match="ended after 673 things"):
        read(scripted(*pages, page(*[thing(100 - place) for place in range(73)]))[0], tmp_path)


def test_a_search_ends_at_a_cap_of_its_own(tmp_path):
    pages = [page(*[thing(300 - 100 * number - place) for place in range(100)], after=f"t3_{number}") for number in range(2)]
    transport, asked = scripted(*pages, page(thing(7)))
    with pytest.raises(OutOfReach, match="/r/gaming/search ended after 201 things"):
        read(transport, tmp_path, query="patch notes")
    sent = dict(asked[1].url.params)
    assert (sent["q"], sent["sort"], sent["t"], sent["restrict_sr"]) == ("patch notes", "new", "all", "1")


def test_an_end_before_the_cap_must_be_said_twice(tmp_path):
    quiet = [page(thing(3), after="t3_3"), page(thing(2))]
    transport, asked = scripted(*quiet, *quiet)
    assert len(read(transport, tmp_path)[0]) == 2
    assert [request.url.params.get("after") for request in asked[1:]] == [None, "t3_3"] * 2


def test_a_listing_that_breaks_off_at_a_deleted_post_is_taken_up_again(tmp_path):
    pages = [
        page(thing(9), thing(8), after="t3_8"),
        page(),  # t3_8 was deleted meanwhile: nothing follows it
        page(thing(9), thing(7), after="t3_7"),
        page(thing(6), older(5), older(4)),
    ]
    found, _, _ = read(scripted(*pages)[0], tmp_path)
    assert [post.post_id for post in found] == ["t3_9", "t3_8", "t3_7", "t3_6"]


def test_pages_that_bring_nothing_new_come_to_an_end(tmp_path):
    stuck = [page(thing(9), after="t3_9")] * 20
    with pytest.raises(SourceError, match="names next pages on which nothing is new"):
        read(scripted(*stuck)[0], tmp_path)


def test_one_strange_time_does_not_end_a_walk(tmp_path):
    pages = [page(thing(9), thing(8, at=0), after="t3_8"), page(thing(7), older(6), older(5))]
    found, _, _ = read(scripted(*pages)[0], tmp_path)
    assert [post.post_id for post in found] == ["t3_9", "t3_7"]


@pytest.mark.parametrize("wrong", [{"kind": "t5", "data": {}}, {"kind": "Listing", "data": {"children": 5}}, ["list"], {"kind": "Listing"}])
def test_another_service_is_recognised(tmp_path, wrong):
    with pytest.raises(SourceError, match="expected a Listing with a list 'children'"):
        read(scripted(wrong)[0], tmp_path)


def test_what_is_withdrawn_is_dropped_and_counted(tmp_path):
    withdrawn = [
        thing(9, selftext="[removed]"),
        thing(8, selftext=" [deleted] "),
        thing(7, author="[deleted]"),
        thing(6, removed_by_category="moderator"),
        thing(5, removed_by_category="deleted"),
        thing(4, removed_by_category=None, author="somebody"),
        thing(3, at=START - 5, selftext="[removed]"),
        older(2),
    ]
    found, reading, _ = read(scripted(page(*withdrawn))[0], tmp_path)
    assert [post.post_id for post in found] == ["t3_4"]
    assert reading.dropped == {"removed": 2, "deleted": 3}, "what lies outside the window is no loss of it"


def test_comments_come_where_they_are_asked_for(tmp_path):
    transport, asked = scripted(page(thing(4), older(2), older(1)), page(thing(8, kind="t1", ups=3), older(7), older(6)))
    post, comment = read(transport, tmp_path, has_comments=True)[0]
    assert [request.url.path for request in asked[1:]] == ["/reddit/r/gaming/new", "/reddit/r/gaming/comments"]
    assert (post.kind, post.parent_id, comment.kind, comment.parent_id, comment.likes) == ("post", None, "comment", "t3_1", 3)


def test_texts_edits_and_links(tmp_path):
    things = [
        thing(9, title="Ask", selftext="which one?", edited=float(NOON + 60), permalink="/r/gaming/comments/9/", score=4, num_comments=2),
        thing(8, edited=True, selftext=None, permalink=7),
        older(2),
        older(1),
    ]
    first, second = read(scripted(page(*things))[0], tmp_path)[0]
    assert (first.text, first.score, first.replies, first.url) == ("Ask\nwhich one?", 4.0, 2, "https://www.reddit.com/r/gaming/comments/9/")
    assert (first.edited_at - first.created_at, second.edited_at, second.text, second.url) == (timedelta(seconds=60), None, "thing 8", None)


def test_an_author_is_hidden_under_name_and_number(tmp_path):
    own = thing(
        9,
        author_fullname="t2_9zx81",
        selftext="as u/tin_heron88 I say: see t2_9zx81",
        link_author="copper_kite7",
        crosspost_parent_list=[{"author": "moss-jay3"}],
    )
    transport = scripted(page(own, older(2), older(1)))[0]
    settings = settings_at("http://platform.test", tmp_path)
    collect("reddit", "games", topic(), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=transport)
    lake = Lake(settings.lake)
    (row,) = lake.read(lake.partition("raw", "reddit", "games", DAY)).to_pylist()
    assert not [word for word in ("tin_heron88", "t2_9zx81", "copper_kite7", "moss-jay3") if word in str(row)]


@pytest.mark.parametrize("wrong", [{"subreddits": []}, {"subreddits": ["r/gaming"]}, {"query": "x", "has_comments": True}, {"query": ""}])
def test_a_section_that_cannot_be_right_is_refused(wrong):
    with pytest.raises(ValidationError):
        RedditTopic(**{"subreddits": ["gaming"], **wrong})


NOW = DAY.end + timedelta(hours=6)


def topic(**changes):
    return Topic(reddit=RedditTopic(**{"subreddits": ["gaming"], **changes}))


def run(windows, url, home, now=NOW, **changes):
    settings = settings_at(url, home)
    params = CollectParams(page_size=50, window=windows[0].unit)
    return collect("reddit", "games", topic(**changes), windows, settings=settings, params=params, now=now), Lake(settings.lake)


@pytest.fixture(scope="module")
def url():
    with platforms(now=NOW, reddit_per_day=200, deleted_share=0.2) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [{3: "expired-token"}, {1: "500", 2: "expired-token", 6: "expired-token"}, {3: "empty-page"}, {4: "repeated-page"}, {4: "same-cursor"}],
)
def test_the_simulators_habits_change_no_byte(url, tmp_path, faults):
    clean, _ = run([DAY], url, tmp_path / "clean")
    plan_faults(url, "reddit", faults)
    faulty, _ = run([DAY], url, tmp_path / "faulty")
    plan_faults(url, "reddit", {})
    assert (faulty["sha256"], faulty["rows"] > 100) == (clean["sha256"], True)


def test_a_window_beyond_the_thousand_is_never_short(url, tmp_path):
    days = [DAY]
    while len(days) < 9:
        days.insert(0, days[0].previous())
    reached = []
    with pytest.raises(OutOfReach, match="and did not reach the window's start"):
        for day in reversed(days):
            reached.append(run([day], url, tmp_path)[0]["rows"])
    assert len(reached) >= 5 and min(reached) > 100
    assert len(list(tmp_path.rglob("part-0.parquet"))) == len(reached)


def test_a_day_that_may_be_out_of_reach_by_then_is_not_collected_again_by_itself():
    uncapped = replace(SOURCE, query_cap=None)
    assert uncapped.can_be_read_again_after(1) and not SOURCE.can_be_read_again_after(1)


def test_comments_and_searches_of_the_simulator(url, tmp_path):
    plain, _ = run([DAY], url, tmp_path / "plain")
    both, lake = run([DAY], url, tmp_path / "both", has_comments=True)
    searched, _ = run([DAY], url, tmp_path / "searched", query="game")
    kinds = lake.read(lake.partition("raw", "reddit", "games", DAY))["kind"].to_pylist()
    assert both["rows"] == plain["rows"] + kinds.count("comment") and kinds.count("comment") > 20
    rows = lake.read(lake.partition("raw", "reddit", "games", DAY)).to_pylist()
    parents = [row["parent_id"] for row in rows if row["kind"] == "comment"]
    assert sum(parent in {row["post_id"] for row in rows} for parent in parents) > len(parents) / 2
    assert searched["rows"] == plain["rows"]
    with pytest.raises(SourceError, match="found 404"):
        run([DAY], url, tmp_path / "none", subreddits=["knitting"])


def subreddits_that(**answers):
    """A Reddit of subreddits; each answers with its page or what else is told."""

    def handler(request):
        this = TOKEN if request.method == "POST" else answers[request.url.path.split("/")[3]]
        return this if isinstance(this, httpx2.Response) else answer(this)

    return httpx2.MockTransport(handler)


GOOD, BACK = page(thing(9), thing(8), older(2), older(1)), page(thing(7), older(6), older(5))
PRIVATE = httpx2.Response(403, json={"reason": "private"})
FAR = [page(*[thing(5000 - 100 * number - place, at=DAY.end.timestamp()) for place in range(100)], after=f"t3_{number}") for number in range(8)]


def together(home, transport, windows=(DAY,), subreddits=("gaming", "pcgaming"), **how):
    settings = settings_at("http://platform.test", home)
    section, lake = topic(subreddits=list(subreddits)), Lake(settings.lake)
    params = CollectParams(attempts=1, **how)
    try:
        return collect("reddit", "games", section, list(windows), settings=settings, params=params, now=NOW, transport=transport), lake
    except SourceError as error:
        return error, lake


def lies_there(lake, day=DAY):
    partition = lake.partition("raw", "reddit", "games", day)
    return sorted(lake.read(partition)["post_id"].to_pylist()), lake.metadata(partition)


def test_a_subreddit_that_fails_takes_nothing_from_the_others_and_leaves_the_window_open(tmp_path):
    error, lake = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=PRIVATE))
    assert isinstance(error, AccessRefused) and "1 of 2 addresses could not be read" in str(error) and "/r/pcgaming/new" in str(error)
    ids, footer = lies_there(lake)
    assert (ids, footer["status"], footer["seen_share"]) == (["t3_8", "t3_9"], "open", 0.0)
    done, _ = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=BACK))
    ids, footer = lies_there(lake)
    assert (ids, footer["status"], done["rows"]) == (["t3_7", "t3_8", "t3_9"], "complete", 3)
    undisturbed = together(tmp_path / "undisturbed", subreddits_that(gaming=GOOD, pcgaming=BACK))[1]
    assert lies_there(undisturbed)[1]["content_sha256"] == footer["content_sha256"]


def walking(gaming, pcgaming):
    """A Reddit whose ``gaming`` is a list of pages and ``pcgaming`` one page."""
    left = iter(gaming)
    return httpx2.MockTransport(
        lambda request: answer(TOKEN if request.method == "POST" else pcgaming if "/r/pcgaming/" in request.url.path else next(left))
    )


def test_what_was_seen_whole_may_go_out_of_reach_while_its_neighbour_is_down(tmp_path):
    together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=PRIVATE))
    done, lake = together(tmp_path, walking([*FAR, page(thing(3, at=DAY.end.timestamp()))], BACK))
    ids, footer = lies_there(lake)
    assert not isinstance(done, Exception), done
    assert (ids, footer["status"], done["windows"][DAY.key].get("failed")) == (["t3_7", "t3_8", "t3_9"], "complete", None)


def test_a_window_that_is_whole_stays_as_it_was_while_a_subreddit_fails(tmp_path):
    _, lake = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=BACK))
    before = lake.sha256(lake.partition("raw", "reddit", "games", DAY))
    error, _ = together(tmp_path, subreddits_that(gaming=page(thing(99), older(2), older(1)), pcgaming=PRIVATE))
    assert isinstance(error, AccessRefused) and lake.sha256(lake.partition("raw", "reddit", "games", DAY)) == before


def test_where_all_subreddits_fail_nothing_is_written(tmp_path):
    error, lake = together(tmp_path, subreddits_that(gaming=PRIVATE, pcgaming=PRIVATE))
    assert isinstance(error, AccessRefused) and not lake.partitions("raw")


def test_a_told_wait_keeps_what_was_read_and_asks_no_further(tmp_path):
    wait = httpx2.Response(429, headers={"retry-after": "900"})
    error, lake = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=wait))
    assert isinstance(error, RateLimited) and error.seconds == 900 and lies_there(lake)[1]["status"] == "open"
    error, lake = together(tmp_path / "first", subreddits_that(gaming=wait))  # pcgaming is not asked: it would be a KeyError
    assert isinstance(error, RateLimited) and error.seconds == 900 and not lake.partitions("raw")


def test_what_was_not_asked_any_more_was_not_read(tmp_path):
    """The limit hits what was read whole before: the window must not close over the one behind it, which nobody has read yet."""
    three, wait = ("gaming", "pcgaming", "games"), httpx2.Response(429, headers={"retry-after": "900"})
    together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=BACK, games=PRIVATE), subreddits=three)
    error, lake = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=wait), subreddits=three)
    assert isinstance(error, RateLimited) and lies_there(lake)[1]["status"] == "open"


def test_what_is_out_of_reach_beside_a_neighbour_is_final_too(tmp_path):
    error, _ = together(tmp_path, walking([*FAR, page(thing(3, at=DAY.end.timestamp()))], BACK))
    assert isinstance(error, OutOfReach) and error.exit_code == 77 and "/r/gaming/new ended after" in str(error)


def test_of_a_range_the_windows_after_the_one_with_a_failure_are_as_they_were(tmp_path):
    error, lake = together(tmp_path, subreddits_that(gaming=GOOD, pcgaming=PRIVATE), windows=[DAY.previous(), DAY])
    assert isinstance(error, AccessRefused) and [one.window for one in lake.partitions("raw")] == [DAY.previous()]


def asked_for(url, home, ids, transport=None):
    http = Http(transport=transport, sleep=lambda seconds: None)
    section = RedditTopic(subreddits=["gaming"])
    return list(SOURCE.gone(Recheck(section, ids, settings_at(url, home), http))), http


def test_what_is_gone_is_known_by_its_id(tmp_path):
    with platforms(now=DAY.end + timedelta(hours=1), reddit_per_day=200, deleted_share=0.3) as there:
        _, lake = run([DAY], there, tmp_path)
        ids = lake.read(lake.partition("raw", "reddit", "games", DAY))["post_id"].to_pylist()
        assert asked_for(there, tmp_path, ids)[0] == []
        httpx2.put(f"{there}/now", json={"now": "2026-10-24T00:00:00Z"}).raise_for_status()
        gone, _ = asked_for(there, tmp_path, ids)
        run([DAY], there, tmp_path / "later", now=datetime(2026, 10, 24, tzinfo=UTC))
        later = Lake(settings_at(there, tmp_path / "later").lake)
        left = later.read(later.partition("raw", "reddit", "games", DAY))["post_id"].to_pylist()
    assert set(gone) == set(ids) - set(left) and 5 < len(gone) < len(ids)


def test_a_post_that_is_missing_once_is_not_gone(tmp_path):
    transport, asked = scripted(page(thing(1), thing(4, selftext="[deleted]")), page(thing(2)))
    gone, _ = asked_for("http://platform.test", tmp_path, ["t3_1", "t3_2", "t3_3", "t3_4"], transport)
    assert gone == ["t3_3", "t3_4"]
    assert [request.url.params["id"] for request in asked[1:]] == ["t3_1,t3_2,t3_3,t3_4", "t3_2,t3_3"]


def test_the_simulator_lets_nobody_in_without_a_token(url):
    assert httpx2.get(f"{url}/reddit/r/gaming/new").status_code == 401
    assert httpx2.get(f"{url}/reddit/r/gaming/new", headers={"authorization": "bearer invented"}).status_code == 401
    asked = {"url": f"{url}/reddit/api/v1/access_token", "data": {"grant_type": "client_credentials"}}
    for login in ("", "Basic", "Basic ???", "Basic Og==", "Bearer YTpi"):
        assert httpx2.post(headers={"authorization": login}, **asked).status_code == 401, login
    assert httpx2.post(headers={"authorization": "Basic YTpi"}, **asked).json()["token_type"] == "bearer"
