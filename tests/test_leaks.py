"""leaks finds what two files share and what one repeats, in any of the formats, with and without a header."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell.cli import app
from groundswell.errors import CorpusError, UsageError
from groundswell.leaks import leaks, table

SHARED = Path(__file__).parents[2] / "shared" / "data" / "games"
COLUMNS = ["id", "entity", "label", "text"]

TRAIN = """\
1,Starfall,Positive,"I love how the new patch
makes every single boss fight feel fair at last"
2,Starfall,Negative,what a mess this launch is
2,Starfall,Neutral,what a mess this launch is
3,Moorland,Neutral,patch notes are out
4,Moorland,Negative,   
5,Moorland,Positive,"so, ""good"" indeed"
"""
TEST = """\
1,Starfall,Positive,I LOVE how the new patch makes every single boss fight feel fair at last!!!
7,Starfall,Positive,I love how the new patch makes every single boss fight feel quite fair at last
3,Moorland,Neutral,patch notes are out
9,Moorland,Positive,nothing like the others here
10,Moorland,Positive,
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN.replace("\n", "\r\n"), encoding="utf-8", newline="")
    (tmp_path / "test.csv").write_text("\ufeff" + TEST, encoding="utf-8")
    return tmp_path


def test_against(files):
    found = leaks(files / "train.csv", against=files / "test.csv", columns=COLUMNS)
    assert found["rows"] == {"file": 6, "against": 5}
    assert found["shared_ids"] == 2
    assert found["shared_exact_texts"] == 1
    assert found["shared_normalised_texts"] == 2, "the multi-line one in capitals too"
    assert found["shared_near_duplicates"] == 3
    assert found["conflicting_labels"] == 1
    assert found["blank_texts"] == 2
    assert found["groups"] == {"number": 7, "largest": 3, "rows_with_company": 7, "in_both": 2, "rows_in_both": 5}


def test_one_file_alone(files):
    found = leaks(files / "train.csv", columns=COLUMNS)
    assert (found["shared_ids"], found["shared_exact_texts"], found["shared_near_duplicates"]) == (1, 1, 1)
    assert found["against"] is None


def test_kinds_hold_one_another(files):
    found = leaks(files / "train.csv", against=files / "test.csv", columns=COLUMNS, similarity=0.99)
    assert found["shared_exact_texts"] <= found["shared_normalised_texts"] == found["shared_near_duplicates"] == 2


def test_authors_make_groups(tmp_path):
    (tmp_path / "a.csv").write_text("anna,first words of mine\nbert,other words entirely\nanna,something else again\n")
    found = leaks(tmp_path / "a.csv", columns=["author", "text"])
    assert found["shared_authors"] == 1 and found["groups"]["largest"] == 2


@pytest.mark.parametrize(
    ("first_line", "is_header"),
    [
        ("TEXT,Label,extra,id", True),  # all names, in any order
        ("tweet_id,game,sentiment,content", True),  # the label's word
        ("tweet_id,game,mood,content", True),  # an id that is no number where all others are
        ("0,Starfall,Positive,another one", False),
    ],
)
def test_header(tmp_path, first_line, is_header):
    named = first_line.startswith("TEXT")
    rows = ["what a day,Positive,x,11", "what a day,Negative,x,12"] if named else ["11,x,Positive,what a day", "12,x,Negative,what a day"]
    (tmp_path / "a.csv").write_text("\n".join([first_line, *rows]))
    found = leaks(tmp_path / "a.csv", columns=["id", "label", "text"] if named else COLUMNS)
    assert found["has_header"] == {"file": is_header}
    assert found["rows"]["file"] == 2 + (not is_header)
    assert (found["conflicting_labels"], found["shared_exact_texts"], found["shared_ids"]) == (1, 1, 0)


def test_every_format_says_the_same(tmp_path):
    rows = [{"id": "1", "text": "a b c d e"}, {"id": "2", "text": "A b c d e!"}, {"id": "2", "text": "some\u2028thing else"}]
    (tmp_path / "a.tsv").write_text("id\ttext\n" + "".join(f"{row['id']}\t{row['text']}\n" for row in rows), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    answers = [leaks(tmp_path / f"a.{kind}", columns=["id", "text"]) for kind in ("tsv", "jsonl", "parquet")]
    assert all({**answer, "file": ""} == {**answers[0], "file": ""} for answer in answers)
    assert (answers[0]["shared_ids"], answers[0]["shared_exact_texts"], answers[0]["shared_normalised_texts"]) == (1, 0, 1)


def test_a_wrong_encoding_names_file_and_row_and_has_a_remedy(tmp_path):
    (tmp_path / "a.csv").write_bytes("1,fine\n2,caf\u00e9\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"a\.csv, row 2.*--encoding"):
        leaks(tmp_path / "a.csv", columns=["id", "text"])
    assert leaks(tmp_path / "a.csv", columns=["id", "text"], encoding="latin-1")["rows"] == {"file": 2}


def test_bad_files(tmp_path):
    (tmp_path / "a.csv").write_text("1,fine\n2,fine,too many\n")
    with pytest.raises(CorpusError, match=r"a\.csv, row 2: expected 2 columns \(id,text\), found 3"):
        leaks(tmp_path / "a.csv", columns=["id", "text"])
    with pytest.raises(CorpusError, match="can't be read"):
        leaks(tmp_path / "none.csv", columns=["id", "text"])
    (tmp_path / "a.jsonl").write_text('{"id": 1, "texts": "x"}\n')
    with pytest.raises(CorpusError, match="column 'text'.*did you mean 'texts'"):
        leaks(tmp_path / "a.jsonl", columns=["id", "text"])


@pytest.mark.parametrize("columns", [["entity", "label"], ["id", "ID"], [""]])
def test_columns_that_say_nothing(tmp_path, columns):
    (tmp_path / "a.csv").write_text("1,x\n")
    with pytest.raises(UsageError, match="--columns"):
        leaks(tmp_path / "a.csv", columns=columns)


def test_nasty_texts_and_an_empty_file(tmp_path):
    texts = ["\x00", "😀😀", "שלום לכולם", "word " * 20_000, "&amp;" * 100, "\ud800 lone", ""]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert leaks(tmp_path / "a.jsonl", columns=["text"])["rows"] == {"file": 7}
    (tmp_path / "b.csv").write_text("")
    found = leaks(tmp_path / "a.jsonl", against=tmp_path / "b.csv", columns=["text"])
    assert found["rows"]["against"] == found["shared_near_duplicates"] == 0
    assert "0" in table(found)


def test_table_and_command(files):
    from typer.testing import CliRunner

    shown = table(leaks(files / "train.csv", against=files / "test.csv", columns=COLUMNS))
    assert "byte-identical texts" in shown and "40.0%" in shown
    answer = CliRunner().invoke(
        app, ["leaks", str(files / "train.csv"), "--against", str(files / "test.csv"), "--columns", ",".join(COLUMNS), "--json"]
    )
    assert answer.exit_code == 0
    assert json.loads(answer.stdout.splitlines()[-1])["shared_ids"] == 2


@pytest.mark.slow
@pytest.mark.shared
def test_the_published_game_files_leak():
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: the real data lies beside the checkout")
    found = leaks(SHARED / "twitter_training.csv", against=SHARED / "twitter_validation.csv", columns=COLUMNS)
    assert found["rows"] == {"file": 74_682, "against": 1_000}
    assert (found["shared_ids"], found["shared_exact_texts"], found["shared_normalised_texts"]) == (1_000, 517, 716)
    assert (found["blank_texts"], found["conflicting_labels"]) == (858, 136)
    assert found["shared_near_duplicates"] > 716
