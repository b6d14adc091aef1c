"""monitor: a distribution that stays is no drift, one that moves is drift once it lasts, and what can't be decided says so."""

import json
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from groundswell.drift import Signal, decide, levels, noise, signal_frame, signals, weigh
from groundswell.errors import LakeError, ModelError
from groundswell.lake import Lake
from groundswell.monitor import monitor
from groundswell.params import MonitorParams
from groundswell.profile import profile
from groundswell.schema import LABELS, POST
from groundswell.settings import Settings
from groundswell.window import Window, parse_windows
from tests.tiny import make_champion, tiny_export, tiny_rows

pytestmark = pytest.mark.slow

PARAMS = MonitorParams()
PAIR = parse_windows("2026-10-19..2026-10-20")


def texts_of(seed, count, addition=""):
    """Invented texts of varying length, with links and emoji here and there."""
    random = np.random.default_rng(seed)
    words = np.array(["map", "level", "sound", "patch", "story", "Boss", "https://example.org", "🎮", "frame", "rate"])
    return [" ".join(random.choice(words, random.integers(3, 15))) + addition for _ in range(count)]


def frame_of(seed, count, addition="", tilt=1.0):
    """A signal frame of invented texts and answers; ``tilt`` above 1 makes the model say positive more often."""
    answers = np.random.default_rng(seed + 1).dirichlet([2, 2, 2 * tilt], count)
    return signal_frame(profile(texts_of(seed, count, addition), answers))


def compared(current, reference, rows=None):
    """The weighed signals of two frames, without Evidently."""
    wanted = signals(PARAMS)
    effects = {signal.name: signal.effect(current[signal.name], reference[signal.name]) for signal in wanted}
    return weigh(wanted, effects, noise(wanted, reference, rows or len(current), PARAMS.seed))


def over(weighed):
    return {name for name, signal in weighed.items() if signal["is_over"]}


@pytest.fixture(scope="module")
def reference():
    return frame_of(0, 600)


@pytest.mark.parametrize(("seed", "rows"), [(10, 60), (20, 200), (30, 1500)])
def test_the_same_distribution_is_over_no_threshold(reference, seed, rows):
    assert over(compared(frame_of(seed, rows), reference)) == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"addition": " and some more words behind every one of them"}, {"characters", "words"}),
        ({"addition": " #launch"}, {"has_hashtag"}),
        ({"addition": " новый патч"}, {"has_non_latin"}),
        ({"tilt": 4}, {"positive", "label"}),
    ],
)
def test_a_moved_distribution_is_over_its_threshold(reference, changes, expected):
    assert expected <= over(compared(frame_of(40, 200, **changes), reference))


def test_an_effect_that_chance_explains_is_not_over():
    signal = Signal("words", "wasserstein", 0.2)
    assert not weigh([signal], {"words": 0.3}, {"words": 0.35})["words"]["is_over"]
    assert weigh([signal], {"words": 0.3}, {"words": 0.25})["words"]["is_over"]
    assert not weigh([signal], {"words": 0.15}, {"words": 0.05})["words"]["is_over"]


def test_chance_shrinks_with_rows_and_repeats_itself(reference):
    wanted = signals(PARAMS)
    few, many = (noise(wanted, reference, rows, seed=1) for rows in (50, 1000))
    assert few["words"] > many["words"] > 0
    assert noise(wanted, reference, 50, seed=1) == few


def test_levels_are_means_and_shares():
    told = levels(signal_frame(profile(["good #fun", "well"], np.full((2, 3), 1 / 3))))
    assert (told["characters"], told["has_hashtag"]) == (6.5, 0.5)


def test_a_profile_of_older_code_is_refused():
    with pytest.raises(ModelError, match="lacks.*words.*train and promote again"):
        signal_frame(profile(["one"], np.full((1, 3), 1 / 3)).drop_columns(["words"]))


LOUD = {"words": {"effect": 0.5, "threshold": 0.2, "noise": 0.1, "method": "wasserstein", "is_over": True}}
QUIET = {"words": {**LOUD["words"], "effect": 0.1, "is_over": False}}


@pytest.mark.parametrize(
    ("now", "earlier", "needed", "is_drift", "told"),
    [
        (QUIET, [("18", LOUD)], 2, False, "no signal is over its threshold"),
        (LOUD, [("18", QUIET)], 2, False, "1 of 2 windows on end: not yet"),
        (LOUD, [("18", LOUD)], 2, True, "2 of 2 windows on end: it lasts"),
        (LOUD, [], 1, True, "1 of 1 windows on end: it lasts"),
        (LOUD, [("18", LOUD), ("17", QUIET)], 3, False, "2 of 3 windows on end: not yet"),
        (LOUD, [("18", "it was not monitored")], 2, False, "window 18 does not count: it was not monitored"),
        (LOUD, [("18", "it was not monitored"), ("17", LOUD)], 3, False, "1 of 3"),
    ],
)
def test_a_signal_counts_only_when_it_lasts(now, earlier, needed, is_drift, told):
    decision = decide(now, earlier, MonitorParams(persistence_windows=needed))
    assert decision["is_drift"] is is_drift
    assert any(told in reason for reason in decision["reasons"])


def test_several_signals_may_be_needed():
    decision = decide(LOUD, [("18", LOUD)], MonitorParams(signals_needed=2))
    assert not decision["is_drift"] and decision["lasting"] == ["words"]
    assert "1 of 2 signals needed last" in decision["reasons"]


def test_a_window_that_is_not_in_the_lake_is_named(tmp_path):
    with pytest.raises(LakeError, match="2026-10-19: run groundswell validate --window 2026-10-19 first"):
        monitor("games", PAIR[:1], settings=Settings(project=tmp_path), params=PARAMS)


def put(settings, window, texts):
    rows = [
        {
            **dict.fromkeys(POST.names),
            "source": "replay",
            "topic": "games",
            "post_id": f"p{number:05d}",
            "created_at": window.start + timedelta(seconds=number),
            "text": text,
            "connector_version": "1",
        }
        for number, text in enumerate(texts)
    ]
    lake = Lake(settings.lake)
    lake.write(lake.partition("valid", "replay", "games", window), pa.Table.from_pylist(rows, POST), {"window": window.key, "status": "complete"})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Settings with a registered champion and its export; tests take windows of their own."""
    settings = Settings(project=tmp_path_factory.mktemp("home"))
    make_champion(settings, tiny_export(settings.root / "export", steps=0))
    return settings


def pages(settings, window):
    folder = settings.report("monitor", "games", window.key).parent
    return [(folder / f"{window.key}.{kind}").read_bytes() for kind in ("html", "json")]


@pytest.mark.slow
def test_no_champion_is_a_report_that_says_so(tmp_path):
    settings = Settings(project=tmp_path)
    put(settings, PAIR[0], ["a post"])
    report = monitor("games", PAIR[:1], settings=settings, params=PARAMS)
    assert (report["status"], report["is_drift"], report["champion"]) == ("no_champion", False, None)
    assert "no champion" in (settings.root / report["page"]).read_text(encoding="utf-8")


@pytest.mark.slow
def test_too_few_posts_decide_nothing(home):
    window = Window.parse("2026-09-01")
    put(home, window, tiny_rows(10)[0])
    report = monitor("games", [window], settings=home, params=PARAMS)
    assert (report["status"], report["is_drift"]) == ("too_few_rows", False)
    assert report["reasons"] == ["10 posts; 50 are needed for a decision"]


@pytest.mark.slow
def test_drift_is_decided_once_it_lasts_and_every_byte_repeats(home):
    windows = parse_windows("2026-10-19..2026-10-21")
    for place, window in enumerate(windows):
        texts = tiny_rows(120, seed=70 + place)[0]
        put(home, window, texts if place == 0 else [f"{text} #promo https://example.org awful boring worst" for text in texts])
    whole = monitor("games", windows, settings=home, params=PARAMS)
    assert [one["is_drift"] for one in whole["windows"].values()] == [False, False, True]
    report = json.loads(home.report("monitor", "games", windows[2].key).read_text())
    assert {"has_hashtag", "has_link", "characters"} <= set(report["lasting"])
    assert report["predictions"]["window"].keys() == set(LABELS)
    evidently = {result["column"]: result for result in report["evidently"]["results"]}
    assert all(evidently[signal.name]["value"] == report["signals"][signal.name]["effect"] for signal in signals(PARAMS))
    assert evidently["has_hashtag"]["status"] == "FAIL"
    before = [pages(home, window) for window in windows]
    assert monitor("games", windows[2:], settings=home, params=PARAMS) == report
    assert [pages(home, window) for window in windows] == before
    assert not any(b"boring" in data for data in before[2])


@pytest.mark.slow
def test_a_window_compared_with_another_champion_does_not_count(home):
    windows = parse_windows("2026-08-01..2026-08-02")
    for window in windows:
        put(home, window, [f"{text} #promo" for text in tiny_rows(60)[0]])
    path = home.report("monitor", "games", windows[0].key)
    first = monitor("games", windows[:1], settings=home, params=PARAMS)
    path.write_text(json.dumps({**first, "champion": {**first["champion"], "version": "0"}}))
    second = monitor("games", windows[1:], settings=home, params=PARAMS)
    assert not second["is_drift"]
    assert "window 2026-08-01 does not count: it was compared with version 0" in second["reasons"]
    path.unlink()
    assert any("it was not monitored" in reason for reason in monitor("games", windows[1:], settings=home, params=PARAMS)["reasons"])


@pytest.mark.slow
def test_any_text_survives_and_the_page_opens_without_a_network(home, page):
    window = Window.parse("2026-07-01")
    put(home, window, ["\x00", "🎮" * 300, "a" * 100_000, "שלום", "<b>", "\u202e", *tiny_rows(60)[0]])
    report = monitor("games", [window], settings=home, params=PARAMS)
    assert report["status"] == "decided" and report["signals"]["unknown_share"]["effect"] > 0
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto((home.root / report["page"]).as_uri())
    page.wait_for_selector(".js-plotly-plot")
    assert "monitor · games · 2026-07-01" in page.inner_text("h1")
    assert "unknown_share" in page.inner_text("main")
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [(home.root / report["page"]).as_uri()]
    assert complaints == []
