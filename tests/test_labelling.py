"""The most trusted provenance speaks, in it the majority; a draw is nobody's word."""

import pytest

from groundswell.errors import DatasetError
from groundswell.labelling import decided, mapped, outvoted, require_provenances


@pytest.mark.parametrize(
    ("opinions", "label"),
    [
        ([("positive", "native")], ("positive", "native")),
        ([("positive", "native"), ("negative", "human")], ("negative", "human")),
        ([("positive", "dataset")] * 5 + [("negative", "human")], ("negative", "human")),
        ([("positive", "human"), ("negative", "human"), ("positive", "human")], ("positive", "human")),
        ([("positive", "human"), ("negative", "human"), ("negative", "dataset")], None),
    ],
)
def test_decided(opinions, label):
    assert decided(opinions) == decided(opinions[::-1]) == label


def test_outvoted():
    texts = ["a", "a", "a", "b", "b", "c"]
    opinions = [("positive", "human"), ("positive", "human"), ("neutral", "human"), ("positive", "human"), ("neutral", "human"), ("neutral", "weak")]
    assert outvoted(texts, opinions) == ([False, False, True, True, True, False], 2)


def test_mapped():
    assert mapped(["Positive", " IRRELEVANT ", "neutral", "Positive"], {"Irrelevant": "neutral"}) == {
        "Positive": "positive",
        " IRRELEVANT ": "neutral",
        "neutral": "neutral",
    }
    with pytest.raises(DatasetError, match=r"2 label words .*'negativ' on 2 rows; did you mean 'negative'"):
        mapped(["negativ", "negativ", "zzz"], {})


def test_provenances():
    require_provenances(["human", "weak"])
    with pytest.raises(DatasetError, match="'None' on 1 rows.*'humen' on 1 rows; did you mean 'human'"):
        require_provenances(["humen", None])
