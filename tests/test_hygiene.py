"""Nothing that has a form and is somebody's gets past validate: not in a text, not in a record, not among the quarantined."""

import json
from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest

from groundswell.collect import collect
from groundswell.hygiene import Hygiene
from groundswell.lake import Lake
from groundswell.params import CollectParams, HygieneParams, Topic, ValidateParams
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.simulator.content import posts_of
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.steam import SteamTopic
from groundswell.validate import validate
from groundswell.window import Window
from tests.simulated import platforms, settings_at

DAY = Window.parse("2026-10-19")
SECRETS = {
    "email": "kai.moss@post.example.com",
    "mention": "@kai_moss",
    "secret": "s3cr3t-t0ken",
    "iban": "DE89370400440532013000",
    "card": "4111111111111111",
    "ssn": "123-45-6789",
    "ip": "203.0.113.77",
    "phone": "+49 170 1234567",
    "did": "did:plc:abcdefghij234567klmnopqr",
    "wallet": "0x52908400098527886E0F7030069857D2E4169EE7",
}
WRITTEN = {**SECRETS, "secret": "https://host.example/?token=s3cr3t-t0ken"}


def post(number, **changes):
    sound = {
        "source": "replay",
        "topic": "games",
        "post_id": f"p{number:05d}",
        "author": f"{number:032x}",
        "created_at": DAY.start + timedelta(seconds=number),
        "text": f"level {number} was a joy to play",
        "raw": json.dumps({"id": number, "body": f"level {number} was a joy to play"}, sort_keys=True, separators=(",", ":")),
        "connector_version": "1",
    }
    return {**dict.fromkeys(POST.names), **sound, **changes}


def holding(number, secret, **changes):
    """A post that has ``secret`` in every place that a platform or an author fills."""
    record = {"id": number, "body": f"so, {secret} it is", "more": [{"deep": {"er": secret}}, 3, None, True], f"key {secret}": 0.5, "username": "kai"}
    return post(
        number,
        text=f"so, {secret} it is",
        raw=json.dumps(record, ensure_ascii=False, sort_keys=True),
        url=f"https://host.example/a?q={secret}",
        native_label=f"said {secret}",
        hashtags=["tag", secret],
        parent_id=f"at://{secret}/3k2",
        **changes,
    )


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """A window whose valid and quarantined rows both held every kind; its settings and the report."""
    settings = Settings(project=tmp_path_factory.mktemp("validated"))
    rows = [post(number) for number in range(40)] + [holding(100 + place, secret) for place, secret in enumerate(WRITTEN.values())]
    rows += [holding(200 + place, secret, author="not a pseudonym") for place, secret in enumerate(WRITTEN.values())]
    lake = Lake(settings.lake)
    lake.write(lake.partition("raw", "replay", "games", DAY), pa.Table.from_pylist(rows, POST), {"window": DAY.key, "status": "complete"})
    return settings, validate("games", ["replay"], [DAY], settings=settings, params=ValidateParams(max_quarantined_share=1))


@pytest.mark.parametrize("layer", ["valid", "quarantine"])
@pytest.mark.parametrize("kind", SECRETS)
def test_nothing_is_left(validated, kind, layer):
    settings, _ = validated
    lake = Lake(settings.lake)
    rows = lake.read(lake.partition(layer, "replay", "games", DAY)).to_pylist()
    assert len(rows) == (50 if layer == "valid" else 10)
    told = json.dumps(rows, default=str, ensure_ascii=False)
    assert SECRETS[kind].lstrip("@") not in told
    assert ("@user" if kind == "mention" else f"[{kind}]") in told
    assert '"kai"' not in told, "a name under a key that says so"


def test_raw_keeps_the_platforms_words(validated):
    settings, _ = validated
    lake = Lake(settings.lake)
    assert SECRETS["email"] in lake.read(lake.partition("raw", "replay", "games", DAY)).column("raw").to_pylist()[40]


def test_the_report_has_counts_and_no_value(validated):
    settings, report = validated
    assert report["scrubbed"] == {"replay": dict.fromkeys(sorted(SECRETS), 2)}
    for path in (settings.root / report["page"], settings.report("validate", "games", DAY.key)):
        told = path.read_text(encoding="utf-8")
        assert not any(secret in told for secret in SECRETS.values())


def test_what_has_nothing_keeps_its_bytes(validated):
    settings, _ = validated
    lake = Lake(settings.lake)
    before, after = (lake.read(lake.partition(layer, "replay", "games", DAY)).slice(0, 40) for layer in ("raw", "valid"))
    assert before.equals(after)


def test_a_record_that_is_no_json_is_a_string():
    table = pa.Table.from_pylist([post(1, raw="{broken kai@example.com"), post(2, raw="[" * 50_000 + "kai@example.com")], POST)
    clean, _ = Hygiene(HygieneParams()).scrub(table)
    assert clean.column("raw").to_pylist() == ["{broken [email]", "[" * 50_000 + "[email]"]


def test_numbers_and_pseudonyms_of_a_record_stay():
    record = {"a": 4111111111111111, "id": 117234567890123456, "x": -0.5, "username": f"{7:032x}", "handle": "", "score": 5105105105105}
    table = pa.Table.from_pylist([post(1, raw=json.dumps(record))], POST)
    clean, _ = Hygiene(HygieneParams()).scrub(table)
    assert json.loads(clean.column("raw")[0].as_py()) == {**record, "a": "[card]"}


def test_switched_off_it_changes_nothing():
    table = pa.Table.from_pylist([holding(1, SECRETS["email"])], POST)
    clean, counts = Hygiene(HygieneParams(scrub=[])).scrub(table)
    assert clean.equals(table) and not counts


def test_only_what_is_asked_for():
    table = pa.Table.from_pylist([post(1, text="@kai kai@example.com")], POST)
    clean, counts = Hygiene(HygieneParams(scrub=["email"])).scrub(table)
    assert clean.column("text").to_pylist() == ["@kai [email]"] and counts == {"email": 1}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A day of two simulated platforms, collected over HTTP and validated; the settings, the report, and what was planted in which post."""
    world = {"steam_per_day": 1500, "hackernews_per_day": 1500}
    day = Window.parse("2026-10-19")
    topic = Topic(steam=SteamTopic(app_ids=[730]), hackernews=HackerNewsTopic(query="game"))
    with platforms(**world) as url:
        settings = settings_at(url, tmp_path_factory.mktemp("simulated"))
        for source in ("steam", "hackernews"):
            collect(source, "games", topic, [day], settings=settings, params=CollectParams(), now=day.end + timedelta(days=9))
    planted = {
        (source, str(post.post_id)): piece
        for source in ("steam", "hackernews")
        for post in posts_of(1, source, "games", day.day, 1500)
        for piece in post.planted
    }
    params = ValidateParams(max_duplicate_share=1)
    return settings, validate("games", ["steam", "hackernews"], [day], settings=settings, params=params), planted


def test_nothing_that_the_simulator_planted_gets_to_valid(simulated):
    settings, report, planted = simulated
    lake = Lake(settings.lake)
    raw, valid = (
        {(row["source"], row["post_id"]): row for source in ("steam", "hackernews") for row in rows(lake, layer, source)}
        for layer in ("raw", "valid")
    )
    there = {key: piece for key, piece in planted.items() if key in raw}
    assert len(there) >= 15 and {kind for kind, _ in there.values()} == {"email", "phone", "card", "iban", "ip"}
    told = {key: json.dumps(valid[key], default=str, ensure_ascii=False) for key in there}
    assert [kind for key, (kind, value) in there.items() if value in told[key] or f"[{kind}]" not in told[key]] == []
    found = sum((Counter(kinds) for kinds in report["scrubbed"].values()), Counter())
    assert {kind: count for kind, count in found.items() if kind != "mention"} == Counter(kind for kind, _ in there.values()), "and nothing else"


def rows(lake, layer, source):
    return lake.read(lake.partition(layer, source, "games", Window.parse("2026-10-19"))).to_pylist()
