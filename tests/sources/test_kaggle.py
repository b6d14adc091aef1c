"""kaggle: the library itself against a server of its wire, and folders; Kaggle is never asked."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kagglesdk import kaggle_env

from groundswell.collect import collect
from groundswell.errors import AccessRefused, CorpusError, ParamsError, SourceError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic, load_params
from groundswell.sources.kaggle import KaggleTopic
from groundswell.window import Window
from tests.simulated import settings_at

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = {"post_id": "id", "created_at": "when", "text": "said"}
CSV = b"id,when,said\n1,2026-10-19T10:00:00Z,a lovely level\n2,2026-10-20,later\n"
HANDLE = "owner/games-talk/versions/3"


class Kaggle:
    """Answers of Kaggle's download call: file name → content, or another status for all of them."""

    def __init__(self, files=(), status=200):
        self.files, self.status, self.asked = dict(files), status, []

    @contextmanager
    def served(self, monkeypatch):
        kaggle = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                kaggle.asked.append((self.path.rpartition("/")[2], asked))
                content = kaggle.files.get(asked["fileName"])
                self.send_response(kaggle.status if content is not None or kaggle.status != 200 else 404)
                self.send_header("content-length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.TEST, f"http://127.0.0.1:{server.server_port}")
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No credentials of this machine's, and its home unseen."""
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "none"))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)


def rows_of(home, **section):
    settings = settings_at("http://platform.test", home)
    topic = Topic(kaggle=KaggleTopic(**{"columns": COLUMNS, "file": "talk.csv", **section}))
    collect("kaggle", "games", topic, [DAY], settings=settings, params=CollectParams(), now=NOW)
    lake = Lake(settings.lake)
    return lake.read(lake.partition("raw", "kaggle", "games", DAY)).to_pylist()


def test_a_file_is_downloaded_once(tmp_path, monkeypatch):
    with Kaggle({"eu/talk.csv": CSV}).served(monkeypatch) as kaggle:
        first = rows_of(tmp_path, dataset=HANDLE, file="eu/talk.csv")
        assert rows_of(tmp_path, dataset=HANDLE, file="eu/talk.csv") == first
    assert [row["text"] for row in first] == ["a lovely level"]
    wanted = {"ownerSlug": "owner", "datasetSlug": "games-talk", "datasetVersionNumber": 3, "fileName": "eu/talk.csv"}
    assert kaggle.asked == [("DownloadDataset", wanted)]
    assert (tmp_path / "cache/kaggle" / HANDLE / "eu/talk.csv").read_bytes() == CSV


def test_another_version_is_another_file(tmp_path, monkeypatch):
    with Kaggle({"talk.csv": CSV}).served(monkeypatch) as kaggle:
        rows_of(tmp_path, dataset=HANDLE)
        rows_of(tmp_path, dataset="owner/games-talk/versions/4")
    assert [asked["datasetVersionNumber"] for _, asked in kaggle.asked] == [3, 4]


@pytest.mark.slow
def test_a_download_that_was_killed_is_made_again(tmp_path, monkeypatch):
    half = tmp_path / "cache/kaggle" / HANDLE / "talk.csv"
    half.parent.mkdir(parents=True)
    half.write_bytes(CSV[:20])
    with Kaggle({"talk.csv": CSV}).served(monkeypatch):
        assert len(rows_of(tmp_path, dataset=HANDLE)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (200, CorpusError, "has no file 'talk.csv', or is not there"),
        (403, AccessRefused, r"not given without credentials or consent \(status 403\).*KAGGLE_API_TOKEN"),
        (401, AccessRefused, "status 401"),
        (500, SourceError, r"can't be downloaded \(status 500\): try again later"),
    ],
)
def test_what_kaggle_does_not_give_is_told(tmp_path, monkeypatch, status, error, message):
    with Kaggle({}, status).served(monkeypatch), pytest.raises(error, match=message):
        rows_of(tmp_path, dataset=HANDLE)
    assert not list(tmp_path.rglob("part-0.parquet"))


def test_a_kaggle_out_of_reach_is_told(tmp_path, monkeypatch):
    with Kaggle().served(monkeypatch):
        pass
    with pytest.raises(SourceError, match=r"can't be downloaded \(ConnectionError\): try again later"):
        rows_of(tmp_path, dataset=HANDLE)


def test_a_folder_needs_no_kaggle(tmp_path):
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed/talk.csv").write_bytes(CSV)
    assert len(rows_of(tmp_path, path="seed")) == 1
    with pytest.raises(CorpusError, match="none.csv: the corpus can't be read"):
        rows_of(tmp_path, path="seed", file="none.csv")


def test_messages_name_the_section(tmp_path):
    (tmp_path / "talk.csv").write_bytes(CSV.replace(b"said", b"sayd"))
    with pytest.raises(CorpusError, match="did you mean 'sayd'.; correct kaggle.columns$"):
        rows_of(tmp_path, path=".")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("dataset: owner/name", "expected dataset as owner/name/versions/N"),
        ("dataset: owner/name/versions/0", "expected dataset as owner/name/versions/N"),
        ("dataset: ../../etc/versions/1", "expected dataset as owner/name/versions/N"),
        ("{dataset: owner/name/versions/1, path: data}", "either dataset"),
        ("label_provenance: human", "either dataset"),
        ("{path: data, file: ../secret.csv}", "without .. and not from the root"),
        ("{path: data, file: /etc/passwd}", "without .. and not from the root"),
    ],
)
def test_a_data_set_is_pinned_and_a_file_is_inside(tmp_path, section, message):
    section = section.strip("{}")
    section = section if "file:" in section else f"{section}, file: talk.csv"
    (tmp_path / "params.yaml").write_text(f"topic: t\ntopics: {{t: {{kaggle: {{{section}}}}}}}")
    with pytest.raises(ParamsError, match=rf"topics.t.kaggle.*{message}"):
        load_params(settings_at("http://platform.test", tmp_path))
