"""What platforms, disks and operators do to a window: what is read of it, and that nothing is lost or doubled."""

import json
import resource
import subprocess
import sys
from datetime import UTC, datetime

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.errors import AccessRefused, SourceError, StorageError, ValidationFailed
from groundswell.files import replacing, sha256_of
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic, ValidateParams
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.validate import validate
from groundswell.window import Window
from tests.simulated import KEY, platforms, settings_at

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
NOON = int(DAY.start.timestamp()) + 43_200
NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOPIC = Topic(hackernews=HackerNewsTopic(query="game"))


def hit(number, **changes):
    known = {"objectID": str(number), "author": f"moss_heron{number}", "comment_text": f"round {number} went well", "created_at_i": NOON + number}
    return {**known, "_tags": ["comment"], **changes}


def answering(hits):
    page = {"hits": hits, "nbHits": len(hits), "nbPages": 1, "page": 0, "hitsPerPage": 1000, "exhaustiveNbHits": True}
    return httpx2.MockTransport(lambda request: httpx2.Response(200, json=page))


def collected(home, transport):
    settings = settings_at("http://platform.test", home)
    report = collect("hackernews", "games", TOPIC, [DAY], settings=settings, params=CollectParams(), now=NOW, transport=transport)
    lake = Lake(settings.lake)
    return settings, report, lake.read(lake.partition("raw", "hackernews", "games", DAY))


def validated(settings):
    return validate("games", ["hackernews"], [DAY], settings=settings, params=ValidateParams())


def test_a_field_that_nobody_knew_is_kept_and_stops_nothing(tmp_path):
    settings, _, table = collected(tmp_path, answering([hit(number, mood_ring="teal") for number in range(30)]))
    assert {json.loads(raw)["mood_ring"] for raw in table["raw"].to_pylist()} == {"teal"}
    assert validated(settings)["rows_valid"] == 30


def test_a_field_that_changed_its_type_is_loud_and_loses_nothing(tmp_path):
    """The text became an object: every row is kept with its record, none goes to valid, and the message has the numbers."""
    settings, _, table = collected(tmp_path, answering([hit(number, comment_text={"markdown": "round"}) for number in range(30)]))
    assert table.num_rows == 30 and all("markdown" in raw for raw in table["raw"].to_pylist())
    with pytest.raises(ValidationFailed, match=r"30 of 30 rows are quarantined \(100.0%; at most 20.0% may\)"):
        validated(settings)
    assert not list((tmp_path / "lake").glob("valid/**/*.parquet"))


@pytest.mark.parametrize("change", [{"created_at_i": {"value": NOON}}, {"objectID": ["1"]}])
def test_records_whose_times_or_ids_changed_their_type_fail_the_window(tmp_path, change):
    """They could not be put aside, having no window or no name; and a day without them would look like a quiet one."""
    hits = [hit(number, **(change if number < 30 else {})) for number in range(100)]
    with pytest.raises(SourceError, match=r"hackernews: 30 of 100 records of window 2026-10-19 have no id or no time .* answers have changed"):
        collected(tmp_path, answering(hits))
    assert not list((tmp_path / "lake").glob("**/*.parquet"))


def test_some_records_without_a_time_are_only_counted(tmp_path):
    _, report, table = collected(tmp_path, answering([hit(number, **({"created_at_i": None} if number < 5 else {})) for number in range(60)]))
    assert table.num_rows == 55 and report["dropped"] == {"bad_time": 5}


def test_a_few_rows_of_another_type_are_put_aside_with_a_reason(tmp_path):
    hits = [hit(number, **({"comment_text": ["round"]} if number < 3 else {})) for number in range(30)]
    settings, _, _ = collected(tmp_path, answering(hits))
    report = validated(settings)
    assert (report["rows_valid"], report["quarantined"]) == (27, {"text_missing": 3})


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_at_once_and_nothing_is_written(tmp_path, status):
    asked = []

    def refuse(request):
        asked.append(request)
        return httpx2.Response(status, json={"error": {"errors": [{"reason": "quotaExceeded"}]}})

    with pytest.raises(AccessRefused, match=f"found {status}: check the address, the query and the access rights"):
        collected(tmp_path, httpx2.MockTransport(refuse))
    assert len(asked) == 1 and not list(tmp_path.rglob("*.parquet"))


COMMAND = [sys.executable, "-m", "groundswell.cli", "collect", "--source", "hackernews", "--window", "2026-10-19"]


def project(folder, url):
    """The environment of a project in ``folder`` that collects from ``url``."""
    (folder / "params.yaml").write_text("topic: games\ntopics:\n  games:\n    hackernews: {query: game}\n")
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",  # a cut .pyc would outlive the test
        "PYTHONPATH": ":".join(sys.path),
        "GROUNDSWELL_PROJECT": str(folder),
        "GROUNDSWELL_HOME": str(folder / "var"),
        "GROUNDSWELL_PSEUDONYM_KEY": KEY,
        "GROUNDSWELL_HACKERNEWS_URL": f"{url}/hackernews",
    }


@pytest.fixture(scope="module")
def url():
    with platforms() as address:
        yield address


def partition_of(folder):
    (path,) = folder.glob("var/lake/raw/**/*.parquet")
    return path


def test_a_full_disk_leaves_what_was_there_and_says_what_to_do(url, tmp_path):
    environment = project(tmp_path, url)

    def few_bytes():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    full = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, preexec_fn=few_bytes, check=False)
    assert full.returncode == 1, full.stderr
    assert "can't be written (File too large)" in full.stderr and "run it again" in full.stderr and "Traceback" not in full.stderr
    assert not [path for path in (tmp_path / "var").rglob("*") if path.is_file() and "part-0" in path.name]
    subprocess.run(COMMAND, env=environment, capture_output=True, check=True)
    before = sha256_of(partition_of(tmp_path))
    subprocess.run([*COMMAND[:-1], "2026-10-19..2026-10-20"], env=environment, capture_output=True, preexec_fn=few_bytes, check=False)
    assert sha256_of(partition_of(tmp_path)) == before


ON_A_SMALL_DISK = """
mkdir -p var && mount -t tmpfs -o size=1m none var || exit 99
"$@" 2026-10-19 >/dev/null || exit 98
sha256sum $(find var -name part-0.parquet) > before
dd if=/dev/zero of=var/ballast bs=1k 2>/dev/null
"$@" 2026-10-20; echo "status $?"
sha256sum --check --quiet before && find var/lake -name '*part-0*' | wc -l
rm var/ballast && "$@" 2026-10-20 >/dev/null; echo "status $?"
sha256sum --check --quiet before && find var/lake -name '*part-0*' | wc -l
"""


def test_a_disk_that_fills_up_leaves_what_was_there_and_the_next_run_completes(url, tmp_path):
    """A real file system without a byte left (ENOSPC), mounted for this test's processes alone."""
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount a file system here: not run")
    command = ["unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK, "sh", *COMMAND[:-1]]
    done = subprocess.run(command, env=project(tmp_path, url), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["status", "1", "1", "status", "0", "2"], done.stdout + done.stderr
    assert "can't be written (No space left on device): free some space and run it again; what lay there is as it was" in done.stderr


@pytest.mark.slow
def test_two_backfills_of_a_day_at_once_end_in_the_bytes_of_one(url, tmp_path):
    environments = []
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
        environments.append(project(tmp_path / name, url))
    subprocess.run(COMMAND, env=environments[0], capture_output=True, check=True)
    both = [subprocess.Popen(COMMAND, env=environments[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sha256_of(partition_of(tmp_path / "together")) == sha256_of(partition_of(tmp_path / "alone"))
    assert [json.loads(output.splitlines()[-1])["sha256"] for output, _ in said] == [sha256_of(partition_of(tmp_path / "alone"))] * 2


def test_a_folder_that_can_not_be_written_is_said_so(tmp_path):
    def refuse():
        with replacing(tmp_path / "file"):
            raise OSError(30, "Read-only file system")

    with pytest.raises(StorageError, match="can't be written .Read-only file system.: mount it for writing"):
        refuse()
