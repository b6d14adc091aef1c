"""What a report says, and how: from invented facts, without a registry."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from compared import comparison, study
from dvc_project import example, put_dataset

from groundswell.reporting import charts
from groundswell.reporting.abstract import _against_baseline
from groundswell.reporting.blocks import Listing, Missing, Picture, Table
from groundswell.reporting.clouds import cloud
from groundswell.reporting.comparison import findings
from groundswell.reporting.facts import Facts, Found, _words
from groundswell.reporting.markdown import markdown
from groundswell.reporting.page import page
from groundswell.reporting.slides import slides
from groundswell.reporting.written import written
from groundswell.schema import LABELS
from groundswell.settings import Settings
from groundswell.words import telling_words

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
NOTHING = Found(None, "nowhere")
SPLIT = {
    "rows": 700,
    "labels": {"negative": 180, "neutral": 240, "positive": 280},
    "languages": {"de": 7, "en": 693},
    "provenances": {"human": 700},
    "sources": {"a|source_of <b>": 650, "steam": 50},
    "from": "2026-10-31T01:00:00+00:00",
    "to": "2026-11-01T23:00:00+00:00",
    "digest": "d1",
}
MANIFEST = {"windows": ["2026-10-19", "2026-11-01"], "splits": {"test": SPLIT, "train": {**SPLIT, "rows": 3500}, "validation": SPLIT}}
EMPTY = Facts(
    topic="games",
    is_demo=False,
    subject=None,
    is_champion=False,
    run=None,
    manifest=NOTHING,
    dataset_md5=None,
    prepare=NOTHING,
    is_prepare_of_subject=False,
    validation=NOTHING,
    validate=[],
    train=NOTHING,
    environment=NOTHING,
    evaluate=NOTHING,
    confusion=NOTHING,
    reliability=NOTHING,
    words=NOTHING,
    verdict=NOTHING,
    last_verdict=NOTHING,
    compare=NOTHING,
    tune=NOTHING,
    monitor=[],
    ledger=[],
)
COMPARED = replace(
    EMPTY,
    manifest=Found(MANIFEST, "MLflow run 0123abcd, dataset/manifest.json"),
    dataset_md5="0" * 32,
    compare=Found(comparison(), "reports/compare/games.json"),
    tune=Found(study(), "reports/tune/games.json"),
)


class Tables(HTMLParser):
    """The cells of every table of a page."""

    def __init__(self, text):
        super().__init__()
        self.tables, self._is_cell = [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag):
        self._is_cell = self._is_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._is_cell:
            self.tables[-1][-1][-1] += data


def markdown_tables(text):
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [line for line in block.splitlines() if not re.fullmatch(r"\|[-:|]+\|", line)]
        found.append([[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines])
    return found


def cells(tables):
    return [[list(table.headings), *map(list, table.rows)] for table in tables]


def sentences(report):
    blocks = [block for section in report.sections for block in section.blocks]
    lines = [line for block in blocks for line in getattr(block, "lines", [getattr(block, "text", "")])]
    return " ".join([*report.abstract, *lines])


def test_the_three_renderings_hold_the_same_tables():
    report = written(COMPARED, now=NOW)
    meant = cells(report.blocks(Table))
    assert len(meant) == 9
    assert Tables(page(report)).tables == meant
    in_markdown = markdown_tables(markdown(report, "games"))
    assert [table for table in in_markdown if table in meant] == meant  # the numbers that stand out are tables there too
    shown = Tables(slides(report)).tables
    wanted = [table for table in report.blocks(Table) if table.is_on_slides]
    assert [table[0] for table in shown] == [list(table.headings) for table in wanted]
    assert all(lines == whole[: len(lines)] for lines, whole in zip(shown, cells(wanted), strict=True))


def test_what_would_be_a_mark_is_text():
    report = written(replace(COMPARED, topic="<script>alert(1)</script> *x*"), now=NOW)
    for text in (page(report), slides(report)):
        assert "<script" not in text
    assert "\\<script\\>" in markdown(report, "games")
    assert "\\*x\\*" in markdown(report, "games")


def test_pages_reach_for_nothing_outside():
    report = written(COMPARED, now=NOW)
    for text in (page(report), slides(report)):
        assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    for picture in report.blocks(Picture):
        assert b"href" not in picture.data
        assert b"http" not in picture.data.replace(b"http://www.w3.org/2000/svg", b"")


def test_without_anything_it_is_a_report_of_what_is_missing():
    report = written(EMPTY, now=NOW)
    missing = report.blocks(Missing)
    assert len(missing) == 6
    assert all(one.remedy.startswith("groundswell ") for one in missing)
    assert "No model of this topic is registered." in report.abstract
    assert "There is no data set of this topic yet." in report.abstract[0]
    limits = report.sections[-2].blocks[-1]
    assert isinstance(limits, Listing)
    assert [line.split(" To have it")[0] for line in limits.lines] == [one.what for one in missing]
    assert all(one.what in unescape(text) for one in missing for text in (page(report), markdown(report, "x"), slides(report)))


def test_what_can_not_be_told_apart_is_called_indistinguishable():
    told = " ".join(written(COMPARED, now=NOW).abstract)
    assert "Of 13 approaches, distilbert has the highest mean macro-F1, 0.811 (0.800 to 0.822)." in told
    assert "It can't be told apart from distilbert-lora: the differences are indistinguishable from none; 11 approaches are worse" in told
    alone = comparison()
    for row in alone["rows"]:
        if row["name"] == "distilbert-lora":
            row["against_best"]["says"] = "worse"
    assert "indistinguishable from none" not in " ".join(findings(alone))
    assert "12 approaches are worse" in " ".join(findings(alone))


def test_a_p_that_no_resample_contradicts_is_an_upper_bound():
    [quality] = [table for table in written(COMPARED, now=NOW).blocks(Table) if "p (Holm)" in table.headings]
    assert {row[1]: row[-1] for row in quality.rows} == {"best": "–", "indistinguishable": "0.213", "worse": "≤ 0.012"}


def test_rows_without_a_result_are_named_with_their_reason():
    report = written(COMPARED, now=NOW)
    assert "cnn-lstm: failed (out of memory)" in sentences(report)
    assert "self-attention: left: budget (the budget of 30 minutes was spent)" in sentences(report)
    assert "2 of them have no result" in sentences(report)
    nothing = comparison() | {"rows": [row for row in comparison()["rows"] if row["status"] != "done"], "best": None, "curves": []}
    assert findings(nothing) == ["No approach was measured to its end."]
    page(written(replace(COMPARED, compare=Found(nothing, "x")), now=NOW))


def test_a_comparison_on_other_rows_says_so():
    other = Found(comparison(dataset_md5="1" * 32), "reports/compare/games.json")
    assert "don't hold them together" in sentences(written(replace(COMPARED, compare=other), now=NOW))
    assert "don't hold them together" not in sentences(written(COMPARED, now=NOW))


def test_the_best_of_many_trials_is_told_with_what_fresh_seeds_leave_of_it():
    report = written(COMPARED, now=NOW)
    told = sentences(report)
    assert "Optuna tried 20 sets of values of distilbert (distilbert on text), today's first: 14 to the end, 6 pruned and 0 failed." in told
    assert "the best of 20 trials: indistinguishable from today's values with fresh seeds." in " ".join(report.abstract)
    assert "0.010 of the +0.020 by which it led was luck with the seed; its own macro-F1 went from 0.831 to 0.823" in told
    [against] = [table for table in report.blocks(Table) if "today's" in table.headings and "difference" in table.headings]
    assert against.rows[1] == ("learnt anew with seeds 11, 12 and 13", "0.823", "0.813", "+0.010", "-0.001 to +0.021")
    [values] = [table for table in report.blocks(Table) if "hyperparameter" in table.headings]
    assert values.rows[0] == ("learning rate", "2e-05 to 0.0005, by order of magnitude", "0.0001", "0.00017", "71%")
    assert "importance.svg" in {picture.name for picture in report.blocks(Picture)}


@pytest.mark.parametrize(
    ("changes", "said", "tables"),
    [
        ({"fresh_seeds": None, "says": "not confirmed"}, "No fresh seed was tried, so nobody knows by how much.", 2),
        ({"difference": None, "fresh_seeds": None, "says": "today's values are the best that was tried"}, "the best that was tried.", 1),
        ({"best": None, "default": None, "difference": None, "fresh_seeds": None, "importance": {}, "says": "nothing to compare"}, "compare.", 0),
        ({"dataset_md5": "1" * 32}, f"This study is of the data set {'1' * 32}, not of the one told of above", 2),
        ({"fresh_seeds": study()["fresh_seeds"] | {"difference": study()["difference"]}}, "its lead of +0.020 did not shrink", 2),
    ],
)
def test_a_study_says_no_more_than_it_knows(changes, said, tables):
    report = written(replace(COMPARED, tune=Found(study(**changes), "reports/tune/games.json")), now=NOW)
    [section] = [section for section in report.sections if section.name == "Tuning"]
    assert said in sentences(report)
    assert sum(isinstance(block, Table) for block in section.blocks) == tables
    page(report), markdown(report, "games"), slides(report)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.01, 0.05, "That it is better is shown"), (-0.01, 0.05, "That is indistinguishable from none"), (-0.05, -0.01, "It is worse than that")],
)
def test_better_than_the_baseline_is_what_the_interval_shows(low, high, said):
    difference = {"estimate": (low + high) / 2, "low": low, "high": high}
    told = _against_baseline(replace(EMPTY, verdict=Found({"difference_to_baseline": difference}, "x")))
    assert told.strip().startswith(said)
    assert f"{low:+.3f} to {high:+.3f}" in told


def test_limits_are_written_from_the_numbers():
    told = sentences(written(COMPARED, now=NOW))
    assert "99.0% of the test rows are in en. Too few to say anything of: de (7)." in told
    assert "demo" not in told
    assert "made in demo mode" in sentences(written(replace(COMPARED, is_demo=True), now=NOW))


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 1.0], [-3.0, 1e-9]])
def test_a_scale_holds_its_values(values):
    scale = charts._Scale(values, 10, 110)
    assert all(10 - 1e-6 <= scale(value) <= 110 + 1e-6 for value in values)
    assert scale.ticks()[0] <= min(values)
    assert scale.ticks()[-1] >= max(values)


def test_a_word_of_few_groups_is_not_shown_however_many_posts_it_has():
    texts = ["great kwyjibo"] * 9 + ["great plugh"] * 9 + ["awful"] * 9
    groups = [f"g{number}" for number in range(9)] + ["one"] * 5 + ["two", "three", "four", "one"] + list("abcdefghi")
    shown = telling_words(texts, np.repeat([2, 2, 0], 9), 9, groups=groups)
    assert {word for word, _ in shown["positive"]} == {"great", "kwyjibo"}


@pytest.mark.slow
def test_words_come_of_the_subjects_rows_and_of_many_authors_only(tmp_path):
    settings = Settings(project=tmp_path)
    rows = [example(number, "great plugh" if number < 9 else "awful kwyjibo", 2 if number < 9 else 0) for number in range(18)]
    for row in rows[:9]:
        row["group"] = row["row_id"] if row["post_id"] < "5" else "one author's"
    rows[0]["text"] = rows[1]["text"] = "great"  # so that plugh has three groups of its own, and the one
    put_dataset(settings, {"train": rows, "validation": rows[:2], "test": rows[:2]})
    held = {"params": {"group_by": ["author"]}}
    assert {word for word, _ in _words(settings, "games", held, is_here=True).value["positive"]} == {"great"}
    assert {word for word, _ in _words(settings, "games", held, is_here=True).value["negative"]} == {"awful", "kwyjibo"}
    assert not _words(settings, "games", held, is_here=False)
    assert not _words(settings, "games", {"params": {"group_by": ["duplicates"]}}, is_here=True)


@pytest.mark.slow
def test_words_are_shown_by_class_with_a_cloud_each():
    words = telling_words(["great day"] * 9 + ["awful day"] * 9 + ["a day"] * 9, np.repeat([2, 0, 1], 9), 9, groups=range(27))
    report = written(replace(COMPARED, words=Found(words, "dataset/games/train.parquet")), now=NOW)
    assert {"top_words.svg", "words_negative.png", "words_positive.png"} <= {picture.name for picture in report.blocks(Picture)}
    assert ["positive", "great"] in Tables(page(report)).tables[2] + Tables(page(report)).tables[3]


@pytest.mark.slow
def test_a_cloud_is_the_same_bytes_and_has_no_ground():
    import io

    from PIL import Image

    drawn = [cloud([("great", 3.0), ("fun", 2.0), ("😀", 1.0)], LABELS[2]) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert Image.open(io.BytesIO(drawn[0])).convert("RGBA").getpixel((0, 0))[3] == 0
    assert cloud([("😀", 1.0)], LABELS[2]) is None
