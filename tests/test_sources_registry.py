"""The registry of sources: ours, and those that installed packages bring by an entry point."""

import sys
from importlib.metadata import EntryPoint

import pytest

from groundswell import sources
from groundswell.errors import ParamsError, UnknownName
from groundswell.params import Section, load_params
from groundswell.sources.base import Source
from tests.simulated import settings_at


class PigeonTopic(Section):
    loft: str


@pytest.fixture
def installed(monkeypatch):
    """Makes entry points of the group as if packages had brought them: name → what stands at ``pigeons:SOURCE``."""

    def install(name, what):
        monkeypatch.setitem(sys.modules, "pigeons", type(sys)("pigeons"))
        sys.modules["pigeons"].SOURCE = what
        monkeypatch.setattr(sources, "entry_points", lambda group: [EntryPoint(name, "pigeons:SOURCE", group)])
        sources.known.cache_clear()
        sources.source_named.cache_clear()

    yield install
    sources.known.cache_clear()
    sources.source_named.cache_clear()


def pigeon_post(name="pigeon"):
    return Source(name=name, version=1, section=PigeonTopic, posts=lambda reading: iter(()))


def params_with(tmp_path, section):
    (tmp_path / "params.yaml").write_text(f"topic: birds\ntopics:\n  birds:\n    pigeon: {section}\n")
    return load_params(settings_at("http://platform.test", tmp_path))


def test_a_package_adds_a_source_and_its_section(installed, tmp_path):
    installed("pigeon", pigeon_post())
    assert sources.source_named("pigeon").version == 1
    topic = params_with(tmp_path, "{loft: north}").topics["birds"]
    assert (topic.sources, topic.pigeon.loft) == (["pigeon"], "north")


def test_a_wrong_key_of_a_packages_section_is_named_with_the_right_one(installed, tmp_path):
    installed("pigeon", pigeon_post())
    with pytest.raises(ParamsError, match="unknown key 'topics.birds.pigeon.lofts'; did you mean 'loft'"):
        params_with(tmp_path, "{lofts: north}")


def test_a_source_that_nobody_has_is_an_unknown_key(tmp_path):
    with pytest.raises(ParamsError, match="unknown key 'topics.birds.pigeon'; known: .*hackernews"):
        params_with(tmp_path, "{loft: north}")


def test_two_sources_of_one_name_are_refused(installed):
    installed("steam", pigeon_post("steam"))
    with pytest.raises(ParamsError, match="two sources are called 'steam'"):
        sources.known()


@pytest.mark.parametrize("what", [None, "a string", pigeon_post("dove")])
def test_an_entry_point_that_is_no_source_is_refused(installed, what):
    installed("pigeon", what)
    with pytest.raises(ParamsError, match="source 'pigeon': expected a groundswell.sources.base.Source"):
        sources.source_named("pigeon")
    with pytest.raises(UnknownName, match="did you mean 'pigeon'"):
        sources.source_named("pigeons")
