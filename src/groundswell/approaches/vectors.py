"""Vectors of words and of texts: trained on the rows that one learns from (gensim), or read from a file of somebody else's.

Reads a file in GloVe's text format, or word2vec's text or binary one. Writes nothing. Refuses a file that is none of these, whose
vectors are of different lengths or not finite. Same texts and seed, same bytes: gensim runs on one worker, and nothing hangs on
Python's hash, which differs from process to process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from groundswell.approaches.base import Surroundings
from groundswell.approaches.cleaning import words_of
from groundswell.approaches.options import Option, Value
from groundswell.errors import DatasetError, ModelError, ParamsError

_TRAINED = {
    "dimensions": Option(100, least=2, most=1000),
    "window": Option(5, least=1, most=100),
    "min_count": Option(2, least=1),
    "vector_epochs": Option(15, least=1, most=1000),
}
OPTIONS = {
    "word2vec": _TRAINED,
    "fasttext": {**_TRAINED, "buckets": Option(50_000, least=1, most=2_000_000)},
    "doc2vec": {**_TRAINED, "dimensions": Option(200, least=2, most=1000), "vector_epochs": Option(30, least=1, most=1000)},
    "vectors": {"most_words": Option(400_000, least=1)},
}
"""Features → their options. ``most_words`` of a file are read, its first: files are in order of frequency."""

_STANDS_FOR = {"@user": "<user>", "http": "<url>"}  # what text.normalise writes → what the vectors trained on tweets call it

_logger = logging.getLogger(__name__)


def word_vectors(
    kind: str, texts: Sequence[str], seed: int, surroundings: Surroundings, options: Mapping[str, Value] | None = None
) -> tuple[list[str], np.ndarray]:
    """(words, float32 (words, dimensions)): what a network's embedding begins from.

    ``kind``: word2vec or fasttext, trained on ``texts`` (cleaned already), or vectors, of the file that ``surroundings`` name; the words are
    as `words_of` gives them. ``options``: of `OPTIONS`, defaults where they are left out. `DatasetError` where no word is frequent enough.
    """
    values = {name: option.default for name, option in OPTIONS[kind].items()} | dict(options or {})
    if kind == "vectors":
        found = read_vectors(surroundings.vectors, most_words=values["most_words"])
        told_unknown([words_of(text) for text in texts], found.key_to_index)
        return list(found.index_to_key), found.vectors
    model = trained(kind, [words_of(text) for text in texts], seed, values)
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, dtype=np.float32)


def trained(kind: str, sentences: Sequence[list[str]], seed: int, options: Mapping[str, Value]):
    """A gensim Word2Vec or FastText (skip-gram, negative sampling) that has learnt from ``sentences``, each a list of words."""
    from gensim.models import FastText, Word2Vec

    make = {"word2vec": Word2Vec, "fasttext": FastText}[kind]
    own = {"bucket": options["buckets"]} if kind == "fasttext" else {}
    model = make(sg=1, epochs=options["vector_epochs"], **_common(seed, options), **own)
    return _learn(model, [*sentences], options)


@dataclass(frozen=True)
class Documents:
    """A Doc2Vec (distributed bag of words; Le & Mikolov 2014) and how it places a text it has not seen."""

    model: object
    seed: int

    def place(self, words: Sequence[str]) -> np.ndarray:
        """The vector, float32 (dimensions,), of a text; zero when it has no known word.

        As gensim's ``infer_vector``, but begun from a point that hangs on the words alone, and with chance set back each time: theirs
        begins from Python's hash and goes on from the text before.
        """
        from gensim.models.doc2vec import train_document_dbow

        model = self.model
        vector = np.zeros((1, model.vector_size), dtype=np.float32)
        known = [word for word in words if word in model.wv.key_to_index]
        if not known:
            return vector[0]
        start = crc32(" ".join(known).encode("utf-8", "surrogatepass"))
        vector[0] = (np.random.default_rng((self.seed, start)).random(model.vector_size) - 0.5) / model.vector_size
        model.random.seed((self.seed + start) % 2**32)
        unlocked, work = np.ones(1, dtype=np.float32), np.zeros(model.layer1_size, dtype=np.float32)
        for alpha in np.linspace(model.alpha, model.min_alpha, model.epochs):
            train_document_dbow(
                model, known, [0], float(alpha), work, learn_words=False, learn_hidden=False, doctag_vectors=vector, doctags_lockf=unlocked
            )
        return vector[0]


def trained_documents(sentences: Sequence[list[str]], seed: int, options: Mapping[str, Value]) -> Documents:
    """`Documents` that have learnt from ``sentences``; the vectors of these are let go: texts are placed anew, those learnt from too."""
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument

    model = Doc2Vec(dm=0, epochs=options["vector_epochs"], **_common(seed, options))
    tagged = [TaggedDocument(words, [place]) for place, words in enumerate(sentences)]
    return Documents(_learn(model, tagged, options), seed)


def read_vectors(path: Path | None, *, most_words: int | None = None):
    """gensim's KeyedVectors of the file at ``path``, at most its first ``most_words``; @user and http by the names that GloVe gives them.

    `ParamsError` when no file is named; `ModelError` when it is not there or can't be read as vectors.
    """
    from gensim.models import KeyedVectors

    if path is None:
        raise ParamsError("compare.vectors names no file: rows whose features are 'vectors' need one, in GloVe's or word2vec's format")
    if not path.is_file():
        raise ModelError(f"compare.vectors: {path} is not there: expected a file of word vectors, in GloVe's or word2vec's format")
    try:
        form = _form(path)
        found = KeyedVectors.load_word2vec_format(str(path), limit=most_words, unicode_errors="replace", **form)
    except (ValueError, EOFError, IndexError, TypeError, OverflowError, MemoryError, OSError) as error:
        raise _unreadable(path, " ".join(str(error).split())[:200] or type(error).__name__) from error
    if not len(found) or not np.isfinite(found.vectors).all():
        raise _unreadable(path, "no vectors" if not len(found) else "numbers that are not finite")
    _alias(found)
    return found


def known_share(sentences: Sequence[list[str]], known) -> float:
    """The share of the words of ``sentences`` that ``known`` holds; 0 where there are no words."""
    total = sum(map(len, sentences))
    return sum(word in known for words in sentences for word in words) / total if total else 0.0


def told_unknown(sentences: Sequence[list[str]], known) -> None:
    """Say in the log how many of the words to learn from a file of vectors does not know."""
    share = known_share(sentences, known)
    _logger.info("vectors: %.1f %% of the words to learn from are in the file, %.1f %% are unknown", 100 * share, 100 - 100 * share)


def _common(seed: int, options: Mapping[str, Value]) -> dict:
    return {
        "vector_size": options["dimensions"],
        "window": options["window"],
        "min_count": options["min_count"],
        "seed": seed,
        "workers": 1,
        "hashfxn": _hash,
    }


def _hash(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass"))


def _learn(model, corpus: list, options: Mapping[str, Value]):
    model.build_vocab(corpus)
    if not len(model.wv):
        raise DatasetError(f"no word is {options['min_count']} times or more in the {len(corpus)} training rows: set min_count lower")
    model.train(corpus, total_examples=model.corpus_count, epochs=model.epochs)
    return model


def _form(path: Path) -> dict:
    """How to read the file: word2vec's formats begin with two numbers, GloVe's with a word; a line of text has dimensions + 1 parts."""
    with open(path, "rb") as file:
        first, then = file.readline(1_000_000), file.readline(1_000_000)
    header = first.split()
    if not (len(header) == 2 and all(part.isdigit() for part in header)):
        if len(header) < 3:
            raise ValueError(f"its first line has {len(header)} parts, a word and its numbers were expected")
        return {"no_header": True}
    return {"binary": not _is_text(then, int(header[1]))}


def _is_text(line: bytes, dimensions: int) -> bool:
    parts = line.split()
    if len(parts) != dimensions + 1:
        return False
    try:
        return all(float(part) is not None for part in parts[1:])
    except ValueError:
        return False


def _alias(found) -> None:
    known = found.key_to_index
    missing = [own for own, theirs in _STANDS_FOR.items() if own not in known and theirs in known]
    if missing:
        found.add_vectors(missing, np.array([found.get_vector(_STANDS_FOR[own]) for own in missing]))


def _unreadable(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"compare.vectors: {path} can't be read as word vectors ({reason}): expected a word and its numbers on every line, between spaces, "
        "as GloVe writes them, or word2vec's text or binary format"
    )
