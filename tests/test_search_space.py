"""The space of hyperparameters: it holds today's values, names nothing that a model does not have, and asks for each in turn."""

import pytest

from groundswell import grid
from groundswell.params import CompareRow, TrainParams
from groundswell.search_space import Choice, Range, space_of, suggested, values_in


class Lowest:
    """Suggests the lowest, or the first."""

    def suggest_float(self, name, low, high, *, log):
        return low

    def suggest_int(self, name, low, high, *, log):
        assert isinstance(low, int) and isinstance(high, int)
        return low

    def suggest_categorical(self, name, choices):
        return choices[0]


DISTILBERT = CompareRow(name="distilbert", model="distilbert")


def test_the_space_of_train_is_of_keys_that_it_has_and_what_it_suggests_can_be_used():
    today = TrainParams().model_dump()
    space = space_of(DISTILBERT, today)
    assert {"learning_rate", "batch_size", "epochs", "weight_decay", "layer_decay", "label_smoothing"} <= set(space)
    tried = TrainParams.model_validate({**today, **suggested(Lowest(), space)})
    assert tried.learning_rate == 2e-5
    assert tried.epochs == 2


def test_a_space_is_widened_to_hold_todays_values():
    today = {"learning_rate": 0.01, "batch_size": 48, "epochs": 2.5, "weight_decay": 0.0}
    space = space_of(DISTILBERT, today)
    assert space["learning_rate"] == Range(2e-5, 0.01, is_log=True)
    assert 48 in space["batch_size"].values
    assert space["epochs"] == Range(2, 4), "2.5 epochs: no whole numbers"
    assert space["weight_decay"] == Range(0.0, 0.3), "no order of magnitude has a nought"
    assert values_in(space, today) == today
    assert values_in(space_of(DISTILBERT, {"epochs": 3.0}), {"epochs": 3.0}) == {"epochs": 3}


def test_what_a_model_does_not_have_is_not_tried():
    row = CompareRow(name="one", features="tfidf", model="logistic")
    assert set(space_of(row, {"C": 1.0, "max_iter": 300, "min_df": 2})) == {"C", "min_df"}
    assert space_of(CompareRow(name="vader", model="vader"), {"threshold": 0.05}) == {}


@pytest.mark.parametrize("model", [model for model in grid.MODELS if model != "vader"])
def test_every_model_that_learns_has_a_space(model):
    row = CompareRow(name="one", features=grid.READS[model][0], model=model)
    names = ("learning_rate", "C", "alpha", "trees")
    assert space_of(row, dict.fromkeys(names, 1))


@pytest.mark.slow
@pytest.mark.parametrize("model", [model for model in grid.MODELS if model != "vader"])
def test_what_a_space_suggests_is_an_option_of_its_model(model):
    from groundswell.approaches import values_of

    row = CompareRow(name="one", features=grid.READS[model][0], model=model)
    today = values_of(row, TrainParams())
    space = space_of(row, today)
    assert space
    tried = suggested(Lowest(), space)
    assert values_of(row.model_copy(update={"options": tried}), TrainParams()).items() >= tried.items()


def test_a_choice_holds_what_it_held():
    assert Choice((1, 2)).holding(2) == Choice((1, 2))
    assert Choice((1, 2)).holding(3) == Choice((1, 2, 3))
