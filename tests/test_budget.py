"""A budget is never exceeded: not by many at once, not by who died, not by who is run again."""

import multiprocessing
from datetime import UTC, datetime

import httpx2
import pytest
from typer.testing import CliRunner

from groundswell.budget import Budget, most_of, within
from groundswell.cli import app
from groundswell.collect import collect
from groundswell.errors import NotSettled, QuotaSpent, RateLimited, SourceError, UsageError, WindowError
from groundswell.params import CollectParams, Topic
from groundswell.settings import Settings
from groundswell.sources import source_named
from groundswell.sources.steam import SteamTopic
from groundswell.sources.x import XTopic
from groundswell.window import parse_windows
from tests.simulated import KEY, settings_at

DAYS = parse_windows("2026-10-19..2026-10-21")
DEAR = XTopic(query="game", max_usd_per_window=1.5, max_usd_per_run=4)


@pytest.fixture
def budget(tmp_path):
    made = Budget(Settings(project=tmp_path, home=tmp_path), "x-games")
    made.open(3.0)
    return made


def test_what_is_left_after_the_real_price_can_be_used(budget):
    with budget.held("first", 2.0) as settle:
        with pytest.raises(QuotaSpent, match=r"second may cost \$1.50, and \$2.00 of \$3.00"), budget.held("second", 1.5):
            pass
        settle(0.25)
    with budget.held("second", 1.5) as settle:
        settle(1.5)
    assert budget.spent() == 1.75


def test_who_failed_on_the_way_may_have_paid_and_who_asked_nothing_has_not(budget):
    with pytest.raises(SourceError), budget.held("first", 1.0):
        raise SourceError("the platform went away")
    assert budget.spent() == 1.0
    with pytest.raises(NotSettled), budget.held("second", 1.0):
        raise NotSettled("not yet", 60)
    assert budget.spent() == 1.0


def paged(*answers):
    """An X that gives these answers one after the other, and asks to wait when it has no more."""
    left = iter(answers)
    told = httpx2.Response(429, headers={"retry-after": "900"})
    return httpx2.MockTransport(lambda request: next(left, told))


def page(said, **meta):
    record = {"id": "1", "text": "fine", "author_id": "77", "created_at": "2026-10-19T12:00:00.000Z", "edit_history_tweet_ids": ["1"]}
    return httpx2.Response(200, json={"data": [record], "meta": {"result_count": 1, **meta}}, headers={"date": said})


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([page("Mon, 19 Oct 2026 23:59:59 GMT")], WindowError),
        ([page("Tue, 20 Oct 2026 18:00:00 GMT", next_token="more")], RateLimited),
        ([], RateLimited),
    ],
    ids=["this clock is ahead", "limited on the way", "limited at once"],
)
def test_who_was_told_to_come_back_has_paid_what_it_read(budget, tmp_path, answers, error):
    settings, topic = settings_at("http://platform.test", tmp_path), Topic(x=DEAR)
    how = {"settings": settings, "params": CollectParams(), "now": datetime(2026, 10, 20, 18, tzinfo=UTC), "transport": paged(*answers)}
    with pytest.raises(error), budget.held("first", 1.5):
        collect("x", "games", topic, DAYS[:1], **how)
    assert budget.spent() == pytest.approx(0.005 * len(answers))


def test_the_same_backfill_again_goes_on_with_what_was_spent(budget):
    with budget.held("first", 2.0) as settle:
        settle(2.0)
    budget.open(2.5)
    with pytest.raises(QuotaSpent, match=r"\$2.00 of \$2.50"), budget.held("second", 1.0):
        pass


def _spend(settings, number):
    try:
        with Budget(settings, "x-games").held(f"run {number}", 1.0) as settle:
            settle(1.0)
    except QuotaSpent:
        pass


def test_many_at_once_do_not_exceed_it(budget, tmp_path):
    runs = [multiprocessing.Process(target=_spend, args=(Settings(project=tmp_path, home=tmp_path), number)) for number in range(6)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert budget.spent() == 3.0


def test_the_most_of_a_run_is_what_its_caps_allow():
    archive = source_named("x").for_topic(DEAR)
    assert (most_of(archive, DEAR, DAYS[:2]), most_of(archive, DEAR, DAYS)) == (3.0, 4.0)
    assert most_of(source_named("steam"), SteamTopic(app_ids=[1]), DAYS) == 0.0


def test_the_command_holds_a_run_to_the_budget_that_it_names(budget, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("topic: games\ntopics:\n  games:\n    x: {query: game, access: archive, max_usd_per_window: 3.5}\n")
    for name, value in {"PROJECT": tmp_path, "PSEUDONYM_KEY": KEY, "X_BEARER_TOKEN": "one", "X_URL": "http://127.0.0.1:9", "HOME": tmp_path}.items():
        monkeypatch.setenv(f"GROUNDSWELL_{name}", str(value))
    command = ["collect", "--source", "x", "--window", "2026-10-19", "--budget", "x-games"]
    with pytest.raises(QuotaSpent, match=r"x/games/2026-10-19 may cost \$3.50, and \$0.00 of \$3.00 .* nothing was asked"):
        CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.parametrize("name", ["../elsewhere", ".hidden", "", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="expected letters"):
        Budget(Settings(project=tmp_path, home=tmp_path), name)


def test_a_run_without_a_budget_holds_nothing_and_one_with_an_unknown_one_is_refused(tmp_path):
    settings = Settings(project=tmp_path, home=tmp_path)
    with within(settings, "", "key", "x", DEAR, DAYS) as settle:
        settle(9.0)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="does not exist"), within(settings, "lost", "key", "x", DEAR, DAYS):
        pass
