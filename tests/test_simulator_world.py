"""simulator: the world's topics, people, noise, events and drift are there at the rates that are written down."""

import ipaddress
import random
import re
from collections import Counter
from datetime import date, timedelta
from itertools import combinations

import pytest

from groundswell.errors import UsageError
from groundswell.simulator import coinage, noise, people, writer
from groundswell.simulator.content import ANSWER_SHARE, PLATFORMS, TOPICS, WITH_ANSWERS, posts_of, shown, stream
from groundswell.simulator.events import EVENTS, Event
from groundswell.simulator.kept import Kept
from groundswell.simulator.settings import SimulatorSettings
from groundswell.simulator.topics import VOCABULARIES

pytestmark = pytest.mark.slow

DAY = date(2026, 10, 21)
MANY = 6000


@pytest.fixture(scope="module", params=TOPICS)
def posts(request):
    return posts_of(1, "bluesky", request.param, DAY, MANY)


def share(posts, holds):
    return sum(map(bool, map(holds, posts))) / len(posts)


def test_topics_do_not_share_their_names():
    for one, other in combinations(VOCABULARIES.values(), 2):
        assert not set(one.first_names) & set(other.first_names)


def test_no_word_is_both_good_and_bad():
    for words in VOCABULARIES.values():
        for pair in ("", "_always", "_events", "_idioms", "_aspects"):
            assert not set(getattr(words, f"good{pair}")) & set(getattr(words, f"bad{pair}"))
        assert not {*words.good, *words.good_always} & {*words.bad, *words.bad_always}


def test_every_slot_of_every_pattern_is_filled(posts):
    assert not [post.text for post in posts if re.search(r"[{}]", post.text)]


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("blank", writer.BLANK),
        ("repeat", writer.EXACT + writer.NEAR + writer.PASSED_AROUND),
        ("foreign", writer.FOREIGN_SHARE),
        ("spam", writer.SPAM),
        ("bot", writer.BOT),
    ],
)
def test_what_is_not_ordinary_comes_at_its_rate(posts, kind, rate):
    """Of what passers-by write unasked: a regular's posts, answers, and what is posted in several places are never any of these."""
    unasked = [post for post in posts if post.parent is None and post.kind != "cross_post"]
    assert share(unasked, lambda post: post.kind == kind) == pytest.approx(rate * (1 - people.REGULAR_SHARE), rel=0.25, abs=0.003)


def test_spam_and_bots_feel_nothing(posts):
    assert {post.sentiment for post in posts if post.kind in ("spam", "bot")} == {"neutral"}
    bots = Counter(post.author for post in posts if post.kind == "bot")
    assert len(bots) == people.BOTS and min(bots.values()) > 5
    assert all(post.author.startswith("deals") for post in posts if post.kind == "spam")


def test_answers_answer_an_earlier_post_of_somebody(posts):
    answers = [post for post in posts if post.parent]
    assert len(answers) / len(posts) == pytest.approx(ANSWER_SHARE, rel=0.2)
    for post in answers:
        assert post.parent in posts[max(0, posts.index(post) - 60) :] and post.parent.created <= post.created
        assert post.parent.kind not in ("bot", "spam", "blank") and post.root.parent is None
    felt = [post for post in answers if post.parent.sentiment != "neutral"]
    assert share(felt, lambda post: post.sentiment == post.parent.sentiment) > 0.6


def test_who_has_no_answers_has_none():
    assert not any(post.parent for platform in {*PLATFORMS} - {*WITH_ANSWERS} for post in posts_of(1, platform, "games", DAY, 300))


def test_some_write_every_day_at_their_hour():
    days = [posts_of(1, "mastodon", "brands", DAY + timedelta(days=number), 900) for number in range(4)]
    every_day = set.intersection(*({post.author for post in posts} for posts in days))
    daily = {people.account("mastodon", person.number): person for person in people.dailies(1)}
    assert len(every_day & set(daily)) >= 10
    name = next(iter(every_day & set(daily)))
    assert all(any(abs(post.created % 86_400 - daily[name].second) <= 1800 for post in posts if post.author == name) for posts in days)


def test_a_regular_has_a_temper():
    grim = {people.account("x", person.number) for person in people.regulars(1) if person.mood[0] > person.mood[2]}
    glad = {people.account("x", person.number) for person in people.regulars(1) if person.mood[2] > person.mood[0]}
    posts = [post for number in range(5) for post in posts_of(1, "x", "games", DAY + timedelta(days=number), 4000)]
    bad = [share([post for post in posts if post.author in group], lambda post: post.sentiment == "negative") for group in (grim, glad)]
    assert bad[0] > bad[1] + 0.15


def test_cross_posts_are_one_persons_words_in_several_places():
    places = {platform: [post for post in posts_of(1, platform, "games", DAY, 2000) if post.kind == "cross_post"] for platform in WITH_ANSWERS}
    assert all(10 < len(posts) < 40 for posts in places.values())
    on_x = {(post.author, post.text, post.sentiment) for post in places["x"]}
    on_reddit = {(post.author, post.text, post.sentiment) for post in places["reddit"]}
    assert len(on_x & on_reddit) >= 5
    assert {author for author, _, _ in on_x} & {post.author for post in places["hackernews"]}


def test_personal_data_is_planted_and_known(posts):
    with_data = [post for post in posts if post.planted]
    assert len(with_data) / len(posts) == pytest.approx(writer.PII_SHARE, rel=0.4)
    assert {piece.kind for post in with_data for piece in post.planted} == set(noise.PII_KINDS)
    assert all(piece.value in post.text for post in with_data for piece in post.planted)


def test_what_is_planted_is_well_formed_and_nobodys():
    chance = random.Random(1)
    pieces = [noise.planted(chance)[1] for _ in range(2000)]
    values = {kind: [piece.value for piece in pieces if piece.kind == kind] for kind in noise.PII_KINDS}
    for card in values["card"]:
        digits = re.sub(r"\D", "", card)
        assert len(digits) == 16 and noise.luhn_digit(digits[:-1]) == digits[-1]
    for iban in values["iban"]:
        plain = iban.replace(" ", "")
        assert int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1
        assert len(plain) == {"DE": 22, "GB": 22, "NL": 18}[plain[:2]]
    reserved = [ipaddress.ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    assert all(any(ipaddress.ip_address(value) in network for network in reserved) for value in values["ip"])
    assert all(re.search(r"@[a-z.]*example(\.(org|com|net))?$", value) for value in values["email"])
    assert all("555" in value or value.startswith("+44 7700 900") for value in values["phone"])


@pytest.mark.parametrize(("number", "digit"), [("7992739871", "3"), ("37828224631000", "5"), ("411111111111111", "1")])
def test_check_digits_are_luhns(number, digit):
    assert noise.luhn_digit(number) == digit


def test_mojibake_is_utf_8_read_as_something_else(posts):
    assert noise.mojibake("it's 😀") == "it's ðŸ˜€"
    assert noise.mojibake("it's fine").encode("cp1252").decode() == "it’s fine – see…"
    assert share(posts, lambda post: re.search("Ã|â€|ðŸ", post.text)) == pytest.approx(writer.MOJIBAKE_SHARE, rel=0.6)


def test_news_are_clean():
    for post in posts_of(1, "rss", "finance", DAY, 1500):
        assert not post.planted and post.parent is None and post.kind in ("ordinary", "repeat")
        assert not re.search(r"[#@]|https?:|[^\x00-\u2fff]", post.text)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.cause)
def test_an_event_makes_people_write_and_feel(event):
    before, on_it, after = (posts_of(1, "x", event.topic, event.day + timedelta(days=days), 1000) for days in (-2, 0, event.days))
    assert len(on_it) > 1.5 * len(before) and len(after) < 1.3 * len(before)
    felt = [share(posts, lambda post: post.sentiment == event.mood) for posts in (before, on_it)]
    assert felt[1] > felt[0] + 0.15
    assert share(on_it, lambda post: event.cause in post.text.casefold()) > 0.2
    assert not any(event.cause in post.text.casefold() for post in before)


def test_events_are_a_setting(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_SIMULATOR_EVENTS", "[]")
    quiet = SimulatorSettings(x_per_day=500)
    monkeypatch.setenv("GROUNDSWELL_SIMULATOR_EVENTS", '[{"topic": "brands", "day": "2026-10-21", "cause": "the mould in the yoghurt", "surge": 4}]')
    busy = SimulatorSettings(x_per_day=500)
    assert busy.events == (Event(topic="brands", day=DAY, cause="the mould in the yoghurt", surge=4),)
    assert len(shown(busy, "x", "brands", DAY)) > 3 * len(shown(quiet, "x", "brands", DAY))
    assert shown(busy, "x", "games", DAY) == shown(quiet, "x", "games", DAY)


def test_the_demos_fortnight_is_quiet():
    assert not any(event.force(date(2026, 10, 19) + timedelta(days=number)) for event in EVENTS for number in range(14))


def test_new_names_and_slang_come_in_and_old_ones_never_come_back():
    texts = [" ".join(post.text.casefold() for post in posts_of(1, "x", "games", DAY + timedelta(weeks=weeks), 4000)) for weeks in (0, 1, 26)]
    first, next_week, much_later = (set(re.findall(r"[a-z]{4,}", text)) for text in texts)
    gone = first & next_week - much_later
    assert gone and len(first & much_later) > 300
    days = (DAY, DAY + timedelta(weeks=26))
    now, later = ({*coinage.names(1, "games", day), *coinage.slang(1, "games", day, "good")} for day in days)
    assert len(now) > 10 and not now & later
    assert sum(word.casefold() in first for word in now) > 8


@pytest.mark.slow
def test_a_day_may_be_too_large_and_says_so():
    with pytest.raises(UsageError, match=r"at most 5,000,000 posts a day.*lower x_per_day"):
        next(stream(1, "x", "games", DAY, 6_000_000))


def test_a_stream_is_the_same_as_the_day():
    assert tuple(stream(1, "x", "games", DAY, 200)) == posts_of(1, "x", "games", DAY, 200)


def test_an_empty_day_is_empty():
    assert all(posts_of(1, platform, topic, DAY, 0) == () for platform in PLATFORMS for topic in TOPICS)


def test_what_is_kept_is_bounded():
    kept = Kept(10, len)
    for number in range(20):
        assert kept.get(number, lambda number=number: (number,) * 4) == (number,) * 4
    made = []
    kept.get(19, lambda: made.append(1))
    kept.get(0, lambda: made.append(2) or (0,))
    assert made == [2]
    assert kept.get("large", lambda: (1,) * 100) is kept.get("large", lambda: ())


@pytest.mark.slow
def test_a_day_of_a_million_posts():
    """In bounded memory, ids inside the day, ascending."""
    import tracemalloc

    tracemalloc.start()
    last, count = 0, 0
    for post in stream(1, "x", "finance", DAY, 1_000_000):
        assert post.post_id > last
        last, count = post.post_id, count + 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 900_000 and peak < 150e6
    assert last < posts_of(1, "x", "games", DAY + timedelta(days=1), 10)[0].post_id
