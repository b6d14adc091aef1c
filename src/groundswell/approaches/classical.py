"""The models of scikit-learn on `features`: naive Bayes, logistic regression, a linear SVM, a random forest.

Reads and writes nothing. The same rows and seed give the same bytes. Answers for every label: one that no row had gets zero. Refuses
rows of one class only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from groundswell import grid
from groundswell.approaches import features
from groundswell.approaches.base import Labelled, Surroundings, memory_bytes
from groundswell.approaches.cleaning import cleaned
from groundswell.approaches.options import Option, Value, taken
from groundswell.errors import DatasetError, ParamsError
from groundswell.params import CompareRow, TrainParams
from groundswell.predictor import softmax
from groundswell.schema import LABELS

_CLASS_WEIGHT = {"class_weight": Option("balanced", choices=("balanced", "none"))}


_BY_FEATURES = {
    "bag_of_words": {"alpha": 1.0, "logistic": 0.2, "svm": 0.02},
    **dict.fromkeys(("tfidf", "char_ngrams", "words_and_chars", "words_chars_lexicon"), {"alpha": 0.1, "logistic": 1.0, "svm": 0.1}),
    **dict.fromkeys(grid.AVERAGED, {"logistic": 0.01, "svm": 0.003}),
}
"""The smoothing of naive Bayes, and C of logistic regression and SVM: the best on a part of the tweets' training split (docs/approaches.md)."""


def options_of(row: CompareRow) -> dict[str, Option]:
    """Every option that ``row`` may have: those of its features and of its model."""
    chosen = _BY_FEATURES[row.features]
    own = {
        "naive_bayes": lambda: {"alpha": Option(chosen["alpha"], above=0), "prior": Option("uniform", choices=("uniform", "fitted"))},
        "logistic": lambda: {"C": Option(chosen["logistic"], above=0), "max_iter": Option(1000, least=1), **_CLASS_WEIGHT},
        "svm": lambda: {"C": Option(chosen["svm"], above=0), "max_iter": Option(2000, least=1), **_CLASS_WEIGHT},
        "forest": lambda: {"trees": Option(300, least=1), "min_leaf": Option(2, least=1), "max_depth": Option(0, least=0), **_CLASS_WEIGHT},
    }
    return {**features.OPTIONS[row.features], **own[row.model]()}


def make(row: CompareRow, seed: int, surroundings: Surroundings) -> Classical:
    """An approach for ``row``; `ParamsError` for an option that its features and model do not have."""
    return Classical(row, values_of(row, surroundings.train), seed, surroundings)


def values_of(row: CompareRow, train: TrainParams) -> dict[str, Value]:
    """Every option of ``row`` with its value."""
    options = taken(row, options_of(row))
    if options.get("char_min", 0) > options.get("char_max", 0):
        raise ParamsError(
            f"compare.rows: {row.name}: option 'char_min': expected at most char_max ({options['char_max']}), found {options['char_min']}"
        )
    return options


class Classical:
    """A cleaning, features and a model of scikit-learn."""

    def __init__(self, row: CompareRow, options: Mapping[str, Value], seed: int, surroundings: Surroundings):
        self._cleaning, self._kind, self._options = row.cleaning, row.model, options
        self._seed, self._threads = seed, surroundings.threads
        self._features = features.make(row.features, options, seed, surroundings)

    def fit(self, train: Labelled) -> None:
        if len(present := np.unique(train.labels)) < 2:
            raise DatasetError(f"the training rows have one class only ({[LABELS[at] for at in present]}): collect or label others")
        rows = self._features.fit(cleaned(self._cleaning, train.texts))
        self._model = _MODELS[self._kind](self._options, self._seed, self._threads).fit(rows, train.labels)
        if self._kind == "forest":
            self._model.n_jobs = 1  # trees that answer side by side are summed in the order in which they end: not the same to the last bit

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        if not len(texts):
            return np.zeros((0, len(LABELS)))
        rows = self._features.rows(cleaned(self._cleaning, texts))
        said = np.zeros((len(texts), len(LABELS)))
        said[:, self._model.classes_] = _margins_as_shares(self._model, rows) if self._kind == "svm" else self._model.predict_proba(rows)
        return said

    def size_bytes(self) -> int:
        return self._features.size_bytes() + memory_bytes(_learnt(self._model))


def _naive_bayes(options: Mapping[str, Value], seed: int, threads: int):
    from sklearn.naive_bayes import MultinomialNB

    return MultinomialNB(alpha=options["alpha"], fit_prior=options["prior"] == "fitted")


def _logistic(options: Mapping[str, Value], seed: int, threads: int):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=options["C"], max_iter=options["max_iter"], class_weight=_weight(options), random_state=seed)


def _svm(options: Mapping[str, Value], seed: int, threads: int):
    from sklearn.svm import LinearSVC

    # the seed only orders the steps towards one optimum, so it is fixed: the row counts as one without chance (`grid.is_seeded`)
    return LinearSVC(C=options["C"], max_iter=options["max_iter"], class_weight=_weight(options), random_state=0)


def _forest(options: Mapping[str, Value], seed: int, threads: int):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=options["trees"],
        min_samples_leaf=options["min_leaf"],
        max_depth=options["max_depth"] or None,
        class_weight=_weight(options),
        n_jobs=threads,
        random_state=seed,
    )


_MODELS: dict[str, Callable] = {"naive_bayes": _naive_bayes, "logistic": _logistic, "svm": _svm, "forest": _forest}


def _weight(options: Mapping[str, Value]) -> str | None:
    return None if options["class_weight"] == "none" else options["class_weight"]


def _margins_as_shares(model, rows) -> np.ndarray:
    """The softmax of an SVM's margins: its choice, and an order of how sure it is. Not calibrated: nobody held rows back for that."""
    margins = model.decision_function(rows)
    return softmax(margins if margins.ndim == 2 else np.column_stack([-margins, margins]) / 2)


def _learnt(model) -> list:
    """The arrays that ``model`` answers with."""
    if hasattr(model, "estimators_"):
        return [array for tree in model.estimators_ for array in (tree.tree_.__getstate__()["nodes"], tree.tree_.value)]
    if hasattr(model, "coef_"):
        return [model.coef_, model.intercept_]
    return [model.feature_log_prob_, model.class_log_prior_]
