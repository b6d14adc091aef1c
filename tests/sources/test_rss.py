"""rss: feeds as they are written, dates in any zone, what is broken and what is hopeless, and a feed read through a day."""

import gzip
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.collect import collect, watch
from groundswell.errors import ParamsError, SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic, load_params
from groundswell.simulator.content import shown
from groundswell.simulator.settings import SimulatorSettings
from groundswell.sources.base import Reading, Shown
from groundswell.sources.markup import plain
from groundswell.sources.rss import SOURCE, RssTopic
from groundswell.sources.zones import feed_time
from groundswell.window import Window
from tests.simulated import plan_faults, platforms, settings_at

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 10, 20, 0, 30, tzinfo=UTC)
XML = {"content-type": "application/rss+xml"}


def read(content, home, headers=XML, known=None, attempts=2, **section):
    """What the source finds in a feed of these bytes, and the reading."""

    def handler(request):
        asked.append(request)
        return content if isinstance(content, httpx2.Response) else httpx2.Response(200, content=content, headers=headers)

    asked = []
    http = Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None, attempts=attempts)
    topic = RssTopic(**{"feeds": ["https://feed.example/news/rss.xml"], **section})
    reading = Reading(topic, DAY.start, DAY.end, settings_at("http://platform.test", home), CollectParams(), http, known=known or {})
    reading.asked = asked
    return list(SOURCE.posts(reading)), reading


def rss(*items, encoding="utf-8", declared=None, channel=""):
    head = f'<?xml version="1.0" encoding="{declared or encoding}"?><rss version="2.0"><channel><title>t</title>'
    return f"{head}{channel}{''.join(items)}</channel></rss>".encode(encoding)


def item(number=1, time="Mon, 19 Oct 2026 10:00:00 GMT", title="a headline", **more):
    fields = {"guid": f"urn:{number}", "title": title, "pubDate": time, **more}
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value is not None) + "</item>"


def atom(*entries):
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>t</title>{"".join(entries)}</feed>'.encode()


def test_markup_is_read_as_a_person_would(tmp_path):
    html = "<p>Shares <b>rose</b> 5&nbsp;% &amp; more.</p><script>track()</script><img src='x'><ul><li>one<li>two</ul>"
    (post,), _ = read(rss(item(title="P/E &lt; 10", description=escape(html))), tmp_path)
    assert post.text == "P/E < 10\nShares rose 5\u00a0% & more.\none\ntwo"
    (post,), _ = read(rss(item(title="the same", description="the same")), tmp_path)
    assert post.text == "the same"


@given(
    st.text(max_size=300) | st.lists(st.sampled_from(["<p>", "</p>", "<", ">", "&", "&#", "<!--", "a", "\0", "<script>", "<![CDATA["])).map("".join)
)
def test_no_markup_breaks_it(html):
    assert isinstance(plain(html), str)


def test_an_entry_is_mapped(tmp_path):
    entry = """<entry xml:lang="de_AT"><id>tag:a.example,2026:1</id><title>Kurse</title><link href="/1"/>
        <published>2026-10-19T10:00:00+02:00</published>
        <updated>2026-10-19T11:00:00Z</updated><author><name>Jo Moss</name><email>jo@a.example</email></author><summary>fallen</summary></entry>"""
    (post,), _ = read(atom(entry), tmp_path, {"content-type": "application/atom+xml"})
    assert (post.created_at.hour, post.edited_at.hour, post.lang, post.kind) == (8, 11, "de-AT", "article")
    assert (post.post_id, post.url, post.text) == ("tag:a.example,2026:1", "https://feed.example/1", "Kurse\nfallen")
    assert (post.author, post.aliases) == ("Jo Moss", ("jo@a.example", "Jo Moss (jo@a.example)"))


def test_no_name_of_an_author_reaches_the_lake(tmp_path):
    person = "<name>jo_moss7</name><email>jo_moss7@a.example</email><uri>https://a.example/jo_moss7</uri>"
    entry = f"""<entry><id>urn:1</id><title>by jo_moss7</title><updated>2026-10-19T10:00:00Z</updated><author>{person}</author>
        <contributor>{person.replace("jo_moss7", "al_reed3")}</contributor>
        <summary type="html">&lt;a href="mailto:jo_moss7@a.example"&gt;me&lt;/a&gt;</summary></entry>"""
    old = "<entry><id>urn:0</id><title>old</title><updated>2026-10-01T10:00:00Z</updated></entry>"
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=atom(entry, old)))
    topic = Topic(rss=RssTopic(feeds=["https://a.example/feed"]))
    collect(
        "rss", "games", topic, [DAY], settings=settings_at("http://platform.test", tmp_path), params=CollectParams(), now=NOW, transport=transport
    )
    lake = Lake(tmp_path / "lake")
    (row,) = lake.read(lake.partition("raw", "rss", "games", DAY)).to_pylist()
    assert len(row["author"]) == 32
    assert not [name for name in ("jo_moss7", "al_reed3") if name in str(row)]


def test_ids_are_of_the_whole_world(tmp_path):
    entries = [
        item().replace("<guid>urn:1", '<guid isPermaLink="false">4711'),
        item(guid="https://a.example/?p=1"),
        item(guid=None, link="https://a.example/2"),
        item(guid=None),
    ]
    found, reading = read(rss(*entries), tmp_path)
    assert [post.post_id for post in found] == ["feed.example/4711", "https://a.example/?p=1", "https://a.example/2"]
    assert reading.dropped == {"no_id": 1}


ZONES = {
    "Mon, 19 Oct 2026 10:00:00 GMT": 10,
    "Mon, 19 Oct 2026 10:00:00 +0200": 8,
    "Mon, 19 Oct 2026 10:00:00 EST": 15,
    "Mon, 19 Oct 2026 10:00:00 CEST": 8,
    "Mon, 19 Oct 2026 10:00:00 MESZ": 8,
    "Mon, 19 Oct 2026 10:00:00 JST": 1,
    "Mon, 19 Oct 2026 10:00:00 XYZ": None,
    "Mon, 19 Oct 2026 10:00:00": 10,
    "19 Oct 2026 10:00 +0200": 8,
    "2026-10-19T10:00:00Z": 10,
    "2026-10-19T10:00:00.123-04:00": 14,
    "2026-10-19T10:00:00": 10,
    "2026-10-19": 0,
    "last week": None,
}


@pytest.mark.parametrize("said", ZONES)
def test_times_are_read_in_their_zone(tmp_path, said):
    found, reading = read(rss(item(time=said)), tmp_path)
    assert [post.created_at for post in found] == ([DAY.start + timedelta(hours=ZONES[said])] if ZONES[said] is not None else [])
    assert reading.dropped == ({} if found else {"bad_time": 1})


@pytest.mark.parametrize(
    ("said", "hour"), [("Mon, 19 Oct 2026 10:00:00 XYZ", 14), ("Mon, 19 Oct 2026 10:00:00", 14), ("Mon, 19 Oct 2026 10:00:00 GMT", 10)]
)
def test_the_topic_may_say_the_zone(tmp_path, said, hour):
    (post,), _ = read(rss(item(time=said)), tmp_path, time_zone="America/New_York")
    assert post.created_at.hour == hour


@given(st.none() | st.text(max_size=60), st.none() | st.just((2026, 13, 45, 25, 61, 61)) | st.just((2026, 10, 19, 1, 1, 1, 0, 0, 0)))
def test_no_time_breaks_it(said, parsed):
    assert feed_time(said, parsed, None) is None or feed_time(said, parsed, None).tzinfo is UTC


def test_an_entry_with_an_update_only_is_of_that_time(tmp_path):
    (post,), _ = read(atom("<entry><id>urn:1</id><title>t</title><updated>2026-10-19T10:00:00Z</updated></entry>"), tmp_path)
    assert (post.created_at.hour, post.edited_at) == (10, None)


ODD = {
    "latin-1 that says so": rss(item(title="café"), encoding="latin-1"),
    "latin-1 that says utf-8": rss(item(title="café"), encoding="latin-1", declared="utf-8"),
    "utf-16": rss(item(title="café"), encoding="utf-16"),
    "an entity that nobody declared": rss(item(title="caf&eacute;")),
    "an ampersand": rss(item(title="café", category="R & D")),
    "a control character": rss(item(title="café", category="\x01")),
    "a tag that is not closed": rss(item(title="café", description="<b>")),
    "something after the end": rss(item(title="café")) + b"\n<!-- 0.2 s --><script>count()</script>",
    "nothing before the start": b"\n\n" + rss(item(title="café")),
}


@pytest.mark.parametrize("fault", ODD)
def test_what_is_broken_but_whole_is_read(tmp_path, fault):
    (post,), _ = read(ODD[fault], tmp_path)
    assert post.text.startswith("café")


HOPELESS = {
    "html": (b"<!DOCTYPE html>\n<html><body>one moment</body></html>", "a page of HTML where a feed was due"),
    "json": (b'{"message": "no"}', "neither RSS nor Atom"),
    "nothing": (b"", "neither RSS nor Atom"),
    "xml": (b"<?xml version='1.0'?><opml version='2.0'><body/></opml>", "neither RSS nor Atom"),
    "cut": (rss(item(1), item(2))[:-60], "a feed that breaks off"),
    "cut between two entries": (rss(item(1), item(2)).partition(b"<item><guid>urn:2")[0], "a feed that breaks off"),
    "lost": (rss(item(1), "<item><guid>urn:2</guid><description><![CDATA[ open</description></item>", item(3)), "2 of its 3 entries"),
}


@pytest.mark.parametrize("fault", HOPELESS)
def test_what_is_hopeless_is_asked_for_again_and_refused(tmp_path, fault):
    content, message = HOPELESS[fault]
    with pytest.raises(SourceError, match=rf"https://feed.example/news/rss.xml: answered with .*({message}).*, 2 times"):
        read(content, tmp_path)


def test_a_feed_that_fails_takes_nothing_from_the_others(tmp_path):
    def handler(request):
        return httpx2.Response(200, content=rss(item()), headers=XML) if request.url.path == "/good.xml" else httpx2.Response(404)

    feeds = ["https://feed.example/bad.xml", "https://feed.example/good.xml"]

    def one_reading(feeds):
        http = Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None, attempts=2)
        return Reading(RssTopic(feeds=feeds), DAY.start, DAY.end, settings_at("http://platform.test", tmp_path), CollectParams(), http)

    reading = one_reading(feeds)
    assert [post.post_id for post in SOURCE.posts(reading)] == ["urn:1"]
    assert (list(reading.failed), list(reading.shown)) == (feeds[:1], feeds[1:])
    with pytest.raises(SourceError, match=r"2 of 2 addresses could not be read: .*bad\.xml.*found 404.*worse\.xml"):
        list(SOURCE.posts(one_reading([feeds[0], "https://feed.example/worse.xml"])))


def test_compressed_feeds_and_moved_ones_are_read(tmp_path):
    found, _ = read(gzip.compress(rss(item())), tmp_path, {**XML, "content-encoding": "gzip"})
    assert len(found) == 1


def test_nothing_has_changed_is_asked_for_in_the_feeds_own_words(tmp_path):
    headers = {**XML, "etag": 'W/"7"', "last-modified": "Mon, 19 Oct 2026 10:00:00 GMT"}
    _, reading = read(rss(item()), tmp_path, headers)
    (url, first), *_ = reading.shown.items()
    assert first == Shown(DAY.start + timedelta(hours=10), {"if-none-match": 'W/"7"', "if-modified-since": "Mon, 19 Oct 2026 10:00:00 GMT"})
    found, reading = read(httpx2.Response(304), tmp_path, known={url: first})
    assert (found, reading.shown) == ([], {url: first})
    assert [reading.asked[0].headers[name] for name in first.validators] == list(first.validators.values())
    with pytest.raises(SourceError, match="was not asked"):
        read(httpx2.Response(304), tmp_path)


@pytest.mark.parametrize(
    ("hours", "since"),
    [([12, 9, 6], 6), ([6, 9, 12], 6), ([6], 6), ([], None), ([0, 23, 20, 17], 17), ([9, 9], 9)],
    ids=["newest first", "newest last", "one", "none", "an old one kept at the top", "at once"],
)
def test_a_feed_reaches_back_to_its_end(tmp_path, hours, since):
    _, reading = read(rss(*[item(hour, f"Mon, 19 Oct 2026 {hour:02}:00:00 GMT") for hour in hours]), tmp_path)
    (shown_now,) = reading.shown.values()
    assert shown_now.since == (None if since is None else DAY.start + timedelta(hours=since))


def test_a_feed_out_of_a_cache_is_of_the_time_that_it_says(tmp_path):
    """Of two feeds one comes as it was before midnight: until then it was seen, whatever the time of the other."""
    dates = {"/a.xml": "Mon, 19 Oct 2026 18:00:00 GMT", "/b.xml": "Tue, 20 Oct 2026 00:20:00 GMT"}
    body = rss(item(time="Mon, 19 Oct 2026 00:00:00 GMT"))
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body, headers={**XML, "date": dates[request.url.path]}))
    topic = Topic(rss=RssTopic(feeds=[f"https://feed.example{path}" for path in dates]))
    there = settings_at("http://platform.test", tmp_path)
    report = collect("rss", "finance", topic, [DAY], settings=there, params=CollectParams(), now=NOW, transport=transport)
    lake = Lake(there.lake)
    footer = lake.metadata(lake.partition("raw", "rss", "finance", DAY))
    assert (report["windows"][DAY.key]["seen_share"], footer["status"]) == (0.75, "open")
    dates["/a.xml"] = dates["/b.xml"]
    again = collect("rss", "finance", topic, [DAY], settings=there, params=CollectParams(), now=NOW, transport=transport)
    footer = lake.metadata(lake.partition("raw", "rss", "finance", DAY))
    assert (again["windows"][DAY.key]["seen_share"], footer["status"]) == (1.0, "complete")


def test_a_feed_in_the_order_of_its_updates_reaches_back_to_the_last_update(tmp_path):
    entries = [
        f"<entry><id>urn:{number}</id><title>t</title><published>{published}</published><updated>2026-10-19T{hour}:00:00Z</updated></entry>"
        for number, (published, hour) in enumerate([("2026-10-19T12:00:00Z", 12), ("2024-01-01T00:00:00Z", 11), ("2020-01-01T00:00:00Z", 10)])
    ]
    _, reading = read(atom(*entries), tmp_path)
    assert [one.since.hour for one in reading.shown.values()] == [10]


def test_an_address_without_a_host_needs_what_it_is_relative_to(tmp_path):
    with pytest.raises(ParamsError, match="'games.xml' has no host.*GROUNDSWELL_RSS_URL"):
        topic, places = RssTopic(feeds=["games.xml"]), settings_at("http://p.test", tmp_path).model_copy(update={"rss_url": ""})
        list(SOURCE.posts(Reading(topic, DAY.start, DAY.end, places, CollectParams(), Http())))


@pytest.mark.parametrize("feed", ["https://me:secret@feed.example/rss.xml", "//me:secret@feed.example/rss.xml"])
def test_a_login_has_no_place_in_params(tmp_path, feed):
    with pytest.raises(ValueError, match="GROUNDSWELL_RSS_URL"):
        RssTopic(feeds=[feed])
    assert RssTopic(feeds=["https://feed.example/@me/rss.xml?to=a@b"]).feeds


def test_a_zone_that_does_not_exist_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text("topic: n\ntopics: {n: {rss: {feeds: [a], time_zone: Europe/Berlim}}}")
    with pytest.raises(ParamsError, match="topics.n.rss.time_zone: .*IANA name.*Europe/Berlim"):
        load_params(settings_at("http://p.test", tmp_path))


# A feed that moves on, by the simulator: 60 of a day's 130 entries are shown at a time.

WORLD = {"rss_per_day": 130, "rss_entries": 60, "late_share": 0, "edited_share": 0, "deleted_share": 0}
TOPIC = Topic(rss=RssTopic(feeds=["games.xml"]))


@pytest.fixture(scope="module")
def url():
    with platforms(**WORLD) as address:
        yield address


def at(url, moment):
    httpx2.put(f"{url}/now", json={"now": moment.isoformat()}).raise_for_status()


def poll(url, home, moments, windows=(DAY,)):
    """Read the feed at these moments into one lake; the last report."""
    for moment in moments:
        at(url, moment)
        report = collect("rss", "games", TOPIC, list(windows), settings=settings_at(url, home), params=CollectParams(), now=moment)
    return report


def rows(home, window=DAY):
    lake = Lake(home / "lake")
    return lake.read(lake.partition("raw", "rss", "games", window)).to_pylist()


def truth(window=DAY):
    world = SimulatorSettings(**WORLD)
    return {str(post.post_id): post for post in shown(world, "rss", "games", window.day)}


def ids(home, window=DAY):
    return {row["post_id"].rpartition("/")[2] for row in rows(home, window)}


def every(hours, until=NOW):
    start = DAY.start + timedelta(minutes=30)
    return [start + timedelta(hours=number * hours) for number in range(int((until - start) / timedelta(hours=hours)) + 1)]


def test_a_feed_that_is_read_often_enough_loses_nothing(url, tmp_path):
    report = poll(url, tmp_path, every(3))
    assert ids(tmp_path) == set(truth()) and len(truth()) > 100
    assert report["windows"][DAY.key]["seen_share"] == 1.0


def test_watched_it_loses_nothing_and_collected_only_after_the_day_it_does(url, tmp_path):
    """As the DAG does: every half hour whatever is open, then once more after the day, as `collect` does."""
    watched, alone = tmp_path / "watched", tmp_path / "alone"
    for half_hours in range(1, 49, 2):  # of which every second one fails
        now = DAY.start + timedelta(minutes=30 * half_hours)
        at(url, now)
        watch("rss", "games", TOPIC, settings=settings_at(url, watched), params=CollectParams(), now=now)
    reports = [poll(url, home, [NOW]) for home in (watched, alone)]
    assert ids(watched) == set(truth()) and ids(alone) < set(truth())
    assert [report["windows"][DAY.key]["seen_share"] == 1.0 for report in reports] == [True, False]
    lake = Lake(watched / "lake")
    assert lake.metadata(lake.partition("raw", "rss", "games", DAY))["status"] == "complete"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "steam"], "expected --window, or --watch"),
        (["--source", "steam", "--window", DAY.key, "--watch"], "and not both"),
        (["--source", "steam", "--watch"], "steam can be asked for windows that are over"),
    ],
)
def test_a_window_or_watching_and_watching_only_what_has_no_past(words, said):
    done = subprocess.run([sys.executable, "-m", "groundswell.cli", "collect", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr


def test_one_that_is_read_too_rarely_says_so(url, tmp_path):
    report = poll(url, tmp_path, [NOW])
    seen = ids(tmp_path)
    assert seen < set(truth()) and 0 < report["windows"][DAY.key]["seen_share"] < 0.9
    since = min(truth()[each].created for each in seen)
    assert seen == {each for each, post in truth().items() if post.created >= since}


def test_what_it_saw_is_what_was_written(url, tmp_path):
    poll(url, tmp_path, every(3))
    for row in rows(tmp_path):
        post = truth()[row["post_id"].rpartition("/")[2]]
        assert row["created_at"] == post.moment
        assert "".join(row["text"].split()) == "".join(post.text.split())


def test_an_edit_that_the_feed_names_is_taken(tmp_path):
    topic = Topic(rss=RssTopic(feeds=["games.atom"]))
    with platforms(**{**WORLD, "edited_share": 1, "rss_entries": 300}) as url:
        for moment in (NOW, NOW + timedelta(days=1)):
            at(url, moment)
            collect("rss", "games", topic, [DAY], settings=settings_at(url, tmp_path), params=CollectParams(), now=moment)
    edited = [row for row in rows(tmp_path) if row["edited_at"]]
    assert len(edited) > 50
    lake = Lake(tmp_path / "lake")
    assert lake.metadata(lake.partition("raw", "rss", "games", DAY))["reason"] == "appended on sight"


def test_a_feed_that_did_not_change_is_not_sent_again(url, tmp_path):
    now = NOW + timedelta(hours=7)
    first = poll(url, tmp_path, [now])
    answered = []
    place = settings_at(url, tmp_path)
    transport = httpx2.HTTPTransport()
    spying = httpx2.MockTransport(lambda request: answered.append(transport.handle_request(request)) or answered[-1])
    again = collect("rss", "games", TOPIC, [DAY], settings=place, params=CollectParams(), now=now + timedelta(minutes=1), transport=spying)
    assert [response.status_code for response in answered] == [304]
    assert again["sha256"] == first["sha256"] and again["rows"] > 10
    following = Window.parse("2026-10-20")
    collect("rss", "games", TOPIC, [following], settings=place, params=CollectParams(), now=now + timedelta(minutes=1), transport=spying)
    assert [response.status_code for response in answered] == [304, 200]
    assert rows(tmp_path, following)


FAULTS = ("429-seconds", "429-silent", "500", "503", "html", "truncated")


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.dictionaries(st.integers(1, 6), st.sampled_from(FAULTS), max_size=5))
def test_no_fault_takes_an_entry_away_or_adds_one(url, tmp_path, plan):
    at(url, NOW)

    def found():
        with Http(attempts=12, sleep=lambda seconds: None) as http:
            reading = Reading(TOPIC.rss, DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(), http)
            return {(post.post_id, post.text, post.created_at) for post in SOURCE.posts(reading)}

    clean = found()
    plan_faults(url, "rss", plan)
    try:
        assert found() == clean and len(clean) > 40
    finally:
        plan_faults(url, "rss", {})


def test_the_order_of_readings_of_one_state_changes_nothing(url, tmp_path):
    """Hours one by one in any order, or the whole at once: the same entries."""
    at(url, NOW)
    hours = [Window(DAY.start + timedelta(hours=number), "hour") for number in range(16, 24)]
    random.Random(3).shuffle(hours)
    poll(url, tmp_path / "hours", [NOW], windows=sorted(hours))
    for hour in hours:
        poll(url, tmp_path / "single", [NOW], windows=[hour])
    poll(url, tmp_path / "day", [NOW])
    in_hours, single = (set().union(*(ids(tmp_path / name, hour) for hour in hours)) for name in ("hours", "single"))
    assert in_hours == single
    assert single == {row["post_id"].rpartition("/")[2] for row in rows(tmp_path / "day") if row["created_at"] >= min(hours).start}
