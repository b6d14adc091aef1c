"""validate: every rule has a row that breaks it, a refused window changes nothing, and the same input gives the same bytes."""

import json
import os
import threading
import time
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from groundswell.cli import app
from groundswell.coverage import coverage
from groundswell.errors import LakeChanged, LakeError, UsageError, ValidationFailed
from groundswell.files import alone_in
from groundswell.lake import Lake
from groundswell.params import ValidateParams
from groundswell.pii import Scrubber
from groundswell.rawrows import RawRows
from groundswell.schema import POST, QUARANTINE
from groundswell.settings import Settings
from groundswell.validate import validate
from groundswell.window import Window, parse_windows
from tests.waiting import eventually

DAY = Window.parse("2026-10-19")
ANY_COLUMNS = pa.schema([field.with_nullable(True) for field in POST])


def post(number, window=DAY, **changes):
    """An invented post, sound but for ``changes``."""
    sound = {
        "source": "replay",
        "topic": "games",
        "post_id": f"p{number:05d}",
        "author": f"{number:032x}",
        "created_at": window.start + timedelta(seconds=number),
        "text": f"level {number} was a joy to play",
        "lang": "en",
        "label": "positive",
        "label_provenance": "dataset",
        "connector_version": "1",
        "raw": "{}",
    }
    return {**dict.fromkeys(POST.names), **sound, **changes}


def put(settings, rows, window=DAY, source="replay", schema=ANY_COLUMNS):
    lake = Lake(settings.lake)
    partition = lake.partition("raw", source, "games", window)
    return lake.write(partition, pa.Table.from_pylist(rows, schema), {"window": window.key, "status": "complete", "connector_version": "1"})


def run(settings, windows=(DAY,), sources=("replay",), *, spare_missing=False, among=(), **params):
    return validate("games", sources, list(windows), settings=settings, params=ValidateParams(**params), spare_missing=spare_missing, among=among)


def layer(settings, name, window=DAY, source="replay"):
    lake = Lake(settings.lake)
    return lake.read(lake.partition(name, source, "games", window)).to_pylist()


def files(settings):
    """Every file under home and its bytes."""
    return {path.relative_to(settings.root).as_posix(): path.read_bytes() for path in sorted(settings.root.rglob("*")) if path.is_file()}


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path)


BREAKS = {
    "source_wrong": {"source": "elsewhere"},
    "topic_wrong": {"topic": "films"},
    "post_id_missing": {"post_id": None},
    "post_id_blank": {"post_id": " "},
    "created_at_missing": {"created_at": None},
    "created_at_too_early": {"created_at": DAY.start - timedelta(microseconds=1)},
    "created_at_too_late": {"created_at": DAY.end},
    "text_missing": {"text": None},
    "text_blank": {"text": " \x00\u200b\n"},
    "text_too_long": {"text": "x" * 1001},
    "author_not_pseudonym": {"author": "Somebody"},
    "lang_malformed": {"lang": "english language"},
    "label_unknown": {"label": "x" * 65},
    "label_provenance_unknown": {"label_provenance": "hearsay"},
    "label_without_provenance": {"label_provenance": None},
    "post_id_repeated": {"post_id": "p00000", "created_at": DAY.start + timedelta(hours=1)},
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """One window with a row for each rule that it breaks, among sound rows; its settings and report."""
    settings = Settings(project=tmp_path_factory.mktemp("broken"))
    rows = [post(number) for number in range(50)] + [post(100 + place, **changes) for place, changes in enumerate(BREAKS.values())]
    put(settings, rows)
    return settings, run(settings, max_text_characters=1000, max_quarantined_share=0.5)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_row_that_breaks_a_rule_lies_in_quarantine_with_its_name(broken, rule):
    settings, report = broken
    aside = [row for row in layer(settings, "quarantine") if rule in row["reason"].split(";")]
    assert len(aside) == 1
    assert all(aside[0][name] == value for name, value in BREAKS[rule].items())
    assert report["quarantined"][rule] == 1


def test_the_other_rows_are_valid_and_sorted(broken):
    settings, report = broken
    valid = layer(settings, "valid")
    assert [row["post_id"] for row in valid] == [f"p{number:05d}" for number in range(50)]
    assert (report["rows_raw"], report["rows_valid"], report["rows_quarantined"]) == (50 + len(BREAKS), 50, len(BREAKS))


def test_layers_have_their_schema_and_footer(broken):
    settings, report = broken
    lake = Lake(settings.lake)
    valid, aside = (lake.partition(name, "replay", "games", DAY) for name in ("valid", "quarantine"))
    assert pq.read_schema(lake.address(valid)).remove_metadata() == POST
    assert pq.read_schema(lake.address(aside)).names == QUARANTINE.names
    facts = lake.metadata(valid)
    assert (facts["window"], facts["status"], facts["connector_version"], facts["rows"]) == (DAY.key, "complete", "1", 50)
    assert report["partitions"]["replay/games/2026-10-19"]["valid"] == {
        key: lake.describe(valid)[key] for key in ("rows", "sha256", "content_sha256")
    }


def test_great_expectations_numbers_are_in_report_and_page(broken):
    settings, report = broken
    suites = report["great_expectations"]["suites"]
    found = {result["rule"]: result["unexpected_count"] for result in suites["posts"]["results"]}
    assert {rule: found[rule] for rule in BREAKS} == report["quarantined"]
    assert suites["partitions"]["success"] and not suites["posts"]["success"]
    page = (settings.root / report["page"]).read_text(encoding="utf-8")
    assert all(f"<code>{rule}</code>" in page for rule in BREAKS)
    kept = {name: value for name, value in report.items() if name not in ("changed", "revised")}
    assert json.loads(settings.report("validate", "games", DAY.key).read_text()) == kept


def test_no_text_or_author_is_in_report_or_page(broken):
    settings, report = broken
    for path in (settings.root / report["page"], settings.report("validate", "games", DAY.key)):
        told = path.read_text(encoding="utf-8")
        assert "joy to play" not in told and "Somebody" not in told


def test_a_label_must_be_known_where_params_name_them(settings):
    put(settings, [post(1, label="Irrelevant"), post(2, label="POSITIVE"), post(3, label="perhaps")])
    assert run(settings, labels=["irrelevant"])["quarantined"] == {"label_unknown": 1}
    assert [row["label"] for row in layer(settings, "quarantine")] == ["perhaps"]


REFUSED = {
    "rows_missing": ([], {"rows_due": {"replay": 1}}, "0 rows where at least 1 were due"),
    "too_many_quarantined": ([post(n, text="" if n < 6 else f"t{n}") for n in range(20)], {}, "6 of 20 rows are quarantined (30.0%"),
    "too_many_duplicates": ([post(n, text=f"t{n % 10}") for n in range(20)], {}, "10 of 20 rows repeat an earlier id or text (50.0%"),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_broken_table_rule_refuses_the_window_with_its_numbers(settings, rule):
    put(settings, [post(n) for n in range(3)])
    run(settings)
    before = files(settings)
    rows, params, numbers = REFUSED[rule]
    put(settings, rows)
    with pytest.raises(ValidationFailed) as refusal:
        run(settings, **params)
    assert numbers in str(refusal.value)
    after = files(settings)
    written = ("lake/valid", "lake/quarantine")
    assert {name: data for name, data in after.items() if name.startswith(written)} == {
        name: data for name, data in before.items() if name.startswith(written)
    }
    report = json.loads(settings.report("validate", "games", DAY.key).read_text())
    assert not report["success"] and [failure["rule"] for failure in report["failures"]] == [rule]
    assert numbers in (settings.root / report["page"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (pa.schema([field for field in ANY_COLUMNS if field.name != "text"]), "text is missing"),
        (ANY_COLUMNS.set(ANY_COLUMNS.get_field_index("likes"), pa.field("likes", pa.list_(pa.string()))), "likes is list"),
    ],
)
def test_a_missing_or_wrong_column_refuses_the_window(settings, schema, told):
    put(settings, [{name: value for name, value in post(1).items() if name in schema.names}], schema=schema)
    with pytest.raises(ValidationFailed, match=told):
        run(settings)
    assert not (settings.lake / "valid").exists()


def test_small_partitions_are_not_judged_by_shares(settings):
    put(settings, [post(1), post(2, text=" ")])
    assert run(settings)["rows_quarantined"] == 1


def test_a_missing_raw_partition_is_named(settings):
    with pytest.raises(LakeError, match="raw/replay/games/2026-10-19 is not in the lake"):
        run(settings)
    assert not settings.root.exists()


def test_a_source_that_was_not_collected_keeps_no_other_waiting_and_is_taken_in_when_it_comes(settings, caplog):
    put(settings, [post(number) for number in range(3)])
    with pytest.raises(LakeError, match="raw/steam/games/2026-10-19 is not in the lake"):
        run(settings, sources=("replay", "steam"))
    report = run(settings, sources=("replay", "steam"), spare_missing=True)
    assert (report["missing"], report["rows_valid"], list(report["sources"])) == (["steam/games/2026-10-19"], 3, ["replay"])
    assert "raw/steam/games/2026-10-19 is not in the lake" in caplog.text
    assert "steam/games/2026-10-19" in (settings.root / report["page"]).read_text(encoding="utf-8")
    with pytest.raises(LakeError, match=r"steam/games/2026-10-19 \(not collected\)"):
        coverage("games", ["replay", "steam"], [DAY], settings=settings)
    put(settings, [post(9, source="steam")], source="steam")
    with pytest.raises(LakeError, match=r"steam/games/2026-10-19 \(not validated\)"):
        coverage("games", ["replay", "steam"], [DAY], settings=settings)
    whole = run(settings, sources=("replay", "steam"), spare_missing=True)
    assert (whole["missing"], whole["rows_valid"], whole["changed"]) == ([], 4, ["steam/games/2026-10-19"])
    assert coverage("games", ["replay", "steam"], [DAY], settings=settings)["missing"] == []


def test_a_source_of_which_rows_are_due_is_waited_for_and_so_is_a_window_without_any(settings):
    put(settings, [post(1)])
    with pytest.raises(LakeError, match="raw/steam/games/2026-10-19 is not in the lake"):
        run(settings, sources=("replay", "steam"), spare_missing=True, rows_due={"steam": 1})
    with pytest.raises(LakeError, match="raw/replay/games/2026-10-20 is not in the lake"):
        run(settings, parse_windows("2026-10-19..2026-10-20"), sources=("replay", "steam"), spare_missing=True)


def test_a_topic_without_sources_is_wrong_use(settings):
    with pytest.raises(UsageError, match="has no source"):
        run(settings, sources=())


def test_an_empty_window_is_an_empty_file(settings):
    put(settings, [])
    report = run(settings)
    assert layer(settings, "valid") == [] and report["success"]
    lake = Lake(settings.lake)
    assert lake.metadata(lake.partition("valid", "replay", "games", DAY))["status"] == "complete"


def test_a_range_is_one_batch_and_each_window_is_judged_by_itself(settings):
    windows = parse_windows("2026-10-19..2026-10-21")
    for window, text in zip(windows, ("good {}", "same", "fine {}"), strict=True):
        put(settings, [post(n, window, text=text.format(n)) for n in range(30)], window)
        put(settings, [], window, source="steam")
    with pytest.raises(ValidationFailed, match=r"2026-10-20 replay: 29 of 30 rows repeat"):
        run(settings, windows, sources=("replay", "steam"))
    report = json.loads(settings.report("validate", "games", "2026-10-19..2026-10-21").read_text())
    assert report["windows_refused"] == ["2026-10-20"]
    assert report["great_expectations"]["suites"]["posts"]["results"][0]["element_count"] == 90
    assert report["sources"]["replay"]["rows_raw"] == 90 and report["sources"]["steam"]["rows_raw"] == 0
    there = [partition.window.key for partition in Lake(settings.lake).partitions("valid", source="replay")]
    assert there == ["2026-10-19", "2026-10-21"]


def test_a_range_writes_the_same_partitions_as_its_windows_one_by_one(tmp_path):
    windows = parse_windows("2026-10-19..2026-10-20")
    both = [Settings(project=tmp_path / name) for name in ("range", "single")]
    for settings in both:
        for window in windows:
            put(settings, [post(n, window, text=None if n == 3 else f"t{n}") for n in range(30)], window)
    run(both[0], windows)
    for window in windows:
        run(both[1], [window])
    assert [{name: data for name, data in files(one).items() if name.startswith("lake")} for one in both][0] == {
        name: data for name, data in files(both[1]).items() if name.startswith("lake")
    }


def both_sources(settings):
    """A window of two sources, a row of each quarantined, one with an address in it."""
    put(settings, [post(n, text="" if n == 3 else f"t{n}, write to who{n}@example.org") for n in range(30)])
    put(settings, [post(n, source="steam", text=None if n in (4, 5) else f"s{n}") for n in range(40)], source="steam")
    return ("replay", "steam")


def test_one_source_validated_again_leaves_the_windows_report_whole(settings):
    sources = both_sources(settings)
    whole = run(settings, sources=sources, among=sources)
    before = files(settings)
    again = run(settings, sources=("steam",), among=sources)
    assert files(settings) == before, "nothing changed: the report and the page are the same bytes"
    assert again == whole | {"changed": []} and (whole["rows_raw"], whole["quarantined"]) == (70, {"text_blank": 1, "text_missing": 2})
    assert list(whole["sources"]) == ["replay", "steam"] and whole["scrubbed"]["replay"]


def test_what_one_source_brought_anew_is_in_the_windows_report_beside_the_others(tmp_path):
    alone, together = (Settings(project=tmp_path / name) for name in ("alone", "together"))
    for settings, chosen in ((alone, ("steam",)), (together, ("replay", "steam"))):
        sources = both_sources(settings)
        run(settings, sources=sources, among=sources)
        put(settings, [post(n, source="steam", text=None if n == 7 else f"other {n}") for n in range(35)], source="steam")
        run(settings, sources=chosen, among=sources)
    kept, due = (json.loads(one.report("validate", "games", DAY.key).read_text()) for one in (alone, together))
    assert kept == due and kept["rows_raw"] == 65 and kept["great_expectations"]["suites"]["posts"]["results"][0]["element_count"] == 65


def test_a_refusal_stays_in_the_windows_report_until_its_source_is_validated_again(settings):
    sources = both_sources(settings)
    put(settings, [post(n, text="") for n in range(30)])
    with pytest.raises(ValidationFailed, match="replay"):
        run(settings, sources=sources, among=sources)
    report = run(settings, sources=("steam",), among=sources)
    assert layer(settings, "valid", source="steam") and not report["success"] and report["windows_refused"] == [DAY.key]
    assert [failure["source"] for failure in report["failures"]] == ["replay"]
    both_sources(settings)
    assert run(settings, sources=("replay",), among=sources)["success"]


def test_what_is_no_source_of_the_topic_any_more_leaves_its_windows_report(settings):
    sources = both_sources(settings)
    run(settings, sources=sources, among=sources)
    report = run(settings, sources=("steam",), among=("steam",))
    assert list(report["sources"]) == ["steam"] and list(report["partitions"]) == ["steam/games/2026-10-19"]


def test_what_was_missing_of_others_stays_said(settings):
    sources = ("replay", "steam", "hackernews")
    both_sources(settings)
    run(settings, sources=sources, among=sources, spare_missing=True)
    report = run(settings, sources=("steam",), among=sources, spare_missing=True)
    assert report["missing"] == ["hackernews/games/2026-10-19"]


def test_two_that_validate_a_window_at_once_lose_nothing_of_its_report(settings):
    sources = both_sources(settings)
    path = settings.report("validate", "games", DAY.key)
    run(settings, sources=("replay",), among=sources)
    replays = path.read_text()
    path.unlink()
    other = threading.Thread(target=run, args=(settings,), kwargs={"sources": ("steam",), "among": sources})
    with alone_in(path.parent):
        other.start()
        eventually(lambda: (settings.lake / Lake(settings.lake).partition("valid", "steam", "games", DAY).name).exists())
        time.sleep(0.3)
        path.write_text(replays)
    other.join()
    assert list(json.loads(path.read_text())["sources"]) == ["replay", "steam"]


def test_the_command_leaves_the_windows_report_whole_too(settings, monkeypatch):
    both_sources(settings)
    corpus = "replay: {path: posts.csv, columns: {created_at: time, text: body}}"
    (settings.project / "params.yaml").write_text(f"topic: games\ntopics:\n  games:\n    steam: {{app_ids: [730]}}\n    {corpus}\n")
    monkeypatch.setenv("GROUNDSWELL_PROJECT", str(settings.project))
    for chosen in ([], ["--sources", "steam"]):
        CliRunner().invoke(app, ["validate", "--window", DAY.key, *chosen], catch_exceptions=False)
    assert json.loads(settings.report("validate", "games", DAY.key).read_text())["rows_raw"] == 70


def test_an_hour_is_a_window_too(settings):
    hour = Window.parse("2026-10-19T05")
    put(settings, [post(1, hour), post(2, hour, created_at=DAY.start)], hour)
    assert run(settings, [hour])["quarantined"] == {"created_at_too_early": 1}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The files of a run that nobody disturbed."""
    settings = Settings(project=tmp_path_factory.mktemp("clean"))
    put(settings, [post(n, text="" if n == 2 else f"t{n}") for n in range(30)])
    run(settings)
    return files(settings)


def test_the_same_input_gives_the_same_bytes(settings, clean):
    for _ in range(2):
        put(settings, [post(n, text="" if n == 2 else f"t{n}") for n in range(30)])
        run(settings)
        assert files(settings) == clean


@pytest.mark.parametrize("at", range(1, 5))
def test_killed_before_any_rename_and_run_again_gives_the_same_bytes(settings, clean, monkeypatch, at):
    put(settings, [post(n, text="" if n == 2 else f"t{n}") for n in range(30)])
    renames, rename = [], os.replace

    def killed(source, target):
        renames.append(target)
        if len(renames) == at:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("groundswell.files.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    run(settings)
    assert files(settings) == clean


def test_what_is_not_utf8_is_quarantined_readable(settings):
    rows = [post(n) for n in range(3)]
    raw = pa.Table.from_pylist(rows, ANY_COLUMNS)
    bad = pa.array([b"fine", b"cut \xff\xfe", b"lone \xed\xa0\x80"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, bad.buffers())
    path = settings.lake / Lake(settings.lake).partition("raw", "replay", "games", DAY).name
    path.parent.mkdir(parents=True)
    pq.write_table(raw.set_column(raw.column_names.index("text"), "text", text), path)
    assert run(settings)["quarantined"] == {"not_decodable": 2}
    assert layer(settings, "quarantine")[0]["text"].startswith("cut \ufffd")
    assert [row["text"] for row in layer(settings, "valid")] == ["fine"]


ODD = ["\x00 nul", "אבג hello", "🎮" * 50, "a" * 100_000, "\ufeffbom", "\u202eright to left", "<p>", "=1+1", "'; drop"]


@examples(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), min_size=1, max_size=30))
def test_any_text_survives_to_one_layer_or_the_other(tmp_path_factory, texts):
    settings = Settings(project=tmp_path_factory.mktemp("any"))
    texts = [*ODD, *texts]
    put(settings, [post(n, text=text) for n, text in enumerate(texts)])
    report = run(settings, max_quarantined_share=1, max_duplicate_share=1)
    found = {row["post_id"]: row["text"] for name in ("valid", "quarantine") for row in layer(settings, name)}
    assert [found[f"p{n:05d}"] for n in range(len(texts))] == [Scrubber().scrub(text) for text in texts]
    assert set(report["quarantined"]) <= {"text_blank", "text_too_long"} and report["quarantined"]["text_too_long"] == 1


@pytest.mark.slow
def test_the_page_opens_without_a_network(broken, page):
    settings, report = broken
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((settings.root / report["page"]).as_uri())
    assert "validate · games · 2026-10-19" in page.inner_text("h1")
    assert page.locator("tr").count() > len(BREAKS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert len(asked) == 1


def test_what_is_new_or_revised_is_told_and_a_revision_has_raws_reason(settings):
    put(settings, [post(1)])
    first, again = run(settings), run(settings)
    assert (first["changed"], first["revised"]) == ([f"replay/games/{DAY.key}"], [])
    assert (again["changed"], again["revised"]) == ([], [])
    lake = Lake(settings.lake)
    raw = lake.partition("raw", "replay", "games", DAY)
    lake.write(raw, pa.Table.from_pylist([post(1), post(2)], ANY_COLUMNS), {"window": DAY.key}, reason="recollect D-1")
    assert run(settings)["revised"] == [f"replay/games/{DAY.key}"]
    assert lake.metadata(lake.partition("valid", "replay", "games", DAY))["reason"] == "recollect D-1"


@pytest.mark.slow
@pytest.mark.parametrize("rows_at_once", [4, 7, 1000])
def test_the_size_of_a_piece_changes_nothing(tmp_path, monkeypatch, rows_at_once):
    """Not the layers, not the counts: whether windows are looked at together, or one of them in pieces."""
    from groundswell import lake, rawrows, validate

    found = []
    for home, size in (("whole", 1000), ("pieces", rows_at_once)):
        settings = Settings(project=tmp_path / home)
        for window in parse_windows("2026-10-19..2026-10-21"):
            rows = [post(n, window, text="" if n == 3 else f"level {n % 12}") for n in range(15)]
            rows += [post(5, window), post(2, window, post_id=None), post(20, window, text="seven", lang="no language")]
            put(settings, sorted(rows, key=lambda row: (row["created_at"], row["post_id"] or "~")), window)
            put(settings, [post(n, window, source="steam") for n in (3, 1, 2)], window, source="steam")
        with monkeypatch.context() as patch:
            for module in (rawrows, validate):
                patch.setattr(module, "PIECE", size)
            patch.setattr(lake, "ROW_GROUP", max(2, size // 2))
            report = run(settings, parse_windows("2026-10-19..2026-10-21"), ("replay", "steam"))
        rows = {name: path for name, path in files(settings).items() if name.startswith(("lake/valid", "lake/quarantine"))}
        content = {name: pq.read_table(settings.root / name, partitioning=None).to_pylist() for name in rows}
        layers = {key: [part["content_sha256"] for part in parts.values()] for key, parts in report.pop("partitions").items()}
        for results in report["great_expectations"]["suites"].values():
            results["statistics"].pop("success_percent")
        found.append((report, layers, content))
    assert found[0] == found[1]
    assert found[0][0]["quarantined"]["post_id_repeated"] == 3 and found[0][0]["rows_quarantined"] == 12


def test_a_large_partition_that_lies_in_no_order_is_sorted_all_the_same(settings, monkeypatch):
    monkeypatch.setattr("groundswell.rawrows.PIECE", 4)
    put(settings, [post(n) for n in (5, 3, 9, 1, 7, 2)])
    assert run(settings)["rows_valid"] == 6
    assert [row["post_id"] for row in layer(settings, "valid")] == [f"p{n:05d}" for n in (1, 2, 3, 5, 7, 9)]


@pytest.mark.parametrize("pass_", [1, 2], ids=["while it is judged", "while it is written"])
@pytest.mark.parametrize("piece", [4, 1000], ids=["in pieces", "held"])
def test_rows_that_are_replaced_meanwhile_get_no_other_rows_reasons(settings, monkeypatch, pass_, piece):
    """Collected again between two looks at it: the fifth row is bad before, the seventh after."""
    before, after = ([post(number, text="" if number == bad else f"level {number}") for number in range(9)] for bad in (5, 7))
    put(settings, before)
    monkeypatch.setattr("groundswell.rawrows.PIECE", piece)
    looks, pieces = [], RawRows.pieces

    def replaced_meanwhile(self):
        looks.append(self)
        for number, piece in enumerate(pieces(self)):
            yield piece
            if (len(looks), number) == (pass_, 0):
                put(settings, after)

    monkeypatch.setattr(RawRows, "pieces", replaced_meanwhile)
    with pytest.raises(LakeChanged, match="raw/replay/games/2026-10-19 was collected again while it was validated.*run validate again"):
        run(settings)
    assert not Lake(settings.lake).partitions("valid") and not Lake(settings.lake).partitions("quarantine")
    monkeypatch.undo()
    run(settings)
    assert [row["post_id"] for row in layer(settings, "quarantine")] == ["p00007"]


def test_raw_posts_that_changed_since_are_a_hole_until_they_are_validated(settings):
    """Also where the valid ones stay the same: what changed may be among those put aside."""
    put(settings, [post(1), post(2, text=None)])
    run(settings, max_quarantined_share=1)
    assert coverage("games", ["replay"], [DAY], settings=settings)["missing"] == []
    put(settings, [post(1), post(3, text=None)])
    with pytest.raises(LakeError, match="not validated since it was collected again"):
        coverage("games", ["replay"], [DAY], settings=settings)
    assert run(settings, max_quarantined_share=1)["revised"] == []
    assert coverage("games", ["replay"], [DAY], settings=settings)["missing"] == []


def test_the_share_of_near_duplicates_is_told_and_exact_ones_are_not_among_them(settings):
    """Ten posts of their own, five copies with a word changed, three letter for letter, one that differs in case and marks only."""
    words = "the boss of the seventh castle took me a whole evening and every potion that I had left, number"
    own = [post(number, text=f"{chr(97 + number) * 12} {chr(107 + number) * 15} and {chr(101 + number) * 9} again") for number in range(10)]
    near = [post(20 + number, text=f"{words} {number}") for number in range(6)]
    exact = [post(30 + number, text=near[0]["text"]) for number in range(3)]
    loud = [post(40, text=own[0]["text"].upper() + "!!!")]
    put(settings, [*own, *near, *exact, *loud])
    report = run(settings, max_duplicate_share=1)
    assert (report["sources"]["replay"]["rows_near_duplicate"], report["sources"]["replay"]["rows_compared"]) == (6, 20)
    assert report["sources"]["replay"]["rows_duplicate"] == 3
    assert "30.0% of 20" in (settings.root / report["page"]).read_text(encoding="utf-8")
    assert run(settings, max_duplicate_share=1, near_duplicate_rows=12)["sources"]["replay"]["rows_near_duplicate"] == 1, "of the first twelve"
    assert run(settings, max_duplicate_share=1, near_duplicate_rows=0)["sources"]["replay"]["rows_compared"] == 0
    assert run(settings, max_duplicate_share=1, near_duplicate_similarity=1)["sources"]["replay"]["rows_near_duplicate"] == 1
