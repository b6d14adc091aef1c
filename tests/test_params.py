"""params.yaml: an error names file, key, and the nearest key that exists."""

import pytest
import yaml

from groundswell.errors import ParamsError, UnknownName
from groundswell.params import load_params
from groundswell.settings import Settings

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
