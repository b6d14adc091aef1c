"""A benchmark's table, file and exit status say the same; the file has the keys that readers of it rely on."""

import json
import subprocess

import pytest

from benchmarks.harness import PROJECT, Measure, commit, finish, table


def test_a_missed_floor_is_exit_status_one(tmp_path, capsys):
    good = Measure("accuracy", 0.9, "", floor=0.8, aim=0.95)
    assert finish("good", [good], results=tmp_path) == 0
    assert finish("bad", [good, Measure("rows", 3, "rows", floor=4)], results=tmp_path) == 1
    assert "floors missed: rows" in capsys.readouterr().out


def test_the_file(tmp_path):
    finish("one", [Measure("seconds", 2.5, "s", floor=60, aim=10, lower_is_better=True)], results=tmp_path / "new")
    found = json.loads((tmp_path / "new" / "one.json").read_text())
    assert found["measures"] == [{"measure": "seconds", "value": 2.5, "unit": "s", "floor": 60, "aim": 10, "lower_is_better": True}]
    assert found["machine"]["cores"] >= 1 and found["commit"].rstrip("+")


@pytest.mark.parametrize(
    ("measure", "verdict"),
    [
        (Measure("m", 1.0), ""),
        (Measure("m", 1.0, floor=1.0), "ok"),
        (Measure("m", 0.9, floor=1.0), "MISSED"),
        (Measure("m", 0.9, floor=1.0, lower_is_better=True), "ok"),
        (Measure("m", 1.1, floor=1.0, lower_is_better=True), "MISSED"),
        (Measure("m", 1.1, floor=1.0, aim=1.05), "aim reached"),
        (Measure("m", 1.1, floor=1.0, aim=1.2), "below the aim"),
        (Measure("m", 1.1, floor=2.0, aim=1.0, lower_is_better=True), "above the aim"),
        (Measure("m", float("nan"), floor=1.0), "MISSED"),
    ],
)
def test_verdicts(measure, verdict):
    assert measure.verdict == verdict


def test_the_table_shows_every_measure():
    shown = table([Measure("posts a second", 1234.5, "1/s", floor=100), Measure("share", 0.12345)])
    assert "1,234" in shown and "0.1234" in shown or "0.1235" in shown
    assert len(shown.splitlines()) == 4


def test_commit_is_the_checkouts():
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if head.returncode:
        assert commit() == "unknown"
    else:
        assert commit().rstrip("+") == head.stdout.strip()


def test_every_benchmark_ends_through_the_harness():
    parts = ("harness.py", "load.py", "corpora.py", "learners.py", "__init__.py")
    scripts = [path for path in (PROJECT / "benchmarks").glob("*.py") if path.name not in parts]
    for script in scripts:
        code = script.read_text(encoding="utf-8")
        assert f'finish("{script.stem}"' in code, f"{script.name}: write results/{script.stem}.json and exit by harness.finish"
