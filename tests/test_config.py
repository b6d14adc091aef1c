"""params.yaml and GROUNDSWELL_*: an error names file, key, and the nearest key that exists."""

import pytest
import yaml

from groundswell.config import DEMO_PSEUDONYM_KEY, Settings, load_params, load_settings
from groundswell.errors import ParamsError, UnknownName

GOOD = {"topic": "games", "topics": {"games": {"steam": {"app_ids": [1]}}}}


def params_of(tmp_path, values):
    (tmp_path / "params.yaml").write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return load_params(Settings(project=tmp_path))


def test_the_projects_own_params_are_good():
    assert load_params(Settings()).topic_named(None)[0] == "games"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"colect": {}}, r"unknown key 'colect'; did you mean 'collect'"),
        ({"train": {"epoch": 1}}, r"unknown key 'train.epoch'; did you mean 'epochs'"),
        ({"validate": {"max_duplicates_share": 1}}, r"unknown key 'validate.max_duplicates_share'; did you mean 'max_duplicate_share'"),
        ({"topics": {"games": {"steem": {}}}}, r"unknown key 'topics.games.steem'; did you mean 'steam'"),
        ({"train": {"batch_size": 0}}, r"train.batch_size: .*greater than or equal to 1, found 0"),
        ({"collect": {"window": "week"}}, r"collect.window: .*'day' or 'hour'"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, extra, message):
    with pytest.raises(ParamsError, match=message) as caught:
        params_of(tmp_path, GOOD | extra)
    assert "params.yaml" in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ParamsError, match="not there"):
        load_params(Settings(project=tmp_path))
    with pytest.raises(ParamsError, match="not YAML"):
        params_of(tmp_path, "a: [")
    with pytest.raises(ParamsError, match="topic"):
        params_of(tmp_path, "")


def test_an_unknown_topic_names_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'games'"):
        params_of(tmp_path, GOOD).topic_named("game")


def test_a_run_may_be_of_some_sources_only(tmp_path):
    topic = params_of(tmp_path, GOOD | {"topics": {"games": {"steam": {"app_ids": [1]}, "hackernews": {"query": "game"}}}}).topics["games"]
    assert topic.sources_named("") == ["hackernews", "steam"]
    assert topic.sources_named("steam, replay") == ["steam"]
    with pytest.raises(UnknownName, match="did you mean 'steam'"):
        topic.sources_named("steem")
    with pytest.raises(UnknownName, match="none of replay is a source of the topic"):
        topic.sources_named("replay")


def test_a_setting_that_can_not_be_read_is_named(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_AIRFLOW_PORT", "many")
    with pytest.raises(ParamsError, match="GROUNDSWELL_AIRFLOW_PORT: .*'many'"):
        load_settings()


def test_a_key_for_pseudonyms_is_demanded_outside_the_demo():
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEY"):
        Settings().keys_for_pseudonyms()
    with pytest.raises(ParamsError, match="which everybody knows"):
        Settings(pseudonym_key=DEMO_PSEUDONYM_KEY).keys_for_pseudonyms()
    assert Settings(is_demo=True).keys_for_pseudonyms()
    assert Settings(pseudonym_key="x" * 16).keys_for_pseudonyms() == (b"x" * 16,)


def test_the_keys_before_come_after_the_one_in_use():
    settings = Settings(pseudonym_key="x" * 16, pseudonym_keys_before=f"{'y' * 16}, {'x' * 16},{'z' * 16}")
    assert settings.keys_for_pseudonyms() == (b"x" * 16, b"y" * 16, b"z" * 16)
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEYS_BEFORE: expected at least 16 characters") as caught:
        Settings(pseudonym_key="x" * 16, pseudonym_keys_before="short").keys_for_pseudonyms()
    assert "short" not in str(caught.value)


def test_a_databases_url_names_the_driver_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_DATABASE_URL", "postgresql://mlflow:told-to-nobody@db/mlflow")
    with pytest.raises(ParamsError, match=r"GROUNDSWELL_MLFLOW_DATABASE_URL: .*expected postgresql\+psycopg2://USER") as refused:
        load_settings()
    assert "told-to-nobody" not in str(refused.value)
    monkeypatch.setenv("GROUNDSWELL_MLFLOW_DATABASE_URL", "postgresql+psycopg2://mlflow:told-to-nobody@db/mlflow")
    settings = load_settings()
    assert "told-to-nobody" not in repr(settings)
    assert settings.tracking_uri == "http://127.0.0.1:5000"
