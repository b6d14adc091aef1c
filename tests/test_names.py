"""Names by presidio, through a real spaCy pipeline made here (its entities by rules: the index has no trained one), and refusals without it."""

from collections import Counter

import pytest

from groundswell.errors import ParamsError
from groundswell.params import HygieneParams
from groundswell.pii import Scrubber


def test_without_the_extra_the_switch_says_what_to_do():
    from groundswell.hygiene import Hygiene

    with pytest.raises(ParamsError, match=r"groundswell\[names\]|neither an installed spaCy pipeline nor a folder"):
        Hygiene(HygieneParams(names=True, names_model="no_such_pipeline"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("presidio_analyzer", reason="presidio-analyzer is not installed: pip install 'groundswell[names]'")
    import spacy

    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Kai Moss"}, {"label": "PERSON", "pattern": "Ines"}, {"label": "GPE", "pattern": "Oslo"}])
    folder = tmp_path_factory.mktemp("spacy") / "people"
    pipeline.to_disk(folder)
    return str(folder)


def test_people_are_taken_out_and_places_stay(model):
    from groundswell.names import Names

    counts = Counter()
    assert Names(model).scrub("Kai Moss met Ines in Oslo", counts) == "[name] met [name] in Oslo"
    assert counts == {"name": 2}


def test_after_what_has_a_form(model):
    from groundswell.names import Names

    counts = Counter()
    scrubber = Scrubber(also=Names(model).scrub)
    assert scrubber.scrub("Kai Moss, kai@example.com", counts) == "[name], [email]" and counts == {"name": 1, "email": 1}
    assert scrubber.scrub("[name], [email]") == "[name], [email]"


def test_long_texts(model):
    from groundswell.names import Names

    assert Names(model).scrub("so it goes. " * 100_000, Counter()) == "so it goes. " * 100_000
