"""What a model of `classical` reads of cleaned texts: counts of n-grams (sparse), or one vector a text (dense).

Learns vocabularies, document frequencies, vectors and scales from the texts given to ``fit``, and from nothing else. Reads
the file of vectors or the encoder that `Surroundings` name. Refuses texts in which no n-gram is frequent enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from groundswell import grid
from groundswell.approaches import lexicon, vectors
from groundswell.approaches.base import Surroundings, memory_bytes
from groundswell.approaches.cleaning import words_of
from groundswell.approaches.options import Option, Value
from groundswell.errors import DatasetError

_MIN_DF = Option(2, least=1)
_WEIGHTING = {"weighting": Option("idf", choices=("idf", "plain"))}
_WORDS = {"ngram_max": Option(3, least=1, most=5)}
_CHARS = {"char_min": Option(2, least=1, most=10), "char_max": Option(5, least=1, most=10)}
_COUNTED = {"min_df": _MIN_DF, "max_features": Option(100_000, least=1)}

OPTIONS: dict[str, Mapping[str, Option]] = {
    "bag_of_words": {**_COUNTED, **_WORDS, "ngram_max": Option(1, least=1, most=5)},
    "tfidf": {**_COUNTED, **_WORDS},
    "char_ngrams": {**_COUNTED, **_CHARS},
    "words_and_chars": {**_COUNTED, **_WORDS, **_CHARS},
    "words_chars_lexicon": {**_COUNTED, **_WORDS, **_CHARS, "lexicon_weight": Option(2.0, above=0)},
    "word2vec": {**vectors.OPTIONS["word2vec"], **_WEIGHTING},
    "fasttext": {**vectors.OPTIONS["fasttext"], **_WEIGHTING},
    "doc2vec": vectors.OPTIONS["doc2vec"],
    "vectors": {**vectors.OPTIONS["vectors"], **_WEIGHTING},
    "encoder": {},
}
"""Features → their options. ``max_features``: of a kind of n-gram, the most frequent; ``weighting``: of a text's word vectors, by inverse document
frequency or all alike; ``lexicon_weight``: of VADER's numbers beside the n-grams', which are near 0.1."""

_BATCH = 32


class Features(Protocol):
    """Texts → rows of numbers."""

    def fit(self, texts: Sequence[str]):
        """Learn from ``texts``, and give their rows, (n, features)."""

    def rows(self, texts: Sequence[str]):
        """Rows of other texts, (n, features)."""

    def size_bytes(self) -> int: ...


def make(name: str, options: Mapping[str, Value], seed: int, surroundings: Surroundings) -> Features:
    """Fresh features ``name``, of `grid.COUNTED` or `grid.AVERAGED`, with a value for each of its `OPTIONS`."""
    if name in grid.COUNTED:
        return Counts(name, options)
    if name == "encoder":
        return Standardised(_Encoder(surroundings))
    if name == "doc2vec":
        return Standardised(_Placed(options, seed))
    return Standardised(_Averages(name, options, seed, surroundings))


class Counts:
    """Counts of n-grams of words, or TF-IDF of n-grams of words, of characters inside words, or of both side by side, and VADER's opinion."""

    def __init__(self, name: str, options: Mapping[str, Value]):
        self._views = [_VIEWS[view](options) for view in _READ_BY[name]]

    def fit(self, texts: Sequence[str]):
        try:
            return self._joined([view.fit_transform(texts) for view in self._views])
        except ValueError as error:  # scikit-learn's for an empty vocabulary; the options are checked before
            raise DatasetError(f"no n-gram is left of {len(texts)} cleaned training texts ({error}): set min_df lower, or clean less") from error

    def rows(self, texts: Sequence[str]):
        return self._joined([view.transform(texts) for view in self._views])

    def size_bytes(self) -> int:
        return sum(map(_view_bytes, self._views))

    @staticmethod
    def _joined(parts: list):
        from scipy.sparse import hstack

        return hstack(parts, format="csr")


def _word_counts(options: Mapping[str, Value]):
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(**_word_settings(options), min_df=options["min_df"], max_features=options["max_features"])


def _word_tfidf(options: Mapping[str, Value]):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(**_word_settings(options), min_df=options["min_df"], max_features=options["max_features"], sublinear_tf=True)


def _char_tfidf(options: Mapping[str, Value]):
    from sklearn.feature_extraction.text import TfidfVectorizer

    lengths = (min(options["char_min"], options["char_max"]), options["char_max"])
    return TfidfVectorizer(analyzer="char_wb", ngram_range=lengths, min_df=options["min_df"], max_features=options["max_features"], sublinear_tf=True)


class _Lexicon:
    """What VADER says of a text, none of it negative: shares of negative and positive words, compound below and above zero."""

    def __init__(self, options: Mapping[str, Value]):
        self._weight = options["lexicon_weight"]

    def fit_transform(self, texts: Sequence[str]):
        return self.transform(texts)

    def transform(self, texts: Sequence[str]):
        from scipy.sparse import csr_matrix

        negative, positive, compound = lexicon.opinions(texts).T
        return csr_matrix(self._weight * np.column_stack([negative, positive, np.maximum(-compound, 0), np.maximum(compound, 0)]))


def _view_bytes(view) -> int:
    if isinstance(view, _Lexicon):
        return lexicon.lexicon_bytes()
    return memory_bytes(view.vocabulary_) + memory_bytes(getattr(view, "idf_", None))


def _word_settings(options: Mapping[str, Value]) -> dict:
    return {"tokenizer": words_of, "token_pattern": None, "lowercase": False, "ngram_range": (1, options["ngram_max"])}


_VIEWS: dict[str, Callable] = {"word counts": _word_counts, "word tfidf": _word_tfidf, "char tfidf": _char_tfidf, "lexicon": _Lexicon}
_READ_BY = {
    "bag_of_words": ["word counts"],
    "tfidf": ["word tfidf"],
    "char_ngrams": ["char tfidf"],
    "words_and_chars": ["word tfidf", "char tfidf"],
    "words_chars_lexicon": ["word tfidf", "char tfidf", "lexicon"],
}


class Standardised:
    """Dense rows, each column less its mean and by its deviation over the rows learnt from."""

    def __init__(self, inner):
        self._inner = inner

    def fit(self, texts: Sequence[str]) -> np.ndarray:
        rows = self._inner.fit(texts).astype(np.float64)
        self._mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        return (rows - self._mean) / self._scale

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        return (self._inner.rows(texts).astype(np.float64) - self._mean) / self._scale

    def size_bytes(self) -> int:
        return self._inner.size_bytes() + memory_bytes([self._mean, self._scale])


class _Averages:
    """The mean of the vectors of a text's words; zero for a text with no known word. fasttext makes a vector for any word, of its parts."""

    def __init__(self, name: str, options: Mapping[str, Value], seed: int, surroundings: Surroundings):
        self._name, self._options, self._seed, self._surroundings = name, options, seed, surroundings

    def fit(self, texts: Sequence[str]) -> np.ndarray:
        sentences = [words_of(text) for text in texts]
        if self._name == "vectors":
            self._vectors = vectors.read_vectors(self._surroundings.vectors, most_words=self._options["most_words"])
            vectors.told_unknown(sentences, self._vectors.key_to_index)
        else:
            self._vectors = vectors.trained(self._name, sentences, self._seed, self._options).wv
        self._weights, self._new = _inverse_frequencies(sentences) if self._options["weighting"] == "idf" else ({}, 1.0)
        return self._rows(sentences)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        return self._rows([words_of(text) for text in texts])

    def size_bytes(self) -> int:
        parts = getattr(self._vectors, "vectors_ngrams", None)
        return memory_bytes([self._vectors.key_to_index, self._vectors.vectors, parts, self._weights])

    def _rows(self, sentences: list[list[str]]) -> np.ndarray:
        return np.array([self._mean(words) for words in sentences], dtype=np.float32).reshape(len(sentences), self._vectors.vector_size)

    def _mean(self, words: list[str]) -> np.ndarray:
        known = [word for word in words if word in self._vectors]  # true of every word for fasttext
        if not known:
            return np.zeros(self._vectors.vector_size, dtype=np.float32)
        weights = np.array([self._weights.get(word, self._new) for word in known], dtype=np.float32)
        return weights @ np.array([self._vectors.get_vector(word) for word in known]) / weights.sum()


def _inverse_frequencies(sentences: list[list[str]]) -> tuple[dict[str, float], float]:
    """(word → its smoothed inverse document frequency, that of a word in no text)."""
    texts_with = Counter(word for words in sentences for word in set(words))
    share = {word: float(np.log((1 + len(sentences)) / (1 + count)) + 1) for word, count in texts_with.items()}
    return share, float(np.log(1 + len(sentences)) + 1)


class _Placed:
    """doc2vec: where a text lies; those learnt from are placed as others are, or a model would learn from vectors of another kind."""

    def __init__(self, options: Mapping[str, Value], seed: int):
        self._options, self._seed = options, seed

    def fit(self, texts: Sequence[str]) -> np.ndarray:
        self._documents = vectors.trained_documents([words_of(text) for text in texts], self._seed, self._options)
        return self.rows(texts)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        placed = [self._documents.place(words_of(text)) for text in texts]
        return np.array(placed, dtype=np.float32).reshape(len(texts), self._options["dimensions"])

    def size_bytes(self) -> int:
        model = self._documents.model
        return memory_bytes([model.wv.key_to_index, model.wv.vectors, model.syn1neg])


class _Encoder:
    """A frozen transformer, ``train.base``: the mean of its last hidden states over a text's pieces (as MiniLM was trained to be read)."""

    def __init__(self, surroundings: Surroundings):
        self._base, self._max_length = surroundings.train.base, surroundings.train.max_length

    def fit(self, texts: Sequence[str]) -> np.ndarray:
        from groundswell.encoder import load_classifier, load_tokenizer

        self._tokenizer = load_tokenizer(self._base)
        self._model = load_classifier(self._base).distilbert.eval()
        return self.rows(texts)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Batches of texts that are about as long: the shortest first, little padding."""
        import torch

        pieces = self._tokenizer([*texts], truncation=True, max_length=self._max_length)["input_ids"] if len(texts) else []
        order = sorted(range(len(pieces)), key=lambda at: len(pieces[at]))
        found = np.zeros((len(pieces), self._model.config.dim), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                places = order[start : start + _BATCH]
                batch = self._tokenizer.pad({"input_ids": [pieces[at] for at in places]}, return_tensors="pt")
                states = self._model(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1)
                found[places] = ((states * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
        return found

    def size_bytes(self) -> int:
        return sum(each.nbytes for each in self._model.parameters()) + memory_bytes(self._tokenizer.get_vocab())
