"""Report: a real champion's numbers, the same on the page, in Markdown and on the slides, and none that nobody measured."""

import base64
import json
import re
import shutil
from datetime import UTC, datetime
from html import unescape

import pytest
from compared import comparison, study
from models import project_with_registry, register
from test_reporting import Tables, markdown_tables

from groundswell import registry, runs
from groundswell.errors import DatasetError, UsageError
from groundswell.evaluate import evaluate
from groundswell.examples import read_examples
from groundswell.files import write_json
from groundswell.judge import judge
from groundswell.ledger import Entry, Ledger
from groundswell.params import EvaluateParams, JudgeParams
from groundswell.report import report
from groundswell.reporting import pdf

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def _texts(settings):
    folder = settings.root / "reports" / "report"
    return {name: unescape((folder / name).read_text()) for name in ("games.html", "games.md", "games-slides.html")}


def _champion(settings):
    """A champion with its evaluation and verdict, as the loop leaves them."""
    path = settings.dataset("games") / "manifest.json"
    manifest = json.loads(path.read_text()) | {"params": {"group_by": ["duplicates", "author", "source_id"]}}
    write_json(manifest, path)
    version = register(settings, "good")
    measured = evaluate("games", settings=settings, params=EvaluateParams(bootstrap_samples=200))
    verdict = judge("games", settings=settings, params=JudgeParams(bootstrap_samples=200, latency_texts=8), now=NOW)
    entry = Entry("2026-11-02T09:00:00Z", "somebody", "promote", None, version, verdict["digest"])
    Ledger(settings, "games").move(entry, lambda to: registry.set_alias(settings, "games", registry.CHAMPION, to))
    return measured, verdict


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    settings = project_with_registry(tmp_path_factory.mktemp("report") / "project")
    measured, verdict = _champion(settings)
    write_json(comparison(dataset_md5=verdict["dataset_md5"]), settings.report("compare", "games"))
    write_json(study(dataset_md5=verdict["dataset_md5"]), settings.report("tune", "games"))
    return settings, measured, verdict, report("games", settings=settings, now=NOW)


def test_the_champions_numbers_are_in_all_three(reported):
    settings, measured, verdict, found = reported
    model = measured["model"]
    bounds = model["intervals"]["macro_f1"]
    wanted = {f"{model[name]:.3f}" for name in ("macro_f1", "macro_recall", "accuracy", "ece")}
    wanted |= {f"{bounds['low']:.3f} to {bounds['high']:.3f}", f"{measured['baseline']['macro_f1']:.3f}", verdict["verdict"]}
    wanted |= {f"{verdict['behaviour']['challenger']['all']['passed']}"}
    for name, text in _texts(settings).items():
        assert {number for number in wanted if number not in text} == set(), name
    assert found["is_champion"]
    assert found["run_id"] == measured["run_id"]
    assert len(verdict["reasons"]) == sum(reason in _texts(settings)["games.html"] for reason in verdict["reasons"])


def test_the_model_stands_under_model_and_the_baseline_under_baseline(reported):
    settings, measured, *_ = reported
    tables = Tables((settings.root / "reports" / "report" / "games.html").read_text()).tables
    [scores] = [table for table in tables if table[0] == ["measure", "model", "95 % interval", "baseline", "95 % interval"]]
    for name, words in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"), ("log_loss", "log-loss")):
        wanted = [words]
        for who in ("model", "baseline"):
            bounds = measured[who]["intervals"][name]
            wanted += [f"{measured[who][name]:.3f}", f"{bounds['low']:.3f} to {bounds['high']:.3f}"]
        assert wanted in scores
    assert measured["model"]["macro_f1"] != measured["baseline"]["macro_f1"]


def test_page_and_markdown_have_the_same_tables_and_pictures(reported):
    settings, *_, found = reported
    folder = settings.root / "reports" / "report"
    tables = Tables((folder / "games.html").read_text()).tables
    in_markdown = markdown_tables((folder / "games.md").read_text())
    assert [table for table in in_markdown if table in tables] == tables
    inside = {base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", (folder / "games.html").read_text())}
    beside = {path.name: path.read_bytes() for path in (folder / "games").iterdir()}
    assert inside == set(beside.values())
    assert set(found["pictures"]) == set(beside) == set(re.findall(r"\]\(games/([^)]+)\)", (folder / "games.md").read_text()))
    drawn = {"confusion.svg", "reliability.svg", "pareto.svg", "learning_curves.svg", "importance.svg", "top_words.svg", "words_positive.png"}
    assert drawn <= set(beside)


def test_the_confusion_matrix_counts_the_test_rows(reported):
    settings, measured, *_ = reported
    drawn = (settings.root / "reports" / "report" / "games" / "confusion.svg").read_text()
    counts = [int(number.replace(",", "")) for number in re.findall(r'class="mid big"[^>]*>([\d,]+)<', drawn)]
    assert len(counts) == 9
    assert sum(counts) == measured["model"]["rows"]


def test_no_post_is_in_it(reported):
    settings, *_ = reported
    texts = _texts(settings).values()
    for split in ("train", "test"):
        rows = read_examples(settings.dataset("games"), split)
        assert not [row for row in rows.texts for text in texts if row in text]


def test_it_lies_in_the_champions_run(reported):
    settings, _, verdict, found = reported
    assert runs.read_text(settings, verdict["run_id"], "report/games.html") == (settings.root / "reports" / "report" / "games.html").read_text()
    assert runs.read_text(settings, verdict["run_id"], "report/games/pareto.svg")
    assert json.loads(settings.report("report", "games").read_text()) == found


def test_again_it_is_the_same_bytes(reported):
    settings, *_, found = reported
    folder = settings.root / "reports" / "report"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pdf"}
    assert report("games", settings=settings, now=NOW) == found
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_missing_is_said_in_its_place(reported):
    settings, *_, found = reported
    text = _texts(settings)["games.html"]
    assert any("What validation took out" in what for what in found["missing"])
    assert any("report of prepare is not there" in what for what in found["missing"])
    assert all(text.count(what) >= 2 for what in found["missing"])  # in its section, and in the limits


def test_numbers_of_another_data_set_are_not_told_as_this_ones(reported, tmp_path):
    settings = reported[0].model_copy(update={"project": tmp_path / "project"})
    shutil.copytree(reported[0].project, settings.project)
    other = {"test": {"digest": "another"}}
    write_json({"stage": "prepare", "splits": other, "leaks": {}}, settings.report("prepare", "games"))
    (settings.dataset("games") / "manifest.json").write_text("{}")
    found = report("games", settings=settings, now=NOW)
    assert any("is of another data set" in what for what in found["missing"])
    assert any("words" in what for what in found["missing"])
    assert "top_words.svg" not in found["pictures"]
    settings.report("compare", "games").write_text('{"torn')
    with pytest.raises(DatasetError, match="compare/games.json: expected JSON"):
        report("games", settings=settings, now=NOW)


def test_a_challenger_without_a_champion_is_not_called_one(reported, tmp_path):
    settings = reported[0].model_copy(update={"project": tmp_path / "project"})
    shutil.copytree(reported[0].project, settings.project)
    registry.delete_alias(settings, "games", registry.CHAMPION)
    Ledger(settings, "games").path.unlink()
    found = report("games", settings=settings, now=NOW)
    told = _texts(settings)["games.md"]
    assert not found["is_champion"]
    assert found["model_version"] == "1"
    assert "Challenger" in found["sections"]
    assert "There is no champion; version 1 is the challenger" in told
    assert "is the champion" not in told
    assert "Nothing was ever promoted" in told


def test_a_topic_of_which_nothing_is_known_gets_its_report(tmp_path):
    settings = project_with_registry(tmp_path / "project")
    found = report("films", settings=settings, now=NOW)
    assert found["run_id"] is None
    assert found["pictures"] == []
    assert len(found["missing"]) == 6
    assert "There is no data set of this topic." in (settings.root / "reports" / "report" / "films.html").read_text()


def test_without_a_chromium_a_pdf_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="--pdf: expected one of chromium"):
        report("games", settings=project_with_registry(tmp_path / "project"), now=NOW, is_pdf=True)
    assert not (tmp_path / "project" / "var" / "reports" / "report").exists()


@pytest.mark.skipif(not any(map(shutil.which, pdf._NAMES)), reason="no Chromium is installed")
def test_slides_are_printed_one_a_page(reported):
    settings, *_ = reported
    page = settings.root / "reports" / "report" / "games-slides.html"
    made = pdf.pdf(page, pdf.chromium()).read_bytes()
    assert made.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", made)) == page.read_text().count('<section class="slide">')
