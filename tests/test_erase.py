"""erase: an author goes out of every byte under var/, and no backfill brings them back; killed in the middle, the next run finishes."""

import asyncio
import json
import random
import shutil
import threading
from datetime import UTC, datetime, timedelta

import httpx2
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from groundswell import prepare as module
from groundswell import tombstones
from groundswell.annotate import annotate
from groundswell.collect import collect
from groundswell.erase import erase
from groundswell.erasure import datasets
from groundswell.erasure.subjects import Subject
from groundswell.errors import ErasureError, UnknownName, UsageError, VersionError
from groundswell.examples import SPLITS, read_examples, read_manifest
from groundswell.files import alone_in
from groundswell.lake import Lake
from groundswell.params import AnnotateParams, CollectParams, PrepareParams, ScoreParams, Topic, TrainParams, ValidateParams
from groundswell.prepare import prepare
from groundswell.pseudonym import Pseudonyms
from groundswell.rows import digest
from groundswell.schema import LABELS
from groundswell.score import score
from groundswell.seal import seal
from groundswell.settings import Settings
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.tokens import encode
from groundswell.validate import validate
from groundswell.versions import directory_md5, versions_of
from groundswell.window import parse_windows
from serving.config import ServingSettings
from serving.feedback import FILE, Correction, Feedback, rows
from serving.prediction_ids import PredictionIds
from serving.secret import present_and_previous
from tests.dvc_project import example, make_project, put_dataset
from tests.tiny import WORDS, make_champion, shared_export, tiny_base
from tests.traces import traces

pytestmark = pytest.mark.slow

NATIVE = "planted_otter_77"
PHRASE = "the purple walrus keeps its umbrella in"
DAYS = parse_windows("2026-10-19..2026-10-26")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOPIC = Topic(hackernews=HackerNewsTopic(query="game"))
WHO = [Subject("author", "hackernews", NATIVE)]
PLACES = ("a drawer", "the attic", "a teapot", "the garden", "a bus", "the fridge", "a hat", "a piano")


def planted(day):
    return f"{PHRASE} {PLACES[day % len(PLACES)]}, wonderful, and so number {day} says"


def hits(window):
    """A day of invented posts: three of the author to be erased (one too long to be valid), an answer that quotes one, and others'."""
    chance, day = random.Random(window.key), window.start.toordinal()
    posts = [(NATIVE, planted(day)), (NATIVE, f"{PHRASE} {'very ' * 60}long list of {day}"), (NATIVE, f"{PHRASE} awful places, hated by {day}")]
    for number in range(12):
        word = WORDS[LABELS[number % 3]]
        posts.append((f"heron_{chance.randrange(10**6)}", f"the {chance.choice(['map', 'patch'])} {' '.join(chance.sample(word, 3))} {number} {day}"))
    for number, (author, text) in enumerate(posts):
        yield {
            "objectID": str(41_000_000 + day * 100 + number),
            "author": author,
            "comment_text": text,
            "created_at_i": int(window.start.timestamp()) + 3600 * number,
            "_tags": ["comment", f"author_{author}"],
            "_highlightResult": {"author": {"value": author}},
        }


def platform(request):
    start = int(request.url.params["numericFilters"].split(">=")[1].split(",")[0])
    window = next(window for window in DAYS if int(window.start.timestamp()) == start)
    found = list(hits(window))
    return httpx2.Response(200, json={"hits": found, "nbHits": len(found), "nbPages": 1, "page": 0, "hitsPerPage": 1000, "exhaustiveNbHits": True})


def annotator(request):
    """Everybody's label, by a rule: the same post, the same label."""
    asked = json.loads(request.content)["posts"]
    given = [{**post, "label": LABELS[int(post["post_id"]) % 3], "labelled_at": "2026-11-01T00:00:00+00:00", "annotator": "a"} for post in asked]
    return httpx2.Response(200, json={"annotations": given})


def backfilled(settings):
    transport = httpx2.MockTransport(platform)
    params = CollectParams()
    reports = collect("hackernews", "games", TOPIC, DAYS, settings=settings, params=params, now=NOW, transport=transport)
    annotate("games", DAYS, settings=settings, params=AnnotateParams(share=1), transport=httpx2.MockTransport(annotator))
    validate("games", ["hackernews"], DAYS, settings=settings, params=ValidateParams(max_text_characters=200, max_quarantined_share=0.5))
    return reports


def scored(settings, registry):
    """The champion's answers to what is valid now; ``registry``: another home, for with one in this home an erasure asks it."""
    asked = settings.model_copy(update={"mlflow_uri": registry.tracking_uri})
    return score("games", ["hackernews"], DAYS, settings=asked, params=ScoreParams())


def prepared(settings):
    return prepare("games", settings=settings, params=PrepareParams(min_rows_per_class=1))


def corrected(settings):
    """Somebody corrected predictions of the planted texts: with the text and, of another, without."""
    serving = ServingSettings(topic="games", project=settings.project, home=settings.home)
    ids = PredictionIds("games", *present_and_previous(serving))
    feedback = Feedback(serving.folder)
    day = DAYS[0].start.toordinal()
    for number, (text, is_kept) in enumerate([(planted(day), True), (planted(day + 1), False), ("somebody else's words", True)]):
        [text_hash] = ids.hashes(text)
        word = Correction(
            "2026-11-01", "alice", f"id{number}", "2026-11-01", "1", "0" * 8, "neutral", "positive", text_hash, text if is_kept else None
        )
        asyncio.run(feedback.keep(word))
    feedback.close()
    return serving.folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Settings of a home with a champion, and nothing else."""
    elsewhere = Settings(project=tmp_path_factory.mktemp("registry"))
    make_champion(elsewhere, shared_export())
    return elsewhere


@pytest.fixture(scope="module")
def made(tmp_path_factory, registry):
    """A home where the planted author is everywhere: all layers, a sealed data set, an older sealed version, corrections, a report."""
    settings = make_project(tmp_path_factory.mktemp("erase") / "project")
    settings = settings.model_copy(update={"pseudonym_key": SecretStr("a-key-that-only-the-tests-know"), "annotator_url": "http://annotator.test"})
    backfilled(settings)
    scored(settings, registry)
    prepared(settings)
    seal("games", settings=settings)
    lake = Lake(settings.lake)
    older = lake.partition("valid", "hackernews", "games", DAYS[0])
    lake.rewrite(older, lambda table: table.slice(1), reason="a revision: its first row is in the older version only")
    prepared(settings)
    seal("games", settings=settings)
    corrected(settings)
    settings.report("evaluate", "games").parent.mkdir(parents=True, exist_ok=True)
    killed = lake.storage.root / older.name.replace("part-0.parquet", ".part-0.parquet.4194305")
    killed.write_text(f"half a file of a process that is gone: {PHRASE}")
    settings.report("evaluate", "games").write_text(json.dumps({"example": planted(DAYS[0].start.toordinal())}))
    return settings


@pytest.fixture
def settings(made, tmp_path):
    """A copy of it, for each test its own."""
    shutil.copytree(made.project, tmp_path / "project")
    return made.model_copy(update={"project": tmp_path / "project"})


def everywhere(settings):
    return traces(settings.root, [PHRASE, NATIVE])


def keys_of_theirs(settings):
    """What a row without a text says of them: the author's pseudonym and the ids of their posts."""
    own = [hit["objectID"] for day in DAYS for hit in hits(day) if hit["author"] == NATIVE]
    return [Pseudonyms(settings.pseudonym_key.get_secret_value().encode(), "hackernews").of(NATIVE), *own]


def erased(settings, subjects=WHO, **options):
    return erase(subjects, settings=settings, now=NOW, seal=lambda topic: seal(topic, settings=settings), **options)


@pytest.mark.slow
def test_every_byte_is_clean_and_a_backfill_brings_nothing_back(settings, registry):
    before, keys = everywhere(settings), keys_of_theirs(settings)
    assert {path.split("/")[0] for path in traces(settings.root / "lake", keys)} == {"raw", "valid", "quarantine", "labels", "scored"}
    places = {path.split("/")[1] if path.startswith("lake/") else path.split("/")[0] for path in before}
    assert {"raw", "valid", "quarantine", "dataset", "dvc-cache", "dvc-remote", "serving", "reports"} <= places, "planted where it must be found"
    receipt = erased(settings)
    assert everywhere(settings) == {} == traces(settings.root / "lake", keys)
    assert receipt["stores"]["lake"]["rows_removed"] == {"raw": 24, "valid": 15, "quarantine": 8, "labels": 24, "scored": 16}
    assert sum(receipt["stores"]["datasets"]["games"]["rows_removed"].values()) > 5
    assert receipt["stores"]["versions"]["objects_removed"] > 8
    assert receipt["stores"]["serving"] == {"games": {"caches": "forgotten", "corrections": 2}}
    assert receipt["stores"]["files"]["removed"] == [
        "reports/evaluate/games.json",
        f"lake/valid/source=hackernews/topic=games/date={DAYS[0].key}/.part-0.parquet.4194305",
    ]
    assert [one["dataset_md5"] for one in receipt["stores"]["sealed_again"]] == [directory_md5(settings.dataset("games"))]
    reports = backfilled(settings)
    assert reports["dropped"] == {"erased": 24}
    assert scored(settings, registry)["rows"] > 0
    prepared(settings)
    seal("games", settings=settings)
    assert everywhere(settings) == {} == traces(settings.root / "lake", keys)


def test_whose_rows_were_made_with_an_older_key_is_found_in_every_byte_too(settings):
    rotated = settings.model_copy(update={"pseudonym_key": SecretStr("a-newer-key-of-the-tests"), "pseudonym_keys_before": settings.pseudonym_key})
    receipt = erased(rotated)
    assert everywhere(rotated) == {} == traces(rotated.root / "lake", keys_of_theirs(settings))
    assert receipt["stores"]["files"]["looked_for"] > 8 and receipt["stores"]["serving"] == {"games": {"caches": "forgotten", "corrections": 2}}
    assert backfilled(rotated)["dropped"] == {"erased": 24} and everywhere(rotated) == {}


def test_the_receipt_names_nobody_and_is_kept(settings):
    receipt = erased(settings)
    kept = settings.root / "rights" / "receipts" / f"{receipt['receipt']}.json"
    assert json.loads(kept.read_text()) == receipt
    assert receipt["state"] == "done" and receipt["authors"] == 1
    assert NATIVE not in kept.read_text() and PHRASE not in kept.read_text()


def test_a_dry_run_counts_and_changes_nothing(settings):
    before = {path: path.read_bytes() for path in settings.root.rglob("*") if path.is_file() and "dvc" not in path.parts}
    report = erased(settings, dry_run=True)
    assert report["found"]["rows"] == {"raw": 24, "valid": 15, "quarantine": 8, "labels": 24, "scored": 16}
    assert report["found"]["posts"] == 24
    assert {path: path.read_bytes() for path in settings.root.rglob("*") if path.is_file() and "dvc" not in path.parts} == before


@pytest.mark.slow
def test_a_second_time_there_is_nothing_to_do(settings):
    erased(settings)
    before = {path: path.read_bytes() for path in settings.root.rglob("*.parquet")}
    again = erased(settings)
    assert again["stores"]["lake"]["partitions_rewritten"] == 0
    assert again["stores"]["versions"]["objects_removed"] == 0
    assert again["stores"]["tombstones"]["added"] == 0
    assert {path: path.read_bytes() for path in settings.root.rglob("*.parquet")} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "is_buried"),
    [("serving.forget", False), ("sweep", False), ("layers.clean", True), ("datasets.clean", True), ("objects.holding", True), ("_Job._left", True)],
)
def test_killed_in_any_store_nothing_comes_back_and_the_next_run_finishes(settings, monkeypatch, step, is_buried):
    class Killed(BaseException):
        pass

    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"groundswell.erase.{step}", die)
        with pytest.raises(Killed):
            erased(settings)
    assert backfilled(settings)["dropped"] == ({"erased": 24} if is_buried else {})
    receipt = erased(settings)
    assert receipt["state"] == "done"
    assert everywhere(settings) == {}
    states = {path.stem: json.loads(path.read_text())["state"] for path in (settings.root / "rights" / "receipts").glob("*.json")}
    assert set(states.values()) <= {"done", "finished by another run"}


def test_one_post_goes_and_the_authors_others_stay(settings):
    post = next(hits(DAYS[2]))
    receipt = erased(settings, [Subject("post", "hackernews", post["objectID"])])
    assert receipt["stores"]["lake"]["rows_removed"] == {"raw": 1, "valid": 1, "quarantine": 0, "labels": 1, "scored": 1}
    assert traces(settings.root, [post["comment_text"]]) == {}
    assert traces(settings.root, [planted(DAYS[3].start.toordinal())])


def test_the_data_set_stays_whole_and_says_what_is_in_it(settings):
    before = {split: read_examples(settings.dataset("games"), split).table for split in SPLITS}
    erased(settings)
    folder, manifest, lake = settings.dataset("games"), read_manifest(settings.dataset("games")), Lake(settings.lake)
    for split in SPLITS:
        after = read_examples(folder, split).table
        others = [row_id for row_id, text in zip(*before[split].select(["row_id", "text"]).to_pydict().values(), strict=True) if PHRASE not in text]
        assert after["row_id"].to_pylist() == others, "those that stay stay where they were, in their order"
        assert (manifest["splits"][split]["rows"], manifest["splits"][split]["digest"]) == (after.num_rows, digest(after))
        tokens = datasets._read(folder / "tokens" / f"{split}.parquet")
        assert tokens["row_id"].to_pylist() == others
        assert tokens["input_ids"].to_pylist() == encode(after["text"].to_pylist())
        assert set(after["group"].to_pylist()) <= {row_id for each in SPLITS for row_id in read_examples(folder, each).table["row_id"].to_pylist()}
    now = {**lake.manifest(lake.partitions("valid")), **{f"labels/{key}": value for key, value in lake.manifest(lake.partitions("labels")).items()}}
    assert manifest["partitions"] == now, "sealed as what it was made of"


@pytest.mark.slow
def test_an_old_version_is_gone_and_says_so(settings):
    md5 = directory_md5(settings.dataset("games"))
    erased(settings)
    with pytest.raises(VersionError, match="neither in the DVC remote"), versions_of(settings) as versions:
        versions.restore(md5, settings.project / "elsewhere")


def test_the_lake_says_that_rows_were_erased(settings):
    erased(settings)
    lake = Lake(settings.lake)
    last = {(line["layer"], line["key"]): line for line in lake.revisions()}
    assert last["raw", f"hackernews/games/{DAYS[0].key}"]["reason"] == "erased"


@pytest.mark.slow
def test_a_trace_in_a_file_of_somebody_is_named_and_left(settings):
    notes = settings.root / "notes.txt"
    notes.write_text(f"I liked this: {planted(DAYS[0].start.toordinal())}")
    with pytest.raises(ErasureError, match=r"1 files under var still hold traces, notes.txt for one"):
        erased(settings)
    assert set(everywhere(settings)) == {"notes.txt"}
    notes.unlink()
    assert erased(settings)["state"] == "done"


@pytest.mark.parametrize(
    ("subjects", "error", "message"),
    [([], UsageError, "one at least"), ([Subject("author", "hackernws", "x")], UnknownName, "did you mean 'hackernews'")],
)
def test_a_wrong_use_changes_nothing(settings, subjects, error, message):
    with pytest.raises(error, match=message):
        erased(settings, subjects)
    assert not (settings.root / "rights").exists()


def test_who_is_meant_is_read_from_one_word_and_never_repeated():
    assert Subject.parse("author", "bluesky:did:plc:abc") == Subject("author", "bluesky", "did:plc:abc")
    with pytest.raises(UsageError) as caught:
        Subject.parse("author", "somebody")
    assert "somebody" not in str(caught.value)


def test_where_nothing_was_ever_collected_there_is_a_tombstone(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False).model_copy(update={"pseudonym_key": SecretStr("k" * 20)})
    receipt = erase(WHO, settings=settings, now=NOW, seal=lambda topic: {})
    assert receipt["stores"]["tombstones"] == {"added": 1} and receipt["state"] == "done"


@pytest.mark.slow
def test_a_data_set_that_was_being_made_is_cleaned_when_it_is_there(settings, monkeypatch):
    write = module._write

    def erased_meanwhile(*arguments):
        monkeypatch.setattr(module, "_write", write)
        erased(settings)
        write(*arguments)

    monkeypatch.setattr(module, "_write", erased_meanwhile)
    prepared(settings)
    assert [path for path in everywhere(settings) if path.startswith("dataset")] == []


def test_a_data_set_that_is_put_in_place_meanwhile_is_the_one_that_is_cleaned(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False).model_copy(update={"pseudonym_key": SecretStr("a-key-that-only-the-tests-know")})
    rows = [example(number, f"text {number}", number % 3) for number in range(8)]
    put_dataset(settings, {"train": rows[:3], "validation": rows[3:4], "test": rows[4:5]})
    tombstones.add(settings, "replay", post_ids=["0"])
    folder, stones, removed = settings.dataset("games"), tombstones.Tombstones(settings), []
    cleaning = threading.Thread(target=lambda: removed.append(datasets.clean(folder, {}, stones)))
    with alone_in(folder.parent):
        cleaning.start()
        cleaning.join(0.3)
        assert cleaning.is_alive(), "it waits for whoever replaces the folder"
        put_dataset(settings, {"train": rows[:7], "validation": rows[3:4], "test": rows[4:5]})
    cleaning.join()
    assert removed == [{"train": 1, "validation": 0, "test": 0}]
    assert pq.read_table(folder / "train.parquet")["post_id"].to_pylist() == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.slow
def test_an_encrypted_lake_and_its_versions_are_cleaned_as_well(made, registry, tmp_path):
    settings = make_project(tmp_path / "project").model_copy(
        update={"lake_key": str(tmp_path / "lake.keys"), "annotator_url": "http://annotator.test"}
    )
    settings = settings.model_copy(update={"pseudonym_key": made.pseudonym_key})
    (tmp_path / "lake.keys").write_text("0f" * 32)
    backfilled(settings)
    scored(settings, registry)
    prepared(settings)
    seal("games", settings=settings)
    receipt = erased(settings)
    assert receipt["stores"]["lake"]["rows_removed"] == {"raw": 24, "valid": 16, "quarantine": 8, "labels": 24, "scored": 16}
    assert receipt["stores"]["versions"]["objects_removed"] > 2 * len(DAYS), "valid and labels of every day, and the data set"
    assert everywhere(settings) == {}


@pytest.mark.slow
def test_models_that_were_trained_on_the_rows_are_listed_and_tagged(settings):
    from groundswell import registry
    from groundswell.train import train

    base = tiny_base(settings.project / "base")
    params = TrainParams(base=base, epochs=1, learning_rate=2e-2, threads=1, min_int8_agreement=0.3, min_fp32_agreement=0.9)
    train("games", settings=settings, params=params)
    receipt = erase(WHO, settings=settings, now=NOW + timedelta(hours=1), seal=lambda topic: seal(topic, settings=settings))
    [model] = receipt["stores"]["models"]["games"]
    assert (model["version"], model["aliases"], model["rows"]) == ("1", ["challenger"], "yes")
    assert registry.version_numbered(settings, "games", "1").tags["trained_on_erased_rows"] == receipt["receipt"]
    assert everywhere(settings) == {}
    assert (settings.root / "serving" / "games" / FILE).exists() and len(list(rows(settings.root / "serving" / "games" / FILE))) == 1
