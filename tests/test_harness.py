"""A benchmark's table, file and exit status say the same; the file has the keys that readers of it rely on."""

import json
import subprocess

import pytest

from benchmarks import harness
from benchmarks.harness import PROJECT, Measure, Undisturbed, commit, finish, table


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


@pytest.mark.parametrize(
    ("stolen", "counted", "repeated", "share"),
    [
        ([0, 50], 1, 0, 0.0),
        ([3, 50], 1, 0, 3 / 103),
        ([50, 2, 50], 2, 1, 2 / 102),
        ([60, 40, 50, 0], 2, 2, 40 / 140),  # three times and no more: the least disturbed one
    ],
)
def test_what_was_measured_while_others_had_the_processors_is_measured_again(monkeypatch, stolen, counted, repeated, share):
    times, taken, numbers = [(0, 0)], iter(stolen), iter(range(1, 9))

    def measure() -> int:
        spent, lost = times[-1]
        times.append((spent + 100, lost + next(taken)))
        return next(numbers)

    monkeypatch.setattr(harness, "processor_times", lambda: times[-1])
    undisturbed = Undisturbed()
    assert undisturbed(measure) == counted
    assert (undisturbed.repeated, undisturbed.shares) == (repeated, [pytest.approx(share)])
    assert [each.value for each in undisturbed.measures()] == [pytest.approx(100 * share), pytest.approx(100 * share), repeated]


def test_the_processors_time_is_counted():
    before = harness.processor_times()
    sum(range(3_000_000))
    after = harness.processor_times()
    assert after >= before and after[0] > before[0], "no time was spent, or /proc/stat is not read as it should be"


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
