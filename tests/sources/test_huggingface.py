"""huggingface: the library itself, on folders and files, and what it can't open; the hub is never asked."""

import subprocess
import sys
from datetime import UTC, datetime

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell.collect import collect
from groundswell.errors import CorpusError, ParamsError, SourceError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic, load_params
from groundswell.sources.huggingface import HuggingFaceTopic
from groundswell.window import Window, parse_windows
from tests.simulated import settings_at

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = {"post_id": "id", "created_at": "when", "text": "said", "label": "mood"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def alone(tmp_path_factory, monkeypatch):
    """No hub, and a cache that is empty: what the library leaves behind can be seen."""
    home = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home)
    datasets.disable_progress_bars()
    return home


def rows_of(home, windows=(DAY,), **section):
    settings = settings_at("http://platform.test", home)
    topic = Topic(huggingface=HuggingFaceTopic(**{"columns": COLUMNS, **section}))
    collect("huggingface", "games", topic, list(windows), settings=settings, params=CollectParams(), now=NOW)
    lake = Lake(settings.lake)
    return [row for window in windows for row in lake.read(lake.partition("raw", "huggingface", "games", window)).to_pylist()]


@pytest.fixture
def data():
    rows = {
        "id": ["1", "2", "3"],
        "when": ["2026-10-19T10:00:00Z", "2026-10-19T11:00:00+02:00", "2026-10-20"],
        "said": ["a lovely level", "no", "later"],
        "mood": [1, -1, 0],
        "handle": ["brisk_heron"] * 3,
    }
    return datasets.Dataset.from_dict(rows).cast_column("mood", datasets.ClassLabel(names=["bad", "good"]))


def as_parquet(data, folder):
    folder.mkdir()
    data.to_parquet(str(folder / "train.parquet"))
    return folder


def as_saved(data, folder):
    data.save_to_disk(str(folder))
    return folder


def as_saved_with_splits(data, folder):
    datasets.DatasetDict(train=data, test=data.select([0])).save_to_disk(str(folder))
    return folder


@pytest.mark.parametrize("write", [as_parquet, as_saved, as_saved_with_splits])
def test_a_class_label_is_its_word(data, tmp_path, write):
    found = rows_of(tmp_path, path=write(data, tmp_path / "data"))
    assert [(row["post_id"], row["label"], row["label_provenance"]) for row in found] == [("2", None, None), ("1", "good", "dataset")]
    assert "heron" not in str(found)


def test_a_file_is_a_data_set_too(data, tmp_path):
    data = data.cast_column("mood", datasets.Value("string"))
    data.to_parquet(str(tmp_path / "corpus.parquet"))
    data.to_csv(str(tmp_path / "corpus.csv"))
    data.to_csv(str(tmp_path / "corpus.tsv"), sep="\t")
    data.to_json(str(tmp_path / "corpus.jsonl"))
    first, *others = [
        [{**row, "raw": None} for row in rows_of(tmp_path / kind, path=tmp_path / f"corpus.{kind}")] for kind in ("parquet", "csv", "tsv", "jsonl")
    ]
    assert [row["text"] for row in first] == ["no", "a lovely level"]
    assert all(other == first for other in others)


def test_splits_are_chosen_by_name(data, tmp_path):
    folder = as_saved_with_splits(data, tmp_path / "data")
    assert [row["post_id"] for row in rows_of(tmp_path / "a", path=folder, split="test")] == ["1"]
    with pytest.raises(CorpusError, match="expected a split 'tset', found train, test"):
        rows_of(tmp_path / "b", path=folder, split="tset")


def test_a_relative_path_is_the_projects_and_a_range_is_read_once(data, tmp_path):
    as_parquet(data, tmp_path / "data")
    assert len(rows_of(tmp_path, windows=parse_windows("2026-10-18..2026-10-20"), path="data")) == 3


def test_no_row_is_left_in_a_cache(data, tmp_path, alone):
    rows_of(tmp_path, path=as_parquet(data, tmp_path / "data"))
    kept = [file for place in (alone, tmp_path / "cache") for file in place.rglob("*") if file.is_file()]
    assert not [file for file in kept if b"lovely" in file.read_bytes() or file.suffix == ".arrow"]


def broken(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "content", "section", "message"),
    [
        ("none.csv", None, {}, "expected a folder or a file, found nothing"),
        ("data.xlsx", "x", {}, r"expected a name that ends in .csv, .tsv"),
        ("data.jsonl", '{"id": ', {}, "can't be opened as a data set|row 1: can't be read"),
        ("data.jsonl", "", {}, "can't be opened as a data set: StopIteration"),
        (
            "data.csv",
            "id,when,sayd,mood\n1,2026-10-19,a,b\n",
            {},
            "row 1, column 'said': the corpus has no such column; did you mean 'sayd'.*huggingface.columns",
        ),
        ("data.csv", "id,when,said,mood\n1,soon,a,b\n", {}, r"data.csv \(train\), row 1, column 'when': expected a time.*huggingface.time_format"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, content, section, message):
    path = broken(tmp_path, name, content) if content is not None else tmp_path / name
    with pytest.raises(CorpusError, match=message):
        rows_of(tmp_path, path=path, **section)
    assert not list(tmp_path.rglob("part-0.parquet"))


def test_what_the_library_says_of_a_damaged_row_is_not_repeated(tmp_path):
    line = '{"id": "1", "when": "2026-10-19", "said": "fine", "mood": "b"}\n'
    path = broken(tmp_path, "data.jsonl", line * 9 + line.replace('"fine"', '"secret') + line)
    with pytest.raises(CorpusError, match="data.jsonl") as caught:
        rows_of(tmp_path, path=path)
    assert "secret" not in str(caught.value)


def test_a_configuration_that_does_not_exist_is_told(data, tmp_path):
    with pytest.raises(CorpusError, match="can't be opened as a data set: BuilderConfig 'x' not found"):
        rows_of(tmp_path, path=as_parquet(data, tmp_path / "data"), config="x")


def test_a_damaged_page_is_refused_with_its_row(tmp_path):
    path, count = tmp_path / "data.parquet", 4096
    rows = {
        "id": [str(n) for n in range(count)],
        "when": ["2026-10-19"] * count,
        "said": [f"text {n * 7919}" for n in range(count)],
        "mood": ["b"] * count,
    }
    pq.write_table(pa.table(rows), path, row_group_size=1024, compression="zstd", use_dictionary=False)
    said = pq.read_metadata(path).row_group(2).column(2)
    content = bytearray(path.read_bytes())
    content[said.data_page_offset + 20 : said.data_page_offset + said.total_compressed_size] = b"\x00" * (said.total_compressed_size - 20)
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"data.parquet, row \d+: can't be read here or soon after"):
        rows_of(tmp_path, path=path)


def test_a_hub_out_of_reach_is_no_fault_of_the_data(tmp_path):
    with pytest.raises(SourceError, match=r"owner/name: the hub can't be reached .*OfflineModeIsEnabled.*HF_HUB_OFFLINE"):
        rows_of(tmp_path, dataset="owner/name", revision=COMMIT)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("dataset: owner/name", "expected revision with a commit's 40 hex digits"),
        ("{dataset: owner/name, revision: main}", "a branch or a tag moves"),
        ("split: test", "either dataset .* or path"),
        ("{dataset: owner/name, path: data}", "either dataset .* or path"),
        (f"{{path: data, revision: {COMMIT}}}", "a path has none"),
    ],
)
def test_a_data_set_is_pinned(tmp_path, section, message):
    section = section if section.startswith("{") else "{" + section + "}"
    (tmp_path / "params.yaml").write_text(f"topic: t\ntopics: {{t: {{huggingface: {section}}}}}")
    with pytest.raises(ParamsError, match=rf"topics.t.huggingface: .*{message}"):
        load_params(settings_at("http://platform.test", tmp_path))


def test_params_that_name_them_import_no_library():
    """Naming a source imports its module: the command line must stay quick, so the libraries wait until they read."""
    code = "import sys; from groundswell.sources import source_named as s; s('huggingface'), s('kaggle'), s('rss'); "
    code += "print([name for name in ('datasets', 'kagglehub', 'feedparser', 'torch', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
