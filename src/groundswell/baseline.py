"""The floor: TF-IDF and logistic regression, trained on the same rows as every challenger.

Reads and writes ``baseline.npz`` (vocabulary, idf, coefficients: arrays, nothing that needs unpickling). Words and pairs of words,
plus character 2-5-grams inside words, so that misspellings and emoji count. Refuses rows of one class only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundswell.errors import DatasetError, ModelError
from groundswell.files import replacing
from groundswell.predictor import softmax
from groundswell.schema import LABELS
from groundswell.text import normalise

FILE = "baseline.npz"

_VIEWS = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)[@#]?\w+|[^\w\s]"},
    "char_wb": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
_MOST_FEATURES = 60_000  # per view: the most frequent; keeps the file small on large corpora


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline: per view the n-grams and their idf, and one weight a class for each."""

    vocabularies: dict[str, np.ndarray]
    idfs: dict[str, np.ndarray]
    weights: np.ndarray
    intercept: np.ndarray

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float64 (n, 3) in the order of LABELS."""
        return softmax(self._features(texts) @ self.weights.T + self.intercept)

    def top_words(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """Label → its ``count`` words (or pairs) with the largest weight, and that weight."""
        words = self.vocabularies["word"]
        own = self.weights[:, : len(words)]
        best = {label: np.argsort(-own[place], kind="stable")[:count] for place, label in enumerate(LABELS)}
        return {label: [(str(words[at]), float(own[place, at])) for at in best[label]] for place, label in enumerate(LABELS)}

    def save(self, path: Path) -> None:
        arrays = {f"vocabulary_{view}": words for view, words in self.vocabularies.items()} | {f"idf_{view}": idf for view, idf in self.idfs.items()}
        with replacing(path) as beside, open(beside, "wb") as file:
            np.savez(file, weights=self.weights, intercept=self.intercept, **arrays)

    def _features(self, texts: Sequence[str]):
        from scipy.sparse import hstack

        normal = [normalise(text) for text in texts]
        return hstack([_view(view, self.vocabularies[view], self.idfs[view]).transform(normal) for view in _VIEWS], format="csr")


def load(path: Path) -> Baseline:
    """The baseline that `Baseline.save` left; `ModelError` when it is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vocabularies = {view: arrays[f"vocabulary_{view}"] for view in _VIEWS}
            idfs = {view: arrays[f"idf_{view}"] for view in _VIEWS}
            return Baseline(vocabularies, idfs, arrays["weights"], arrays["intercept"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} can't be read as a baseline ({error}): run groundswell train again") from error


def fit(texts: Sequence[str], labels: np.ndarray, *, seed: int) -> Baseline:
    """The baseline for ``texts`` and class numbers ``labels``. Same rows, same seed, same numbers."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    if len(present := np.unique(labels)) < 2:
        raise DatasetError(f"the training rows have one class only ({[LABELS[at] for at in present]}): collect or label others")
    normal = [normalise(text) for text in texts]
    views = {}
    parts = []
    for view, options in _VIEWS.items():
        views[view] = TfidfVectorizer(**options, sublinear_tf=True, min_df=2, max_features=_MOST_FEATURES)
        parts.append(views[view].fit_transform(normal))
    model = LogisticRegression(C=4.0, max_iter=300, class_weight="balanced", random_state=seed)
    model.fit(hstack(parts, format="csr"), labels)
    vocabularies = {view: np.array(fitted.get_feature_names_out(), dtype=np.str_) for view, fitted in views.items()}
    weights, intercept = _all_classes(model)
    return Baseline(vocabularies, {view: fitted.idf_ for view, fitted in views.items()}, weights, intercept)


def _all_classes(model) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercept for every label; one that no row had never gets chosen. Two classes are stored as one: split them."""
    weights, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weights, intercept = np.vstack([-weights, weights]) / 2, np.r_[-intercept, intercept] / 2
    whole = np.zeros((len(LABELS), weights.shape[1])), np.full(len(LABELS), -1e9)
    whole[0][model.classes_], whole[1][model.classes_] = weights, intercept
    return whole


def _view(view: str, words: np.ndarray, idf: np.ndarray):
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(**_VIEWS[view], sublinear_tf=True, vocabulary={str(word): place for place, word in enumerate(words)})
    vectorizer.idf_ = idf
    return vectorizer
