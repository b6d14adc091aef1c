"""prepare gives a data set that nobody can cheat with: the same bytes from the same lake, and a count for every row left out."""

import hashlib
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as checks
from hypothesis import strategies as st

from groundswell import prepare as module
from groundswell.errors import DatasetError
from groundswell.lake import Lake
from groundswell.params import PrepareParams
from groundswell.prepare import prepare
from groundswell.rows import digest
from groundswell.schema import ANNOTATION, EXAMPLE, LABELS, POST
from groundswell.settings import Settings
from groundswell.text import normalise, skeleton
from groundswell.window import Window

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 10, 19, tzinfo=UTC)
WORDS = [
    "harbour",
    "lantern",
    "quiet",
    "river",
    "copper",
    "sudden",
    "meadow",
    "engine",
    "violet",
    "marble",
    "thunder",
    "gentle",
    "orchard",
    "signal",
    "winter",
    "pepper",
    "canvas",
    "hollow",
]
PARAMS = PrepareParams(min_rows_per_class=1, validation_share=0.2, test_share=0.3)
SPLITS = ("train", "validation", "test")


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) + str(rng.randrange(100)) for _ in range(8))


def post(number: int, day: int, text: str, label: str | None = "neutral", provenance: str | None = "human", **more) -> dict:
    created = FIRST + timedelta(days=day, minutes=number % 1000)
    given = {"source": "replay", "topic": "games", "post_id": str(number), "created_at": created, "text": text, "lang": "en"}
    return {**given, "label": label, "label_provenance": provenance if label else None, "connector_version": "1", **more}


def usual(days: int = 10, per_day: int = 12, seed: int = 1) -> list[dict]:
    rng = random.Random(seed)
    return [post(day * 1000 + place, day, sentence(rng), LABELS[place % 3]) for day in range(days) for place in range(per_day)]


def store(home: Path, posts: list[dict], annotations: list[dict] = ()) -> Settings:
    settings = Settings(project=home, home=Path("var"))
    lake = Lake(settings.lake)
    for layer, rows, schema in (("valid", posts, POST), ("labels", annotations, ANNOTATION)):
        parts: dict[tuple, list[dict]] = {}
        for row in rows:
            moment = row.get("created_at") or row["labelled_at"]
            parts.setdefault((row["source"], Window.of(moment)), []).append(row)
        for (source, window), mine in parts.items():
            table = pa.Table.from_pylist(mine, schema=schema)
            lake.write(lake.partition(layer, source, "games", window), table, {"window": window.key, "status": "complete"})
    return settings


def run(home: Path, posts: list[dict], annotations: list[dict] = (), **changes) -> tuple[dict, dict[str, list[dict]]]:
    settings = store(home, posts, annotations)
    report = prepare("games", settings=settings, params=PARAMS.model_copy(update=changes))
    folder = settings.dataset("games")
    return report, {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in SPLITS}


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_data_set_and_its_report(tmp_path):
    report, splits = run(tmp_path, usual())
    assert report["rows"] == {"train": 60, "validation": 24, "test": 36}
    assert report["splits"]["test"]["labels"] == {"negative": 12, "neutral": 12, "positive": 12}
    assert [row["created_at"] for row in splits["train"]] == sorted(row["created_at"] for row in splits["train"])
    assert max(row["created_at"] for row in splits["train"]) < min(row["created_at"] for row in splits["validation"])
    assert max(row["created_at"] for row in splits["validation"]) < min(row["created_at"] for row in splits["test"])
    assert splits["train"][0]["row_id"] == "replay/games/0"
    folder = tmp_path / "var" / "dataset" / "games"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["windows"][0] == "2026-10-19" and len(manifest["partitions"]) == 10
    assert manifest["partitions"]["replay/games/2026-10-19"]["rows"] == 12
    assert manifest["sources"] == {"replay": 120}
    assert manifest["splits"]["test"]["digest"] == digest(pq.read_table(folder / "test.parquet"))
    assert json.loads((tmp_path / "var/reports/prepare/games.json").read_text()) == report
    assert str(tmp_path) not in "".join(path.read_text() for path in folder.glob("*.json")), "no absolute path"
    json.dumps(report)


def test_same_lake_same_bytes_whatever_the_order_of_rows(tmp_path):
    posts = usual() + [post(90_100 + day, day, "the very same words on every day", "positive") for day in range(10)]
    one, other = tmp_path / "one", tmp_path / "other"
    run(one, posts)
    before = hashes(one / "var" / "dataset")
    run(one, posts)
    assert hashes(one / "var" / "dataset") == before
    run(other, posts[::-1])
    after = hashes(other / "var" / "dataset")
    manifest = "games/manifest.json"
    assert {name: value for name, value in after.items() if name != manifest} == {name: value for name, value in before.items() if name != manifest}
    described = [json.loads((home / "var/dataset" / manifest).read_text()) for home in (one, other)]
    assert {**described[0], "partitions": 0} == {**described[1], "partitions": 0}, "only the lake's own hashes differ: its rows lie in another order"


def test_hugging_face_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    report, _ = run(tmp_path, usual())
    files = {name: str(tmp_path / f"var/dataset/games/{name}.parquet") for name in SPLITS}
    read = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {name: len(read[name]) for name in SPLITS} == report["rows"]
    assert read["train"].column_names == EXAMPLE.names


def test_word_pieces_are_what_the_tokenizer_itself_gives(tmp_path):
    from tokenizers import Tokenizer

    from groundswell.encoder import packaged_file

    report, splits = run(tmp_path, [*usual(), post(77, 0, "long " * 60)], max_length=16)
    tokenizer = Tokenizer.from_file(str(packaged_file("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(16)
    for name in SPLITS:
        cache = pq.read_table(tmp_path / f"var/dataset/games/tokens/{name}.parquet").to_pylist()
        assert [row["row_id"] for row in cache] == [row["row_id"] for row in splits[name]]
        assert [row["input_ids"] for row in cache] == [tokenizer.encode(row["text"]).ids for row in splits[name]]
    assert next(row["tokens"] for row in splits["train"] if row["row_id"].endswith("/77")) == 62
    assert report["tokens"]["longest"] == 62 and report["tokens"]["rows_cut"] >= 1


def test_no_copy_and_no_author_on_two_sides_and_the_leak_is_told(tmp_path):
    rng = random.Random(3)
    copies = [post(50_100 + day, day, "Totally invented words that somebody posts again & again!", "positive") for day in range(10)]
    near = [post(60_100 + day, day, f"a long enough remark about the same old harbour and its lantern, part {day}") for day in range(10)]
    author = [post(70_100 + day, day, sentence(rng), author="ab" * 16) for day in range(10)]
    report, splits = run(tmp_path, usual() + copies + near + author)
    for key in (lambda row: skeleton(row["text"]), lambda row: row["group"]):
        held = [{key(row) for row in splits[name]} for name in SPLITS]
        assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert set(report["leaks"]["this_split"]["leaked"].values()) == {0}
    plain = report["leaks"]["random_split"]["leaked"]
    assert plain["exact"] >= 3 and plain["normalised"] >= plain["exact"] and plain["near"] > plain["normalised"] and plain["author"] >= 2
    lost = report["left_out_of_splits"]
    kin = pq.read_table(tmp_path / "var/dataset/games/kin.parquet").to_pylist()
    assert {row["row_id"] for row in kin if row["is_test"]} <= {row["row_id"] for row in splits["test"]}
    assert {row["row_id"] for row in kin if row["is_validation"]} <= {row["row_id"] for row in splits["validation"]}
    others = {row["row_id"] for row in kin if not row["is_test"] and not row["is_validation"]}
    assert others and not others & {row["row_id"] for rows in splits.values() for row in rows}, "what is akin to what judges is in no split"
    assert sum(lost["duplicates_in_two_periods"].values()) >= 10 and sum(lost["author_in_two_periods"].values()) >= 5
    assert sum(report["rows"].values()) + sum(sum(counts.values()) for counts in lost.values()) == 150
    assert json.loads((tmp_path / "var/dataset/games/leaks.json").read_text()) == report["leaks"]


def test_posts_without_a_label_change_no_row_but_the_data_set(tmp_path):
    """Training may read them (weak labels, further pretraining): by the manifest `dvc repro` knows that there are more."""
    run(tmp_path, usual())
    folder = tmp_path / "var/dataset/games"
    before = hashes(folder)
    store(tmp_path, [post(90_000 + number, 11, f"nobody has said what this is {number}", None) for number in range(3)])
    prepare("games", settings=Settings(project=tmp_path, home=Path("var")), params=PARAMS)
    after = hashes(folder)
    assert {name for name in after if after[name] != before[name]} == {"manifest.json"}


def test_groups_are_named_by_their_smallest_row(tmp_path):
    _, splits = run(tmp_path, [*usual(), post(300, 0, "so say we all today"), post(200, 0, "So say we all today!")])
    groups = {row["row_id"]: row["group"] for row in splits["train"]}
    assert groups["replay/games/300"] == groups["replay/games/200"] == "replay/games/200"
    assert groups["replay/games/0"] == "replay/games/0"


def test_only_people_and_data_sets_judge(tmp_path):
    rng = random.Random(4)
    native = [post(40_100 + day, day, sentence(rng), "positive", "native", source="steam") for day in range(10)]
    report, splits = run(tmp_path, usual() + native)
    assert {row["label_provenance"] for name in ("validation", "test") for row in splits[name]} == {"human"}
    assert Counter(row["label_provenance"] for row in splits["train"])["native"] == 5
    assert report["left_out_of_splits"] == {"may_not_judge": {"validation": 2, "test": 3}}
    report, splits = run(tmp_path, usual() + native, train_provenances=["human"])
    assert report["dropped"]["unused_provenance"] == 10


def note(number: int, day: int, label: str, provenance: str = "human") -> dict:
    moment = FIRST + timedelta(days=day)
    return {"source": "replay", "topic": "games", "post_id": str(number), "label": label, "label_provenance": provenance, "labelled_at": moment}


def test_the_most_trusted_word_counts(tmp_path):
    posts = [
        *usual(),
        post(100, 0, "disputed by platform and people", "positive", "native"),
        post(101, 0, "labelled later on only", None),
        post(102, 0, "two people and no third one", None),
        post(103, 0, "nobody said anything here", None),
    ]
    notes = [note(100, 0, "negative"), note(101, 0, "Positive"), note(102, 0, "negative"), note(102, 0, "positive"), note(999, 0, "neutral")]
    report, splits = run(tmp_path, posts, notes)
    labels = {row["post_id"]: (LABELS[row["label"]], row["label_provenance"]) for row in splits["train"]}
    assert labels["100"] == ("negative", "human") and labels["101"] == ("positive", "human")
    assert "102" not in labels and "103" not in labels
    assert report["disputes"]["posts_with_two_labels"] == 2
    assert (report["dropped"]["undecided_post"], report["dropped"]["unlabelled"], report["dropped"]["annotation_without_post"]) == (1, 1, 1)
    manifest = json.loads((tmp_path / "var/dataset/games/manifest.json").read_text())
    assert manifest["partitions"]["labels/replay/games/2026-10-19"]["rows"] == 5


def test_rows_with_the_same_text_agree_or_go(tmp_path):
    said = [("negative", "dataset")] * 3 + [("positive", "human")] + [("positive", "dataset")]
    clear = [post(100 + place, 0, "the same words here", label, provenance) for place, (label, provenance) in enumerate(said)]
    tied = [post(200 + place, 0, "a draw between two", label) for place, label in enumerate(("negative", "positive"))]
    report, splits = run(tmp_path, usual() + clear + tied)
    kept = [row for row in splits["train"] if row["text"] in ("the same words here", "a draw between two")]
    assert [(row["post_id"], row["label"]) for row in kept] == [("103", 2), ("104", 2)]
    assert report["dropped"]["outvoted_text"] == 5 and report["disputes"]["texts_with_two_labels"] == 2


def test_label_words_are_mapped_or_named(tmp_path):
    posts = [*usual(), post(100, 0, "is it about the game", " Irrelevant "), post(101, 0, "about nothing else", "IRRELEVANT")]
    with pytest.raises(DatasetError, match=r"'IRRELEVANT' on 1 rows.*label_map"):
        run(tmp_path, posts)
    assert not (tmp_path / "var" / "dataset" / "games").exists()
    _, splits = run(tmp_path, posts, label_map={"irrelevant": "neutral"})
    assert {row["label"] for row in splits["train"] if row["post_id"] in ("100", "101")} == {LABELS.index("neutral")}
    with pytest.raises(DatasetError, match="'postive' on 1 rows; did you mean 'positive'"):
        run(tmp_path, [*posts, post(102, 0, "a slip of the pen", "postive")], label_map={"irrelevant": "neutral"})


def test_too_little_is_refused_with_the_numbers(tmp_path):
    with pytest.raises(DatasetError, match="no valid posts"):
        run(tmp_path / "a", [])
    with pytest.raises(DatasetError, match="one class only"):
        run(tmp_path / "b", [{**row, "label": "neutral"} for row in usual()])
    with pytest.raises(
        DatasetError, match=r"min_rows_per_class = 30 .*train: 20 negative, 20 neutral, 20 positive; validation: 8 .*collect or label more"
    ):
        run(tmp_path / "c", usual(), min_rows_per_class=30)
    with pytest.raises(DatasetError, match="needs 3"):
        run(tmp_path / "d", usual(days=2))
    with pytest.raises(DatasetError, match="'crowd' on 1 rows"):
        run(tmp_path / "e", [*usual(), post(100, 0, "who said so", "neutral", "crowd")])


def test_languages(tmp_path):
    spoken = [
        post(100, 0, "ce jeu est vraiment magnifique et je le recommande à tout le monde", lang=None),
        post(101, 0, "said to be English", lang="en-GB"),
        post(102, 0, "👍👍", lang=None),
    ]
    report, splits = run(tmp_path, usual() + spoken)
    assert {row["post_id"]: row["lang"] for row in splits["train"] if row["post_id"] in ("100", "101", "102")} == {
        "100": "fr",
        "101": "en-GB",
        "102": "und",
    }
    report, splits = run(tmp_path, usual() + spoken, languages=["en"])
    assert report["dropped"]["other_language"] == 2
    assert "101" in {row["post_id"] for row in splits["train"]}


def test_an_edited_post_counts_once_in_its_latest_form(tmp_path):
    edited = post(100, 3, "second thoughts about it", "negative", created_at=FIRST + timedelta(days=3), edited_at=FIRST + timedelta(days=3))
    report, splits = run(tmp_path, [*usual(), post(100, 0, "first thoughts about it", "positive"), edited])
    assert [(row["text"], row["label"]) for row in splits["train"] if row["post_id"] == "100"] == [("second thoughts about it", 0)]
    assert report["dropped"]["repeated_post"] == 1


NASTY = [
    "\x00",
    "",
    None,
    "   ",
    "<b></b>",
    "\x00lead and trail\x00",
    "word " * 20_000,
    "אני אוהב את זה מאוד",
    "😀",
    "👨‍👩‍👧",
    "a" * 100_000,
    "&amp;" * 20_000,
    "@" * 50,
]


def test_nasty_texts_come_through_or_are_counted(tmp_path):
    report, splits = run(tmp_path, usual() + [post(100 + place, 0, text) for place, text in enumerate(NASTY)])
    kept = {row["post_id"]: row["text"] for row in splits["train"]}
    assert report["dropped"]["empty_text"] == 5
    assert kept["105"] == "lead and trail" and kept["108"] == "😀" and len(kept["106"]) <= 10_000
    assert all(text == normalise(text) for text in kept.values())


def test_a_killed_run_leaves_the_old_data_set(tmp_path, monkeypatch):
    run(tmp_path, usual())
    folder = tmp_path / "var" / "dataset"
    before = hashes(folder)

    def write_and_die(value, path, write=module.write_json):
        write(value, path)
        if path.name == "leaks.json":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_json", write_and_die)
        run(tmp_path, usual(per_day=15, seed=2))
    assert hashes(folder) == before
    (folder / ".games.new" / "tokens").mkdir(parents=True)  # what a run that was killed outright leaves
    (folder / ".games.new" / "train.parquet").write_bytes(b"half")
    report, _ = run(tmp_path, usual(per_day=15, seed=2))
    assert report["rows"]["test"] == 45 and sorted(path.name for path in folder.iterdir()) == [".lock", "games"]


WILD = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["so it is", "So it is!", "so it was", "fine & well", "😀", "", "nobody ever said this before", "x" * 40, "x" * 41])
        | st.text(max_size=12),
        st.sampled_from([*LABELS, None]),
        st.sampled_from(["human", "dataset", "native", "weak"]),
        st.sampled_from([None, "a" * 32, "b" * 32]),
    ),
    max_size=40,
)


@checks(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wild=WILD)
def test_whatever_comes_in_no_rule_is_broken(wild, tmp_path_factory):
    rows = [post(500 + place, day, text, label, provenance, author=author) for place, (day, text, label, provenance, author) in enumerate(wild)]
    posts = usual(days=6, per_day=6) + [row for row in rows if row["text"].isascii() or row["text"].encode("utf-8", "ignore").decode() == row["text"]]
    report, splits = run(tmp_path_factory.mktemp("wild"), posts)
    author_of = {row["post_id"]: row["author"] for row in posts if row.get("author")}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert splits[one][-1]["created_at"] < splits[other][0]["created_at"]
        for key in (lambda row: row["group"], lambda row: skeleton(row["text"]), lambda row: author_of.get(row["post_id"], row["post_id"])):
            assert not {key(row) for row in splits[one]} & {key(row) for row in splits[other]}
    assert {row["label_provenance"] for name in ("validation", "test") for row in splits[name]} <= {"human", "dataset"}
    assert {row["label_provenance"] for row in splits["train"]} <= {"human", "dataset", "native"}
    gone = sum(report["dropped"].values()) + sum(sum(counts.values()) for counts in report["left_out_of_splits"].values())
    assert len(posts) == sum(report["rows"].values()) + gone


def test_of_too_many_labelled_posts_the_same_ones_are_taken_and_peoples_labels_first(tmp_path):
    native = [{**row, "post_id": f"n{row['post_id']}", "text": row["text"] + " again", "label_provenance": "native"} for row in usual(seed=2)]
    weak = [{**row, "post_id": f"w{row['post_id']}", "label_provenance": "weak"} for row in usual(seed=3)]
    silent = [{**row, "post_id": f"s{row['post_id']}", "label": None, "label_provenance": None} for row in usual(seed=4)]
    later = {**silent[0], "created_at": silent[0]["created_at"] + timedelta(days=1)}
    report, splits = run(tmp_path / "cut", [*usual(), *native, *weak, *silent, later], max_rows=150)
    assert (report["posts"], report["dropped"]["beyond_max_rows"]) == (480, 210)
    assert (report["dropped"]["unlabelled"], report["dropped"]["repeated_post"]) == (120, 1)
    taken = Counter(row["label_provenance"] for rows in splits.values() for row in rows)
    assert taken["human"] == 120 and set(taken) == {"human", "native"}
    again, rows = run(tmp_path / "again", [*weak, *native, later, *silent, *usual()], max_rows=150)
    assert rows == splits


def test_every_post_is_counted_once_whatever_becomes_of_it(tmp_path):
    edited = post(5, 3, "words that came later", None, edited_at=FIRST + timedelta(days=3))
    notes = [
        {"source": "replay", "topic": "games", "post_id": post_id, "label": "positive", "label_provenance": "human", "labelled_at": FIRST}
        for post_id in ("5", "700", "nobody's")
    ]
    report, splits = run(tmp_path, [*usual(), edited, post(700, 2, "a quiet river", None), post(701, 2, "copper", None)], notes)
    dropped = report["dropped"]
    assert (report["posts"], dropped["repeated_post"], dropped["unlabelled"], dropped["annotation_without_post"]) == (122, 1, 1, 1)
    rows = {row["post_id"]: row for rows in splits.values() for row in rows}
    assert rows["5"]["text"] == "words that came later" and rows["700"]["label"] == 2
