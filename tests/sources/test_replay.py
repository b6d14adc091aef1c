"""replay: every format and time, and a message with file, row and column for every file that can't be trusted."""

import csv
import hashlib
import json
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from groundswell.collect import collect
from groundswell.errors import CorpusError, ParamsError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources import corpus
from groundswell.sources.corpus import Corpus
from groundswell.sources.replay import ReplayTopic
from groundswell.window import Window, parse_windows
from tests.simulated import settings_at
from tests.sources.cases import as_csv

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = {"post_id": "id", "created_at": "when", "text": "said", "label": "mood"}
ROWS = [
    ["id", "when", "said", "mood"],
    ["1", "2026-10-19T10:00:00Z", "a lovely, long level", "Positive"],
    ["2", "2026-10-20T00:00:00Z", "no", "Irrelevant"],
]


def replayed(tmp_path, windows=(DAY,), topic_name="games", key=None, **section):
    """The rows of ``windows`` together, after collecting them from a corpus."""
    settings = settings_at("http://platform.test", tmp_path)
    if key:
        settings = settings.model_copy(update={"pseudonym_key": SecretStr(key)})
    topic = Topic(replay=ReplayTopic(**{"columns": COLUMNS, **section}))
    collect("replay", topic_name, topic, list(windows), settings=settings, params=CollectParams(), now=NOW)
    lake = Lake(settings.lake)
    return [row for window in windows for row in lake.read(lake.partition("raw", "replay", topic_name, window)).to_pylist()]


def write(tmp_path, name, content, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def as_records():
    return [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


def files(tmp_path):
    yield write(tmp_path, "corpus.csv", as_csv(ROWS))
    yield write(tmp_path, "bom.csv", "\ufeff" + as_csv(ROWS).replace("\n", "\r\n"))
    yield write(tmp_path, "corpus.tsv", as_csv(ROWS, "\t"))
    yield write(tmp_path, "corpus.jsonl", "".join(json.dumps(record) + "\n\n" for record in as_records()))
    pq.write_table(pa.Table.from_pylist(as_records()), tmp_path / "corpus.parquet")
    yield tmp_path / "corpus.parquet"


def test_every_format_gives_the_same_posts(tmp_path):
    found = [replayed(tmp_path / f"of-{path.name}", path=path)[0] for path in files(tmp_path)]
    assert len(found) == 5
    for row in found:
        assert (row["post_id"], row["text"], row["label"], row["label_provenance"]) == ("1", "a lovely, long level", "Positive", "dataset")
        assert json.loads(row["raw"])["mood"] == "Positive"


@pytest.mark.parametrize(
    ("when", "time_format"),
    [
        ("2026-10-19T10:00:00Z", None),
        ("2026-10-19 10:00:00", None),
        ("2026-10-19T12:00:00+02:00", None),
        ("1792404000", None),
        ("1792404000.0", None),
        ("1792404000000", None),
        ("1792404000000000", None),
        ("Mon Oct 19 10:00:00 +0000 2026", "%a %b %d %H:%M:%S %z %Y"),
        ("19.10.2026 10.00", "%d.%m.%Y %H.%M"),
    ],
)
def test_times_as_corpora_write_them(tmp_path, when, time_format):
    path = write(tmp_path, "corpus.csv", as_csv([ROWS[0], ["1", when, "x", ""]]))
    (row,) = replayed(tmp_path, path=path, time_format=time_format)
    assert row["created_at"] == datetime(2026, 10, 19, 10, tzinfo=UTC)
    assert row["label"] is None and row["label_provenance"] is None


def test_parquet_times_are_taken_as_they_are(tmp_path):
    pq.write_table(pa.table({"when": [datetime(2026, 10, 19, 10, tzinfo=UTC)], "said": ["x"]}), tmp_path / "c.parquet")
    (row,) = replayed(tmp_path, path=tmp_path / "c.parquet", columns={"created_at": "when", "text": "said"})
    assert row["created_at"] == datetime(2026, 10, 19, 10, tzinfo=UTC)


def test_a_file_without_header_is_mapped_by_numbers(tmp_path):
    path = write(tmp_path, "corpus.csv", as_csv(ROWS[1:]))
    (row,) = replayed(tmp_path, path=path, has_header=False, columns={"post_id": "0", "created_at": "1", "text": "2", "label": "3"})
    assert (row["post_id"], row["label"]) == ("1", "Positive")


def test_rows_without_ids_get_one_of_their_content(tmp_path):
    columns = {"created_at": "when", "text": "said"}
    path = write(tmp_path, "corpus.csv", as_csv([*ROWS, ["7", "2026-10-19T10:00:00Z", "another", ""]]))
    first = replayed(tmp_path / "a", path=path, columns=columns)
    path.write_text(as_csv([ROWS[0], ["7", "2026-10-19T10:00:00Z", "another", ""], *ROWS[1:]]))
    assert replayed(tmp_path / "b", path=path, columns=columns) == first
    assert len({row["post_id"] for row in first}) == 2


def test_what_is_not_mapped_never_reaches_the_lake(tmp_path):
    path = write(tmp_path, "corpus.csv", "post_id,created_at,text,user\n1,2026-10-19,fine,brisk_heron\n")
    (row,) = replayed(tmp_path / "a", path=path, columns={"post_id": "post_id", "created_at": "created_at", "text": "text"})
    assert json.loads(row["raw"]) == {"post_id": "1", "created_at": "2026-10-19", "text": "fine"}
    path = write(
        tmp_path, "corpus.jsonl", '{"t": "2026-10-19", "x": "fine", "user_id": 90001, "screen_name": "brisk_heron", "user": {"n": "brisk_heron"}}\n'
    )
    (row,) = replayed(tmp_path / "b", path=path, columns={"created_at": "t", "text": "x", "author": "user_id"})
    assert json.loads(row["raw"]) == {"t": "2026-10-19", "x": "fine", "user_id": row["author"]}
    assert not any(b"heron" in file.read_bytes() for file in tmp_path.glob("?/lake/**/*.parquet"))


def test_an_id_of_the_content_tells_nobody_the_author(tmp_path):
    """Whoever reads the lake and guesses a handle must not be able to try it out: with another key the id is another."""
    path = write(tmp_path, "corpus.csv", "when,said,by\n2026-10-19,I am brisk_heron,brisk_heron\n2026-10-19,I am brisk_heron,sly_otter\n")
    columns = {"created_at": "when", "text": "said", "author": "by"}
    first, again, elsewhere = (
        [row["post_id"] for row in replayed(tmp_path / home, key=key, path=path, columns=columns)]
        for home, key in (("a", "a-key-of-the-tests"), ("b", "a-key-of-the-tests"), ("c", "another-key-of-tests"))
    )
    assert first == again
    assert len({*first, *elsewhere}) == 4


def test_the_content_of_an_id_is_what_the_lake_shows(tmp_path):
    """So the id can't be used to try handles out in the place of a pseudonym, be it in the author or in the text."""
    path = write(tmp_path, "corpus.csv", "when,said,by\n2026-10-19,I am brisk_heron,brisk_heron\n")
    (row,) = replayed(tmp_path, path=path, columns={"created_at": "when", "text": "said", "author": "by"})
    content = "\0".join((row["created_at"].isoformat(), row["author"], row["text"]))
    assert row["author"] in row["text"]
    assert row["post_id"] == "c" + hashlib.sha256(content.encode()).hexdigest()[:20]


def numbered(tmp_path, kind, **values):
    """A corpus of one row whose ``values`` are numbers, as ``kind``."""
    record = {"when": "2026-10-19T10:00:00Z", "said": "x", **values}
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([record]), tmp_path / "c.parquet")
        return tmp_path / "c.parquet"
    return write(tmp_path, "c.jsonl", json.dumps(record) + "\n")


NUMBERED = {"created_at": "when", "text": "said", "post_id": "id", "author": "by", "label": "stars"}


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_numbers_with_a_point_are_the_same_words_as_without(tmp_path, kind):
    """A column with a hole in it comes out of many tools as floats."""
    columns = {**NUMBERED, "parent_id": "up"}
    (pointed,) = replayed(tmp_path / "a", path=numbered(tmp_path, kind, id=17.0, by=12345.0, stars=4.0, up=12345.0), columns=columns)
    (whole,) = replayed(tmp_path / "b", path=numbered(tmp_path, kind, id=17, by=12345, stars=4, up=12345), columns=columns)
    assert {**pointed, "raw": None} == {**whole, "raw": None}
    assert (pointed["post_id"], pointed["label"]) == ("17", "4")
    assert json.loads(pointed["raw"])["by"] == json.loads(pointed["raw"])["up"] == pointed["author"]


def test_no_number_is_no_word(tmp_path):
    (row,) = replayed(tmp_path, path=numbered(tmp_path, "jsonl", id=None, by=float("nan"), stars=float("nan")), columns=NUMBERED)
    assert (row["author"], row["label"], row["label_provenance"]) == (None, None, None)
    assert row["post_id"].startswith("c")


@pytest.mark.parametrize(
    ("column", "value"), [("stars", 4.5), ("id", True), ("by", {"name": "brisk_heron"}), ("by", ["brisk_heron"]), ("id", float("inf"))]
)
def test_a_value_that_cannot_be_a_word_is_refused_with_its_place(tmp_path, column, value):
    path = numbered(tmp_path, "jsonl", **({"id": 1, "by": 2, "stars": 3} | {column: value}))
    with pytest.raises(CorpusError, match=rf"c.jsonl, row 1, column '{column}': expected a string or a whole number") as caught:
        replayed(tmp_path, path=path, columns=NUMBERED)
    assert "heron" not in str(caught.value)


def test_a_damaged_page_is_refused_with_its_row(tmp_path):
    path = tmp_path / "corpus.parquet"
    rows = [{"id": str(number), "when": "2026-10-19", "said": f"text {number * 7919}", "mood": ""} for number in range(4096)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1024, compression="zstd", use_dictionary=False)
    said = pq.read_metadata(path).row_group(2).column(2)
    content = bytearray(path.read_bytes())
    content[said.data_page_offset + 20 : said.data_page_offset + said.total_compressed_size] = b"\x00" * (said.total_compressed_size - 20)
    with pytest.raises(CorpusError, match=r"corpus.parquet, row 2049, column unknown: .*damaged"):
        replayed(tmp_path, path=write(tmp_path, "corpus.parquet", bytes(content)))


def test_every_row_of_a_corpus_is_kept(tmp_path):
    path = write(tmp_path, "corpus.csv", as_csv([*ROWS, ["1", "2026-10-19T10:00:00Z", "the same id, another text", "Negative"]]))
    found = replayed(tmp_path, path=path)
    assert [(row["post_id"], row["label"]) for row in found] == [("1", "Positive"), ("1", "Negative")]


def test_other_encodings_are_read(tmp_path):
    path = write(tmp_path, "corpus.csv", as_csv([ROWS[0], ["1", "2026-10-19", "schöner Ärger", ""]]), "latin-1")
    assert replayed(tmp_path, path=path, encoding="latin-1")[0]["text"] == "schöner Ärger"


def test_a_relative_path_is_the_projects(tmp_path):
    write(tmp_path, "corpus.csv", as_csv(ROWS))
    assert len(replayed(tmp_path, path=Path("corpus.csv"))) == 1


BROKEN = {
    "not there": (None, {}, r"corpus.csv: the corpus can't be read"),
    "wrong encoding": (
        b'id,when,said,mood\n1,2026-10-19,"two\nlines",\n2,2026-10-19,caf\xe9,\n',
        {},
        r"corpus.csv, row 3, column 'said': byte 0xe9 is not utf-8",
    ),
    "wrong encoding, no header": (b"1,2026-10-19,caf\xe9\n", {"has_header": False}, r"corpus.csv, row 1, column 2 \(from 0\): byte 0xe9"),
    "no such column": ("id,when,sayd,mood\n", {}, r"corpus.csv, row 1, column 'said'.*did you mean 'sayd'"),
    "empty": ("", {}, r"corpus.csv, row 1, column 'id'"),
    "bad time": ("id,when,said,mood\n1,2026-10-19,a,\n2,last week,b,\n", {}, r"corpus.csv, row 3, column 'when': expected a time .*'last week'"),
    "no time": ("id,when,said,mood\n1,,a,\n", {}, r"row 2, column 'when'"),
    "another time format": (
        "id,when,said,mood\n1,2026-10-19,a,\n",
        {"time_format": "%d/%m/%Y"},
        r"row 2, column 'when': expected a time like %d/%m/%Y",
    ),
    "short row": ("id,when,said,mood\n1,2026-10-19,a,\n2,2026-10-19\n", {}, r"corpus.csv, row 3, column 'said': the row has 2 columns only"),
    "open quote": ('id,when,said,mood\n1,2026-10-19,a,\n2,2026-10-19,"b,\n3,2026-10-19,c,\n', {}, r"corpus.csv, row 3, column unknown: .*quote"),
    "text after a quote": ('id,when,said,mood\n1,2026-10-19,"a" b,\n', {}, r"corpus.csv, row 2, column unknown: .*quote"),
    "not JSON": ('{"id": 1}\n{"id": \n', {"format": "jsonl"}, r"corpus.csv, row 2, column unknown: not JSON"),
    "no object": ("[1]\n", {"format": "jsonl"}, r"row 1.*expected a JSON object"),
    "not Parquet": ("id,when\n", {"format": "parquet"}, r"corpus.csv: the corpus is not Parquet"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_cannot_be_trusted_is_refused_with_its_place(tmp_path, fault):
    content, section, message = BROKEN[fault]
    path = write(tmp_path, "corpus.csv", content) if content is not None else tmp_path / "corpus.csv"
    with pytest.raises(CorpusError, match=message) as caught:
        replayed(tmp_path, path=path, **section)
    assert caught.value.exit_code == 1
    assert not list(tmp_path.rglob("part-0.parquet"))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"columns": {"created_at": "when", "text": "said", "autor": "by"}}, "'autor' is no column of a post; did you mean 'author'"),
        ({"columns": {"text": "said"}}, "'created_at' must be mapped"),
        ({"columns": {"created_at": "when"}}, "'text' must be mapped"),
        ({"encoding": "utf-9"}, "'utf-9' is no encoding"),
        ({"path": Path("corpus.xlsx")}, "names none of the formats"),
    ],
)
def test_a_section_that_cannot_be_right_is_refused(tmp_path, section, message):
    path = write(tmp_path, "corpus.csv", as_csv(ROWS))
    with pytest.raises(ParamsError, match=message):
        replayed(tmp_path, **{"path": path, **section})


def test_a_range_reads_the_corpus_once(tmp_path, monkeypatch):
    rows = [[str(number), f"2024-01-{1 + number % 28:02d}", "x" * 80, ""] for number in range(500)]
    path = write(tmp_path, "corpus.csv", as_csv([ROWS[0], *rows]))
    reads = []
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *how, **more: reads.append(self) or opened(self, *how, **more))
    assert len(replayed(tmp_path, parse_windows("2024-01-01..2024-01-31"), path=path)) == 500
    assert reads.count(path) == 1


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_where_a_file_is_cut_into_pieces_changes_nothing(tmp_path, monkeypatch, piece, encoding):
    rows = [
        ROWS[0],
        *([str(number), "2026-10-19", text, ""] for number, text in enumerate(['ärger "quoted"', "two\nlines\r\n", "一\u2028二 😀", ""])),
    ]
    texts = [row[2] for row in rows[1:]]
    records = "".join(json.dumps(dict(zip(rows[0], row, strict=True)), ensure_ascii=False) + "\n" for row in rows[1:])
    monkeypatch.setattr(corpus, "_PIECE", piece)
    for name, content in (("corpus.csv", as_csv(rows)), ("corpus.jsonl", records.removesuffix("\n"))):
        path = write(tmp_path, name, content, encoding)
        section = ReplayTopic(path=path, columns=COLUMNS, encoding=encoding)
        assert [row.get("said") for row in Corpus.open(path, section, required=section.required()).rows()] == texts


@pytest.mark.parametrize("piece", [1, 2, 5, 4096])
def test_a_wrong_byte_is_named_wherever_a_piece_ends(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(corpus, "_PIECE", piece)
    for content, place in (
        ("id,when,said,mood\n1,2026-10-19,ä,\n2,2026-10-19,".encode() + b"caf\xe9,\n", "row 3, column 'said': byte 0xe9"),
        ("id,when,said,mood\n1,2026-10-19,ä,\n2,2026-10-19,x,".encode() + b"\xc3", "row 3, column 'mood': byte 0xc3"),
        (b"id,when,sa\xffid,mood\n", r"row 1, column 2 \(from 0\): byte 0xff"),
    ):
        with pytest.raises(CorpusError, match=place):
            replayed(tmp_path, path=write(tmp_path, "corpus.csv", content))


def test_utf_16_without_its_mark_is_this_machines(tmp_path):
    path = write(tmp_path, "corpus.csv", as_csv(ROWS), f"utf-16-{'le' if sys.byteorder == 'little' else 'be'}")
    assert replayed(tmp_path, path=path, encoding="utf-16")[0]["text"] == "a lovely, long level"


def test_a_column_that_only_a_late_record_has_is_there_and_one_that_none_has_is_refused(tmp_path):
    records = [{"id": "1", "when": "2026-10-19", "said": "a"}, {"id": "2", "when": "2026-10-19", "said": "b", "mood": "good", "other": 1}]
    path = write(tmp_path, "corpus.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert [row["label"] for row in replayed(tmp_path, path=path)] == [None, "good"]
    with pytest.raises(CorpusError, match="no such column; did you mean 'mood'"):
        replayed(tmp_path, path=path, columns={**COLUMNS, "label": "moods"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl"])
def test_a_corpus_of_any_length_takes_the_same_memory(tmp_path, name):
    """300,000 rows, 50 MB: what is held is a piece of them, whatever the format."""
    path, said = tmp_path / name, "a long word about the game, " * 4
    with path.open("w", encoding="utf-8") as file:
        if name.endswith(".csv"):
            file.write(",".join(ROWS[0]) + "\n")
            file.writelines(f'{number},2026-10-19T00:00:00Z,"{said}{number}",good\n' for number in range(300_000))
        else:
            line = '{{"id": "{0}", "when": "2026-10-19", "said": "{1}{0}", "mood": "good"}}\n'
            file.writelines(line.format(number, said) for number in range(300_000))
    section = ReplayTopic(path=path, columns=COLUMNS)
    tracemalloc.start()
    try:
        count = sum(1 for _ in Corpus.open(path, section, required=section.required()).rows())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, peak < 12e6) == (300_000, True), f"{peak / 1e6:.0f} MB of a file of {path.stat().st_size / 1e6:.0f} MB"


@pytest.mark.shared
def test_the_real_stream_is_read_whole(tmp_path):
    stream = Path(__file__).parents[3] / "shared/data/tweets/tweets.csv"
    if not stream.exists():
        pytest.skip(f"{stream} is not there")
    with open(stream, encoding="utf-8", newline="") as file:
        due = sum(row["created_at"][:10] in ("2015-08-22", "2015-08-23", "2015-08-24") for row in csv.DictReader(file))
    columns = {"post_id": "post_id", "created_at": "created_at", "text": "text", "label": "label"}
    assert len(replayed(tmp_path, parse_windows("2015-08-22..2015-08-24"), path=stream, columns=columns)) == due > 900
