"""predict: a file of posts gets its answers beside its own columns, whole or not at all."""

import csv
import json
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest
from pyarrow import parquet

from groundswell.client import MOST_CHARACTERS, Client
from groundswell.errors import CorpusError, ServingError, UsageError
from groundswell.posts import ANSWERS
from groundswell.predict import predict_file, show
from tests.test_client import answer_to

ROWS = [
    {"id": "1", "text": "great 2", "note": 'with, "commas"'},
    {"id": "2", "text": "awful 1", "note": "two\nlines 😡"},
    {"id": "3", "text": " ", "note": ""},
    {"id": "4", "text": "long " + "x" * MOST_CHARACTERS, "note": "cut"},
    {"id": "5", "text": "fine 4", "note": ""},
    {"id": "6", "text": "", "note": ""},
]
LABELS = ["positive", "negative", None, "negative", "positive", None]
COUNTS = {"rows": 6, "without_text": 2, "cut": 1, "labels": {"positive": 2, "negative": 2}, "versions": {"3": 4}}


@pytest.fixture
def client():
    with Client("http://serving.test", transport=httpx2.MockTransport(answer_to)) as client:
        yield client


def write(file: Path, rows=ROWS) -> Path:
    if file.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), file, row_group_size=4)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with open(file, "w", newline="") as opened:
            writer = csv.DictWriter(opened, rows[0].keys(), delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return file


def read(file: Path) -> list[dict]:
    if file.suffix == ".parquet":
        return parquet.read_table(file).to_pylist()
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text().splitlines()]
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t" if file.suffix == ".tsv" else ","))


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_comes_back_with_its_answers(tmp_path, client, ending):
    file = write(tmp_path / f"posts.{ending}")
    seen = []
    found = predict_file(file, client, progress=lambda rows, share: seen.append((rows, share)))
    out = tmp_path / f"posts.answers.{ending}"
    assert found == {"file": str(file), "out": str(out), "columns": list(ANSWERS), **COUNTS}
    rows = read(out)
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert [row["label"] or None for row in rows] == LABELS
    assert [float(row["positive"]) if row["positive"] else None for row in rows] == [label and 0.5 for label in LABELS]
    assert [row["version"] or None for row in rows] == [label and "3" for label in LABELS]
    assert [rows for rows, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1][1] == 1


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_many_rows_keep_their_order(tmp_path, client, ending):
    rows = [{"text": f"text {number}" if number % 7 else ""} for number in range(3000)]
    predict_file(write(tmp_path / f"posts.{ending}", rows), client)
    expected = [None if not row["text"] else "positive" if row["text"][-1] in "02468" else "negative" for row in rows]
    assert [row["label"] or None for row in read(tmp_path / f"posts.answers.{ending}")] == expected


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_column_of_its_own_is_not_overwritten(tmp_path, client, ending):
    file = write(tmp_path / f"posts.{ending}", [{"body": "great 2", "label": "spam"}])
    out = tmp_path / "elsewhere" / f"answered.{ending}"
    assert predict_file(file, client, column="body", out=out)["columns"] == [f"predicted_{name}" for name in ANSWERS]
    (row,) = read(out)
    assert (row["label"], row["predicted_label"]) == ("spam", "positive")


def test_types_of_parquet_stay(tmp_path, client):
    file = tmp_path / "posts.parquet"
    table = pa.table(
        {"at": pa.array([1, 2], pa.timestamp("us", "UTC")), "text": pa.array(["a 2", None]).dictionary_encode(), "n": pa.array([1, None])}
    )
    parquet.write_table(table, file)
    predict_file(file, client)
    found = parquet.read_table(tmp_path / "posts.answers.parquet")
    assert found.schema.names == ["at", "text", "n", *ANSWERS]
    assert found.select(["at", "text", "n"]).cast(table.schema).equals(table)
    assert found["label"].to_pylist() == ["positive", None]


def test_jsonl_whose_lines_differ(tmp_path, client):
    file = tmp_path / "posts.jsonl"
    file.write_text('\ufeff{"text": "fine 2"}\n\n{"other": 1}\n{"text": 3}\n{"text": "half \\ud83d 2"}\n')
    assert predict_file(file, client)["without_text"] == 2
    assert [row["label"] for row in read(tmp_path / "posts.answers.jsonl")] == ["positive", None, None, "positive"]


BROKEN = {
    "too many columns": (".csv", b"id,text\n1,fine\n2,xylophone,3\n", "line 3: expected 2 columns, found 3"),
    "too few": (".csv", b"id,text\nxylophone\n", "line 2: expected 2 columns, found 1"),
    "an open quote": (".csv", b'id,text\n1,"xylophone\n', "line 2: can't be read as CSV"),
    "no UTF-8": (".csv", b"id,text\n1,fine\n2,xylophone \xff\n", "line 3: expected UTF-8"),
    "no JSON": (".jsonl", b'{"text": "fine"}\nxylophone\n', "line 2: expected a JSON object"),
    "no object": (".jsonl", b'{"text": "fine"}\n[1]\n', "line 2: expected a JSON object"),
    "no Parquet": (".parquet", b"xylophone", "can't be read as Parquet"),
}


@pytest.mark.parametrize(("ending", "content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_told_where_and_leaves_nothing(tmp_path, client, ending, content, message):
    file = tmp_path / f"posts{ending}"
    file.write_bytes(content)
    with pytest.raises(CorpusError, match=message) as error:
        predict_file(file, client)
    assert "xylophone" not in str(error.value)
    assert list(tmp_path.iterdir()) == [file]


def test_a_column_that_is_not_there_is_answered_with_those_that_are(tmp_path, client):
    file = write(tmp_path / "posts.csv", [{"id": "1", "texts": "fine"}])
    with pytest.raises(UsageError, match="expected one column 'text', found 'id', 'texts'; did you mean 'texts'.*--column"):
        predict_file(file, client)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(UsageError, match="found none"):
        predict_file(tmp_path / "empty.csv", client)


def test_files_that_can_not_be(tmp_path, client):
    file = write(tmp_path / "posts.csv")
    for wrong, out in ((file, file), (file, tmp_path / "posts.jsonl"), (tmp_path / "posts.xlsx", None)):
        with pytest.raises(UsageError):
            predict_file(wrong, client, out=out)
    with pytest.raises(CorpusError, match="No such file"):
        predict_file(tmp_path / "none.csv", client)


def test_an_endpoint_that_gives_up_leaves_the_old_answers(tmp_path):
    file = write(tmp_path / "posts.csv", [{"text": f"text {number}"} for number in range(2000)])
    out = tmp_path / "posts.answers.csv"
    out.write_text("of yesterday")
    requests = []

    def fails(request):
        requests.append(request)
        return answer_to(request) if len(requests) < 8 else httpx2.Response(403)

    with Client("http://serving.test", transport=httpx2.MockTransport(fails)) as client, pytest.raises(ServingError):
        predict_file(file, client)
    assert out.read_text() == "of yesterday"
    assert sorted(tmp_path.iterdir()) == [out, file]


def test_texts_as_a_table_and_as_json(client, capsys):
    show(["great 2", "awful [bold] 1"], client, as_json=False)
    table = capsys.readouterr().out
    assert "awful [bold] 1" in table
    assert "50.0%" in table
    assert "positive " in table
    assert "version 3" in table
    show(["great 2"], client, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    assert found == {"label": "positive", "negative": 0.25, "neutral": 0.25, "positive": 0.5, "version": "3", "id": "id of 2"}
