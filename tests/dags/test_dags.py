"""The DAG files: they read without errors, at once, without heavy libraries, and say what they should."""

import pytest

from groundswell.params import load_params
from groundswell.settings import load_settings
from tests.dags.airflow_home import PROJECT, read_dags

pytestmark = pytest.mark.slow

HEAVY = {"torch", "transformers", "mlflow", "evidently", "great_expectations", "dvc", "sklearn", "datasets", "onnxruntime", "pandas"}


def tasks(read, dag):
    return read["dags"][dag]["tasks"]


def test_every_file_reads_without_an_error(read):
    assert read["errors"] == {}
    assert (
        set(read["dags"])
        == {path.stem for path in (PROJECT / "dags").glob("*.py")}
        == {"collect", "compare", "monitor", "recollect", "report", "retrain", "score", "takedown", "watch"}
    )


def test_reading_is_quick_and_light(read):
    assert not HEAVY & set(read["modules"])
    assert read["processor_seconds"] < 5, "the DAG processor reads all of them again and again"


@pytest.mark.parametrize("dag", ["collect", "compare", "monitor", "recollect", "report", "retrain", "score", "takedown", "watch"])
def test_a_dag_has_a_runbook_and_never_catches_up(read, dag):
    assert "### When it fails" in read["dags"][dag]["doc"]
    assert read["dags"][dag]["catchup"] is False


def test_collect_validates_what_is_there_and_announces_what_all_sources_brought(read):
    found = tasks(read, "collect")
    sources = {source for topic in load_params(load_settings()).topics.values() for source in topic.sources}
    assert {name for name in found if "collect" in name} == {f"topic.collect_{source}" for source in sources}
    assert all(found[f"topic.collect_{source}"]["pool"] == f"source_{source}" for source in sources)
    assert all(found[f"topic.collect_{source}"]["options"]["budget"] == "{{ params.budget }}" for source in sources), "a backfill's money is held"
    assert all("params.reason" in found[f"topic.collect_{source}"]["options"]["reason"] for source in sources)
    assert found["topic.annotate"]["upstream"] == sorted(f"topic.collect_{source}" for source in sources)
    assert found["topic.validate"]["upstream"] == ["topic.annotate"]
    assert [name for name, task in found.items() if task["outlets"] == ["posts"]] == ["topic.announce"]
    assert found["topic.announce"]["upstream"] == sorted(["topic.validate", *(f"topic.collect_{source}" for source in sources)])
    assert read["dags"]["collect"]["max_active_runs"] == 4


def test_recollect_reads_again_what_a_platform_may_have_changed_and_announces_it(read):
    found = tasks(read, "recollect")
    assert {name for name in found if "collect_" in name} == {
        f"back_{days}.collect_{source}" for days in (1, 3) for source in ("hackernews", "steam")
    }
    assert found["back_3.validate"]["upstream"] == ["back_3.annotate"]
    assert [name for name, task in found.items() if task["outlets"]] == ["back_1.announce", "back_3.announce"]
    assert (read["dags"]["recollect"]["key_format"], read["dags"]["recollect"]["max_active_runs"]) == ("%Y-%m-%d", 1)


def test_every_pool_is_one_that_the_stack_makes(read):
    from groundswell.airflow_api import pools

    used = {task["pool"] for dag in read["dags"].values() for task in dag["tasks"].values()} - {"default_pool"}
    assert used == set(pools(load_params(load_settings())))


def test_retrain_goes_from_coverage_to_verify_one_at_a_time(read):
    found = tasks(read, "retrain")
    assert found["prepare"]["upstream"] == ["coverage"]
    assert found["train"]["upstream"] == ["prepare"]
    assert found["evaluate"]["upstream"] == ["train"]
    assert found["seal"]["upstream"] == found["judge"]["upstream"] == ["evaluate"]
    assert found["decide"]["upstream"] == ["judge", "seal"]
    assert found["approval"]["upstream"] == ["decide"]
    assert found["promote"]["upstream"] == ["approval", "decide"]
    assert found["verify"]["upstream"] == ["promote"]
    assert read["dags"]["retrain"]["max_active_runs"] == 1
    assert all(task["stage"] in (name, None) for name, task in found.items())


def test_compare_is_one_heavy_task_that_only_a_person_or_a_trigger_starts(read):
    found = tasks(read, "compare")
    assert {name: (task["stage"], task["pool"]) for name, task in found.items()} == {"compare": ("compare", "heavy")}
    assert read["dags"]["compare"]["max_active_runs"] == 1


def test_a_report_follows_comparisons_and_promotions_and_is_written_weekly(read):
    assert tasks(read, "compare")["compare"]["outlets"] == ["compared"]
    assert [(name, task["outlets"]) for name, task in tasks(read, "retrain").items() if task["outlets"]] == [("promote", ["promoted"])]
    assert read["dags"]["report"]["timetable"] == "AssetOrTimeSchedule"
    assert {name: task["stage"] for name, task in tasks(read, "report").items()} == {"topic.report": "report"}


def test_monitor_follows_posts_by_partition_and_only_request_retrain_asks(read):
    assert read["dags"]["monitor"]["timetable"] == "PartitionedAssetTimetable"
    assert [name for name, task in tasks(read, "monitor").items() if task["outlets"]] == ["topic.request_retrain"]
    assert tasks(read, "monitor")["topic.request_retrain"]["outlets"] == ["retrain_requested"]


def test_score_follows_posts_by_partition_and_tells_scored_and_waits_for_no_champion(read):
    assert (read["dags"]["score"]["timetable"], read["dags"]["score"]["end_date"]) == ("PartitionedAssetTimetable", None)
    assert {name: (task["stage"], task["pool"], task["outlets"]) for name, task in tasks(read, "score").items()} == {
        "topic.score": ("score", "heavy", ["scored"])
    }
    assert tasks(read, "score")["topic.score"]["options"] == {"spare-missing": True, "if-champion": True}


def test_windows_are_days_and_the_demo_has_no_schedule_of_its_own(read):
    assert read["dags"]["collect"]["key_format"] == "%Y-%m-%d"
    assert read["dags"]["collect"]["end_date"] is not None


@pytest.mark.slow
def test_windows_are_hours_by_params_and_outside_the_demo_time_goes_on(tmp_path):
    hourly = (PROJECT / "params.yaml").read_text().replace("window: day", "window: hour")
    (tmp_path / "params.yaml").write_text(hourly)
    found = read_dags(tmp_path, GROUNDSWELL_PARAMS=str(tmp_path / "params.yaml"), GROUNDSWELL_IS_DEMO="false")["dags"]["collect"]
    assert found["key_format"] == "%Y-%m-%dT%H"
    assert found["end_date"] is None


def test_takedown_erases_and_then_removes_what_is_too_old_one_at_a_time(read):
    found = tasks(read, "takedown")
    assert found["topic.retain"]["upstream"] == ["topic.takedown"]
    assert {task["pool"] for task in found.values()} == {"seal"}
    assert read["dags"]["takedown"]["max_active_runs"] == 1


def test_watch_has_nothing_to_do_where_every_platform_has_a_past(read):
    assert read["dags"]["watch"]["tasks"] == {} and read["dags"]["watch"]["timetable"] == "NullTimetable"


def test_watch_reads_feeds_as_often_as_params_say(tmp_path):
    fed = (PROJECT / "params.yaml").read_text().replace("  games:\n", "  games:\n    rss:\n      feeds: [games.xml]\n", 1)
    (tmp_path / "params.yaml").write_text(fed.replace("  window: day", "  window: day\n  watch_minutes: 7"))
    places = {"GROUNDSWELL_PARAMS": str(tmp_path / "params.yaml"), "GROUNDSWELL_IS_DEMO": "false"}
    found = read_dags(tmp_path, **places)
    assert found["errors"] == {}
    watch = found["dags"]["watch"]
    (task,) = watch["tasks"].values()
    assert (list(watch["tasks"]), task["stage"], task["pool"]) == (["topic.collect_rss"], "collect", "source_rss")
    assert (watch["timetable"], watch["every"], watch["end_date"], watch["max_active_runs"]) == ("DeltaTriggerTimetable", "0:07:00", None, 1)
