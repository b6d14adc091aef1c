"""mastodon: ids that hold times, HTML for text, tags that share statuses, and people who want to be left alone."""

import json
from datetime import timedelta

import httpx2
import pytest

from groundswell import tombstones
from groundswell.collect import collect
from groundswell.errors import AccessRefused, ParamsError, RateLimited, SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading, Recheck
from groundswell.sources.mastodon import SOURCE, MastodonTopic, snowflake, text_of
from groundswell.window import Window
from tests.simulated import plan_faults, platforms, settings_at

DAY = Window.parse("2026-10-19")
NOW = DAY.end + timedelta(days=1)
TOPIC = MastodonTopic(tags=["games"])


@pytest.fixture(scope="module")
def url():
    with platforms(mastodon_per_day=230) as address:
        yield address


def read(transport, tmp_path, url="http://platform.test", tags=("games",), settings=None, page_size=40, **client):
    http = Http(transport=transport, sleep=lambda seconds: None, **client)
    topic, settings = MastodonTopic(tags=list(tags)), settings or settings_at(url, tmp_path)
    reading = Reading(topic, DAY.start, DAY.end, settings, CollectParams(page_size=page_size), http)
    return list(SOURCE.posts(reading)), reading


def status(number, seconds=None, **changes):
    moment = DAY.start + timedelta(seconds=number if seconds is None else seconds)
    account = {"id": "109000000000000001", "acct": "otter@pond.example", "username": "otter"}
    return {
        "id": str(snowflake(moment) + number),
        "created_at": moment.isoformat(),
        "content": f"<p>level {number}</p>",
        "account": account,
    } | changes


def instance(pages, asked=None):
    """An instance that gives one of ``pages`` after the other, and empty ones at the end."""
    left = list(pages)

    def handler(request):
        if asked is not None:
            asked.append((request.url.path.rsplit("/", 1)[1], dict(request.url.params)))
        answer = left.pop(0) if left else []
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    return httpx2.MockTransport(handler)


def kept(tmp_path, statuses, tags=("games",)):
    """The rows that `collect` writes."""
    settings = settings_at("http://platform.test", tmp_path)
    topic = Topic(mastodon=MastodonTopic(tags=list(tags)))
    collect("mastodon", "games", topic, [DAY], settings=settings, params=CollectParams(), now=NOW, transport=instance([statuses]))
    lake = Lake(settings.lake)
    return lake.read(lake.partition("raw", "mastodon", "games", DAY)).to_pylist()


def test_a_snowflake_is_the_time_shifted():
    assert snowflake(DAY.start) == 1_792_368_000_000 << 16


def test_there_is_no_default_instance(tmp_path):
    settings = settings_at("http://platform.test", tmp_path).model_copy(update={"mastodon_url": ""})
    with pytest.raises(ParamsError, match="mastodon can't be asked without GROUNDSWELL_MASTODON_URL"):
        collect("mastodon", "games", Topic(mastodon=TOPIC), [DAY], settings=settings, params=CollectParams(), now=NOW)


def test_the_walk_goes_back_until_something_older_is_seen(tmp_path):
    asked = []
    found, reading = read(instance([[status(9), status(8)], [status(7), status(6, seconds=-5), status(5, seconds=-9)]], asked), tmp_path)
    assert [one.text for one in found] == ["level 9", "level 8", "level 7"]
    assert [query["max_id"] for _, query in asked] == [str(snowflake(DAY.end)), status(8)["id"]]
    assert not reading.dropped


def test_a_page_without_statuses_is_asked_for_again_before_it_is_the_end(tmp_path):
    asked = []
    found, _ = read(instance([[status(9)], [], [], [status(8)], []], asked), tmp_path)
    assert len(found) == 2 and len(asked) == 7


def test_an_instance_that_does_not_page_is_said(tmp_path):
    with pytest.raises(SourceError, match="same page again and again"):
        read(instance([[status(9)]] * 9), tmp_path)


def test_statuses_out_of_order_are_refused(tmp_path):
    with pytest.raises(SourceError, match="newest first"):
        read(instance([[status(7), status(1, seconds=-900), status(6)]]), tmp_path)


@pytest.mark.parametrize("answer", [{"error": "no"}, [{"id": "01HABCDEFGHJKMNPQRSTVWXYZ0"}], ["text"]])
def test_another_service_is_recognised(tmp_path, answer):
    with pytest.raises(SourceError, match="expected a list of statuses"):
        read(instance([answer]), tmp_path)


def test_a_status_in_two_tags_is_one_post(tmp_path):
    shared, asked = status(5), []
    pages = [[status(7), shared], [status(1, seconds=-1)], [shared, status(4)], [status(1, seconds=-1)]]
    found, reading = read(instance(pages, asked), tmp_path, tags=("Games", "#indiegame", "games"))
    assert [one.text for one in found] == ["level 7", "level 5", "level 4"]
    assert [tag for tag, _ in asked] == ["games", "games", "indiegame", "indiegame"]
    assert not reading.dropped


def test_a_tag_keeps_its_letters(tmp_path):
    asked = []
    read(instance([[status(1, seconds=-1)]], asked), tmp_path, tags=("#Straßenbahn",))
    assert [tag for tag, _ in asked] == ["straßenbahn"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>one</p><p>two<br />three</p>", "one\n\ntwo\nthree"),
        ('<p>see <a href="https://a.example/b"><span class="invisible">https://</span><span>a.example/b</span></a></p>', "see https://a.example/b"),
        ('<p><span class="h-card"><a href="https://x.example/@otter">@<span>otter</span></a></span> hi</p>', "@otter hi"),
        ('<p>I &lt;3 it &amp;amp; <a href="https://x.example/tags/goty">#<span>GOTY</span></a></p>', "I <3 it &amp; #GOTY"),
        ("a < b, no tag <", "a < b, no tag <"),
        ("", ""),
    ],
)
def test_html_is_read_as_the_text_that_it_shows(content, text):
    assert text_of(content) == text


def test_a_hostile_text_takes_no_time():
    assert text_of("<" * 300_000 + "<br" * 100_000) == "<" * 300_000 + "<br" * 100_000


def test_the_warning_is_part_of_the_text_and_tags_are_hashtags(tmp_path):
    tag = '<a href="https://x.example/tags/goty" class="mention hashtag" rel="tag">#<span>GOTY</span></a>'
    (row,) = kept(tmp_path, [status(1, spoiler_text="the ending", content=f"<p>it was {tag}</p>")])
    assert (row["text"], row["hashtags"]) == ("the ending\nit was #GOTY", ["GOTY"])


def test_edits_replies_and_languages_are_kept(tmp_path):
    edited = (DAY.start + timedelta(hours=2)).isoformat()
    first, second = kept(tmp_path, [status(2, edited_at=edited, in_reply_to_id=status(1)["id"], language="de", favourites_count=3), status(1)])
    assert (second["kind"], second["parent_id"], second["lang"], second["likes"]) == ("reply", first["post_id"], "de", 3)
    assert second["edited_at"] == DAY.start + timedelta(hours=2) and first["edited_at"] is None


def test_of_others_nothing_stays_and_of_the_author_little(tmp_path):
    account = {
        "id": "109000000000000001",
        "acct": "otter@pond.example",
        "username": "otter",
        "display_name": "Ot Ter",
        "note": "<p>lives in a pond</p>",
    }
    heron = {"id": "109000000000000002", "username": "heron", "acct": "heron@sky.example", "url": "https://sky.example/@heron"}
    one = status(
        1,
        account=account,
        content='<p>so says <a href="https://pond.example/@otter">@<span>otter</span></a></p>',
        uri="https://pond.example/ap/users/109000000000000001/statuses/1",
        url="https://pond.example/@otter/1",
        in_reply_to_account_id=heron["id"],
        mentions=[heron],
        quote={"state": "accepted", "quoted_status": {"content": "what she said", "account": heron}},
        card={"title": "a film", "author_name": "He Ron", "authors": [{"account": heron}]},
        new_field={"a": 1},
    )
    (row,) = kept(tmp_path, [one])
    raw = json.loads(row["raw"])
    for trace in ("otter", "109000000000000001", "109000000000000002", "heron", "He Ron", "Ot Ter", "lives in a pond", "what she said"):
        assert trace not in json.dumps(row, default=str), trace
    assert (raw["new_field"], raw["card"], raw["quote"]) == ({"a": 1}, {"title": "a film"}, {"state": "accepted"})
    assert raw["account"]["acct"] == row["author"]


def test_people_of_one_name_on_two_instances_are_two(tmp_path):
    """Whoever was erased here takes nobody of the same name elsewhere along."""
    home = {"id": "109000000000000003", "acct": "otter", "username": "otter"}
    tombstones.add(settings_at("http://platform.test", tmp_path), "mastodon", authors=["otter"])
    (row,) = kept(tmp_path, [status(2, account=home), status(1)])
    assert row["text"] == "level 1" and "otter" not in row["raw"]


def test_a_token_is_shown_where_there_is_one_and_a_refusal_says_what_to_do(tmp_path):
    seen = []

    def handler(request):
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(200, json=[]) if seen[-1] else httpx2.Response(401, json={"error": "This method requires an authenticated user"})

    settings = settings_at("http://platform.test", tmp_path)
    with pytest.raises(AccessRefused, match="set GROUNDSWELL_MASTODON_TOKEN"):
        read(httpx2.MockTransport(handler), tmp_path)
    with_token = settings.model_validate(settings.model_dump() | {"mastodon_token": "a-token"})
    read(httpx2.MockTransport(handler), tmp_path, settings=with_token)
    assert set(seen) == {None, "Bearer a-token"}


def test_a_limit_told_in_iso_8601_is_obeyed_or_given_back(tmp_path):
    def limited(reset):
        return httpx2.Response(429, headers={"x-ratelimit-reset": reset, "x-ratelimit-remaining": "0"})

    clock = DAY.start.timestamp
    found, reading = read(instance([limited("2026-10-19T00:00:40.000Z"), [status(1)]]), tmp_path, clock=clock)
    assert len(found) == 1 and reading.http.retries == 1
    with pytest.raises(RateLimited) as caught:
        read(instance([limited("2026-10-19T00:05:00.000Z")]), tmp_path, clock=clock)
    assert caught.value.seconds == 300


def test_the_simulators_habits_lose_no_status(url, tmp_path):
    clean, reading = read(None, tmp_path, url, tags=("game",))
    assert len(clean) > 200 and reading.dropped["opted_out"] > 0
    plan_faults(url, "mastodon", {2: "empty-page", 3: "empty-page", 5: "repeated-page", 7: "429-iso"})
    found, disturbed = read(None, tmp_path, url, tags=("game",))
    plan_faults(url, "mastodon", {})
    assert {one.post_id for one in found} == {one.post_id for one in clean}
    assert disturbed.http.requests == reading.http.requests + 4


def test_two_tags_of_the_simulator_are_their_union(url, tmp_path):
    game, pc, both = (
        {one.post_id for one in read(None, tmp_path, url, tags=tags)[0]} for tags in (("indiegame",), ("pcgaming",), ("indiegame", "pcgaming"))
    )
    assert both == game | pc and game - pc and pc - game and game & pc


def test_the_simulator_pages_both_ways(url):
    first = {"max_id": str(snowflake(DAY.end)), "limit": 40}
    newest = httpx2.get(f"{url}/mastodon/api/v1/timelines/tag/games", params=first)
    following = httpx2.get(newest.links["next"]["url"])
    back = httpx2.get(following.links["prev"]["url"])
    assert [one["id"] for one in back.json()] == [one["id"] for one in newest.json()]
    assert newest.headers["x-ratelimit-reset"].endswith("Z") and int(newest.headers["x-ratelimit-limit"]) == 300


def test_answers_in_the_simulator_name_statuses_that_are_there(url, tmp_path):
    found, _ = read(None, tmp_path, url, tags=("game",))
    answers = [one for one in found if one.parent_id]
    assert len(answers) > 20 and {one.kind for one in answers} == {"reply"}
    # Whoever is answered may not want to be indexed.
    assert sum(one.parent_id in {each.post_id for each in found} for one in answers) > 0.8 * len(answers)


def test_deleted_statuses_are_found_out(tmp_path):
    with platforms(mastodon_per_day=230) as url:
        httpx2.put(f"{url}/now", json={"now": (DAY.end + timedelta(hours=1)).isoformat()}).raise_for_status()
        ids = [one.post_id for one in read(None, tmp_path, url, tags=("game",))[0]]
        httpx2.put(f"{url}/now", json={"now": (DAY.end + timedelta(days=5)).isoformat()}).raise_for_status()
        there = {one.post_id for one in read(None, tmp_path, url, tags=("game",))[0]}
        with Http() as http:
            gone = list(SOURCE.gone(Recheck(TOPIC, ids, settings_at(url, tmp_path), http)))
            assert http.requests == -(-len(ids) // 20) + len(gone)
    assert gone == [each for each in ids if each not in there] and len(gone) > 3


@pytest.mark.parametrize("status_of_list", [200, 404])
def test_whom_an_instance_silenced_is_not_gone(tmp_path, status_of_list):
    """The list leaves out silenced people, and instances before 4.3 have no list."""

    def handler(request):
        last = request.url.path.rsplit("/", 1)[1]
        if last == "statuses":
            return httpx2.Response(status_of_list, json=[])
        return httpx2.Response(404 if last == "2" else 200, json={"id": last})

    with Http(transport=httpx2.MockTransport(handler)) as http:
        assert list(SOURCE.gone(Recheck(TOPIC, ["1", "2", "3"], settings_at("http://platform.test", tmp_path), http))) == ["2"]
