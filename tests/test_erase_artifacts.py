"""erase in MLflow's artifacts behind a server, on object storage: what runs left goes, and what a model is made of is named."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import fsspec
import httpx2
import pytest

from groundswell import runs, tracking
from groundswell.collect import collect
from groundswell.erase import erase
from groundswell.erasure.subjects import Subject
from groundswell.errors import ErasureError, RegistryError
from groundswell.params import CollectParams, Topic
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.tombstones import Tombstones
from groundswell.window import Window
from tests.object_storage import new_place, object_storage
from tests.serving.servers import start_mlflow
from tests.simulated import settings_at
from tests.traces import traces

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NATIVE = "planted_otter_77"
TEXT = "the purple walrus keeps its umbrella in the piano, and so says an otter"
TOPIC = Topic(hackernews=HackerNewsTopic(query="game"))
WHO = [Subject("author", "hackernews", NATIVE)]


@pytest.fixture(scope="module")
def storage():
    with object_storage() as options:
        yield options


@pytest.fixture(scope="module")
def bucket(storage):
    """A folder of a bucket: its URL and file system."""
    place = new_place(storage)
    return place.url, fsspec.filesystem("s3", **storage)


@pytest.fixture(scope="module")
def server(storage, bucket, tmp_path_factory):
    secrets = {"AWS_ACCESS_KEY_ID": storage["key"], "AWS_SECRET_ACCESS_KEY": storage["secret"], "AWS_DEFAULT_REGION": "us-east-1"}
    running = start_mlflow(tmp_path_factory.mktemp("mlflow"), artifacts=bucket[0], MLFLOW_S3_ENDPOINT_URL=storage["endpoint_url"], **secrets).wait(
        180
    )
    yield running
    running.stop()


def platform(request):
    hits = [
        {"objectID": str(41_000_000 + number), "author": author, "comment_text": text, "created_at_i": int(DAY.start.timestamp()) + number}
        for number, (author, text) in enumerate([(NATIVE, TEXT), ("heron", "a fine patch, and the map is a joy")])
    ]
    hits = [{**hit, "_tags": ["comment", f"author_{hit['author']}"]} for hit in hits]
    return httpx2.Response(200, json={"hits": hits, "nbHits": 2, "nbPages": 1, "page": 0, "hitsPerPage": 1000, "exhaustiveNbHits": True})


@pytest.fixture
def topic(tmp_path):
    """A topic of the test's own: one server has them all."""
    return f"games-{tmp_path.name.rpartition('_')[2]}"


@pytest.fixture
def settings(server, topic, tmp_path):
    settings = settings_at("http://platform.test", tmp_path / "var").model_copy(update={"mlflow_uri": server.url})
    collect("hackernews", topic, TOPIC, [DAY], settings=settings, params=CollectParams(), now=NOW, transport=httpx2.MockTransport(platform))
    return settings


def erased(settings, now=NOW):
    return erase(WHO, settings=settings, now=now, seal=lambda topic: {})


def logged(settings, topic, tmp_path):
    """A run's artifacts: two that hold the text, one of them packed and deeper down, and two that do not."""
    with tracking.run(settings, topic, "a run", {}) as run_id:
        runs.log_text(settings, run_id, f"<p>{TEXT}</p>", "report/page.html")
        runs.log_text(settings, run_id, "a summary of numbers", "judge/summary.md")
        (tmp_path / "rows.json.gz").write_bytes(gzip.compress(json.dumps({"worst": [TEXT]}).encode()))
        (tmp_path / "model.onnx").write_bytes(b"weights")
        tracking.log_file(settings, run_id, tmp_path / "rows.json.gz", "evaluate/errors")
        tracking.log_file(settings, run_id, tmp_path / "model.onnx", "train")
    return run_id


def everything(bucket, topic):
    """Every object of the topic's in the bucket and what it holds, unpacked."""
    url, storage = bucket
    storage.invalidate_cache()
    folder = f"{url.removeprefix('s3://')}/groundswell-{topic}/"
    found = {path.removeprefix(folder): storage.cat_file(path) for path in storage.find(folder)}
    return {path: gzip.decompress(content) if path.endswith(".gz") else content for path, content in found.items()}


def test_what_runs_left_on_object_storage_goes_and_the_receipt_names_it(settings, bucket, topic, tmp_path):
    run_id = logged(settings, topic, tmp_path)
    holding = {path for path, content in everything(bucket, topic).items() if TEXT.encode() in content}
    assert holding == {f"{run_id}/artifacts/report/page.html", f"{run_id}/artifacts/evaluate/errors/rows.json.gz"}, "planted where it must be found"
    receipt = erased(settings)
    assert receipt["state"] == "done"
    assert receipt["stores"]["artifacts"] == {topic: {"looked_at": 3, "removed": sorted(holding), "left": []}}
    assert everything(bucket, topic).keys() == {f"{run_id}/artifacts/judge/summary.md", f"{run_id}/artifacts/train/model.onnx"}
    assert runs.read_text(settings, run_id, "judge/summary.md") == "a summary of numbers"
    assert erased(settings, NOW + timedelta(days=1))["stores"]["artifacts"] == {}, "nobody's rows are left to tell of a topic"


def test_a_file_that_a_model_is_made_of_is_left_to_a_person_and_named(settings, bucket, topic):
    url, storage = bucket
    tracking.ensure_experiment(settings, topic)
    path = "models/m-1/artifacts/export/words.csv"
    storage.pipe_file(f"{url}/groundswell-{topic}/{path}", TEXT.encode())
    with pytest.raises(ErasureError, match=rf"1 files under .* and in MLflow still hold traces, {topic}/{path} for one"):
        erased(settings)
    (kept,) = [json.loads(one.read_text()) for one in (settings.root / "rights" / "receipts").glob("*.json")]
    assert (kept["state"], kept["stores"]["artifacts"][topic]["left"]) == ("incomplete", [path])
    assert everything(bucket, topic) == {path: TEXT.encode()}


def test_a_server_that_is_down_stops_it_while_the_lake_has_the_texts_and_the_next_run_finishes(settings, bucket, topic, tmp_path, monkeypatch):
    logged(settings, topic, tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError):
        erased(settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"}))
    assert len(Tombstones(settings)) == 2, "the author and the post: nothing comes back meanwhile"
    receipt = erased(settings, NOW + timedelta(days=1))
    assert (receipt["state"], len(receipt["stores"]["artifacts"][topic]["removed"])) == ("done", 2)
    assert receipt["stores"]["lake"]["rows_removed"]["raw"] == 1
    assert not [path for path, content in everything(bucket, topic).items() if TEXT.encode() in content]


def test_what_runs_left_below_home_goes_likewise(tmp_path):
    settings = settings_at("http://platform.test", tmp_path / "var").model_copy(update={"mlflow_uri": ""})
    collect("hackernews", "games", TOPIC, [DAY], settings=settings, params=CollectParams(), now=NOW, transport=httpx2.MockTransport(platform))
    run_id = logged(settings, "games", tmp_path)
    assert len(traces(settings.root / "mlflow" / "artifacts", [TEXT])) == 2
    receipt = erased(settings)
    assert receipt["stores"]["artifacts"]["games"]["removed"] == [
        f"{run_id}/artifacts/{path}" for path in ("evaluate/errors/rows.json.gz", "report/page.html")
    ]
    assert (receipt["state"], traces(settings.root, [TEXT, NATIVE])) == ("done", {})
