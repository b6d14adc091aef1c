"""simulator: the platforms' real wire, the same content in every process, and texts that words alone do not solve."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from datetime import date

import httpx2
import pytest

from groundswell.schema import LABELS
from groundswell.simulator.__main__ import main
from groundswell.simulator.content import posts_of
from groundswell.simulator.corpus import HEADER
from groundswell.simulator.faults import KINDS
from groundswell.simulator.rotation import FEWEST, in_use
from groundswell.simulator.settings import SimulatorSettings
from groundswell.simulator.writer import MOST_WORDS
from groundswell.window import Window
from tests.simulated import plan_faults, platforms

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
START, END = int(DAY.start.timestamp()), int(DAY.end.timestamp())
DAYS = [date.fromordinal(DAY.day.toordinal() + number) for number in range(14)]


@pytest.fixture(scope="module")
def url():
    with platforms() as address:
        yield address


@pytest.fixture(scope="module")
def fortnight():
    return [post for day in DAYS for post in posts_of(1, "corpus", "games", day, 260)]


def search(url, **parameters):
    asked = {"query": "game", "tags": "(story,comment)", "numericFilters": f"created_at_i>={START},created_at_i<{END}", **parameters}
    return httpx2.get(f"{url}/hackernews/api/v1/search_by_date", params=asked)


def reviews(url, **changes):
    asked = {
        "appid": 730,
        "filter": 1,
        "languages": ["english"],
        "num_per_page": 20,
        "date_range_start": START,
        "date_range_end": END,
        "cursor": "*",
        **changes,
    }
    return httpx2.get(f"{url}/steam/IUserReviewsService/GetAppReviews/v1/", params={"input_json": json.dumps(asked)}).json()["response"]


def test_content_is_the_same_in_every_process():
    code = """
from datetime import date
from groundswell.simulator.content import posts_of
print(repr(posts_of(1, "steam", "games", date(2026, 10, 19), 90)))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in "12"
    ]
    assert runs[0] == runs[1] == repr(posts_of(1, "steam", "games", DAY.day, 90)) + "\n"


def test_other_seeds_platforms_and_days_are_other_worlds():
    worlds = [posts_of(seed, platform, "games", day, 50)[0].text for seed in (1, 2) for platform in ("steam", "hackernews") for day in DAYS[:2]]
    assert len(set(worlds)) == len(worlds)


def test_posts_lie_inside_their_day(fortnight):
    ids = [post.post_id for post in fortnight]
    assert ids == sorted(set(ids))
    assert [post.moment.date() for post in fortnight] == sorted(post.moment.date() for post in fortnight)
    assert {post.moment.date() for post in fortnight} == set(DAYS)


def test_the_mix_is_what_it_should_be(fortnight):
    share = {label: count / len(fortnight) for label, count in Counter(post.sentiment for post in fortnight).items()}
    assert set(share) == set(LABELS) and all(0.2 < value < 0.45 for value in share.values())
    texts = Counter(post.text for post in fortnight)
    assert 0.005 < sum(count - 1 for text, count in texts.items() if text.strip()) / len(fortnight) < 0.04
    assert 1 <= sum(not post.text.strip() for post in fortnight) < 60
    assert 0.01 < sum(post.lang != "en" for post in fortnight) / len(fortnight) < 0.06
    assert any(post.is_off_topic for post in fortnight)
    lengths = sorted(len(post.text.split()) for post in fortnight if post.text.strip() and post.lang == "en")
    assert 8 <= lengths[len(lengths) // 2] <= 30 and lengths[-1] <= MOST_WORDS + 12


def test_words_change_from_day_to_day():
    items = tuple(f"word{number}" for number in range(150))
    first, next_day, later = (set(in_use(items, DAYS[number], 4, 1)) for number in (0, 1, 13))
    assert first & next_day and not first & later
    assert all(len(in_use(items[:6], day, 1, 1)) >= FEWEST for day in DAYS)


def test_a_post_says_nothing_of_its_writer(fortnight):
    assert not any(post.author in post.text for post in fortnight)


def test_search_is_newest_first_and_pages(url):
    first, second = (search(url, hitsPerPage=30, page=number).json() for number in (0, 1))
    times = [hit["created_at_i"] for hit in first["hits"] + second["hits"]]
    assert times == sorted(times, reverse=True) and all(START <= moment < END for moment in times)
    assert first["nbHits"] > 60 and first["nbPages"] == -(-first["nbHits"] // 30)
    assert {"objectID", "author", "comment_text", "title", "_tags", "points", "parent_id"} <= set(first["hits"][0])


def test_answers_name_what_they_answer(url):
    hits = {hit["objectID"]: hit for hit in search(url, hitsPerPage=1000).json()["hits"]}
    answers = [hit for hit in hits.values() if str(hit["parent_id"]) in hits]
    assert len(answers) > 8
    for hit in answers:
        parent = hits[str(hit["parent_id"])]
        assert hit["comment_text"] is not None and parent["created_at_i"] <= hit["created_at_i"] and parent["story_id"] == hit["story_id"]


def test_search_knows_its_filters(url):
    assert search(url, query="knitting").json()["nbHits"] == 0
    assert search(url, numericFilters="points>3").status_code == 400
    stories = search(url, tags="story", hitsPerPage=1000).json()["hits"]
    assert stories and all(hit["title"] for hit in stories)
    moment = stories[0]["created_at_i"]
    assert search(url, numericFilters=f"created_at_i={moment}").json()["nbHits"] >= 1


def test_search_never_gives_more_than_a_thousand_hits():
    with platforms(hackernews_per_day=1500) as busy:
        assert search(busy, hitsPerPage=1000).json()["nbHits"] > 1000
        beyond = search(busy, hitsPerPage=1000, page=1).json()
        assert (beyond["hits"], beyond["nbHits"]) == ([], 0) and "1000 hits" in beyond["message"]


def test_reviews_page_by_cursor(url):
    page, found = reviews(url), []
    while page.get("reviews"):
        found += [review["recommendationid"] for review in page["reviews"]]
        page = reviews(url, cursor=page["cursor"])
    assert len(found) == len(set(found)) == page["total_matching"] > 60
    assert "reviews" not in page and "success" not in page


def test_reviews_know_their_habits(url):
    assert httpx2.get(f"{url}/steam/IUserReviewsService/GetAppReviews/v1/", params={"input_json": "{"}).json() == {"response": {}}
    assert reviews(url, appid=1) == {}
    assert any(sign in reviews(url)["cursor"] for sign in "+/=")
    review = reviews(url)["reviews"][0]
    assert isinstance(review["recommendationid"], str) and isinstance(review["voted_up"], bool) and review["author"]["steamid"].isdigit()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("slow", "reset")])
def test_every_fault_can_be_had(url, kind):
    plan_faults(url, "steam", {1: kind})
    clean = {"input_json": json.dumps({"appid": 730, "date_range_start": START, "date_range_end": END})}
    faulty, after = (httpx2.get(f"{url}/steam/IUserReviewsService/GetAppReviews/v1/", params=clean) for _ in range(2))
    assert after.status_code == 200 and after.json()["response"]["reviews"]
    if kind[:3].isdigit():
        assert faulty.status_code == int(kind[:3])
    elif kind in ("html", "truncated"):
        with pytest.raises(ValueError):
            faulty.json()


def test_a_fault_can_be_asked_for_by_header(url):
    assert httpx2.get(f"{url}/hackernews/api/v1/search_by_date", headers={"x-simulator-fault": "503"}).status_code == 503
    assert httpx2.get(f"{url}/hackernews/api/v1/search_by_date", headers={"x-simulator-fault": "nonsense"}).status_code == 400
    assert httpx2.put(f"{url}/faults/steam", json={"1": "nonsense"}).status_code == 400


def test_health(url):
    assert httpx2.get(f"{url}/healthz").json()["status"] == "ok"


def test_the_corpus_is_a_file_as_people_have_them(tmp_path, capsys):
    path = tmp_path / "deep" / "corpus.csv"
    assert main(["corpus", "--window", "2026-10-19..2026-10-20", "--out", str(path)]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    assert len(rows) == report["rows"] > 450 and tuple(rows[0]) == HEADER
    assert set(LABELS) < {row["sentiment"] for row in rows} <= {*LABELS, "irrelevant"}
    first = path.read_bytes()
    main(["corpus", "--window", "2026-10-19..2026-10-20", "--out", str(path)])
    assert path.read_bytes() == first


def test_a_bad_window_is_said(tmp_path, capsys):
    assert main(["corpus", "--window", "soon", "--out", str(tmp_path / "c.csv")]) == 2
    assert "expected a UTC day" in capsys.readouterr().err


def test_a_topic_that_nobody_talks_about_is_said(tmp_path, capsys):
    assert main(["corpus", "--topic", "knitting", "--window", "2026-10-19", "--out", str(tmp_path / "c.csv")]) == 2
    assert "topic 'knitting': expected one" in capsys.readouterr().err and not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize("topic", ["finance", "brands"])
def test_every_topic_has_a_corpus(tmp_path, topic):
    assert main(["corpus", "--topic", topic, "--window", "2026-10-19", "--out", str(tmp_path / "c.csv")]) == 0
    assert sum(1 for _ in csv.reader((tmp_path / "c.csv").open(encoding="utf-8", newline=""))) > 200


def test_a_taken_port_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {**os.environ, "GROUNDSWELL_SIMULATOR_PORT": str(taken.getsockname()[1])}
        done = subprocess.run([sys.executable, "-m", "groundswell.simulator"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is taken" in done.stderr and "GROUNDSWELL_SIMULATOR_PORT" in done.stderr


@pytest.mark.slow
def test_words_alone_do_not_solve_the_texts():
    """TF-IDF and logistic regression, trained on eleven days and tested on the last ones, are neither lost nor done."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    from groundswell.text import normalise

    world = SimulatorSettings()
    posts = [post for day in DAYS for post in posts_of(world.seed, "corpus", "games", day, world.corpus_per_day) if post.text.strip()]
    train = [post for post in posts if post.moment.date() <= DAYS[10]]
    known = {normalise(post.text) for post in train}
    test = [post for post in posts if post.moment.date() > DAYS[10] and normalise(post.text) not in known]
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=4, max_iter=200).fit(
        vectors.fit_transform([normalise(post.text) for post in train]), [post.sentiment for post in train]
    )
    found = model.predict(vectors.transform([normalise(post.text) for post in test]))
    assert 0.6 < f1_score([post.sentiment for post in test], found, average="macro") < 0.8
