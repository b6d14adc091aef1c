"""Vectors are learnt from the rows alone, the same in every process, or read from a file that is what it says."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from groundswell.approaches import Surroundings
from groundswell.approaches.cleaning import words_of
from groundswell.approaches.vectors import OPTIONS, known_share, read_vectors, trained_documents, word_vectors
from groundswell.errors import DatasetError, ModelError, ParamsError
from groundswell.params import TrainParams
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

FILE = {"great": [1.0, 0.5, -2.0], "awful": [-1.0, 0.25, 3.0], "<user>": [0.0, 0.0, 1.0], "naïve": [0.5, 0.5, 0.5]}


def surroundings(vectors=None):
    return Surroundings(1, TrainParams(), Path("unused"), vectors)


def glove(values=FILE) -> bytes:
    return "".join(f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in values.items()).encode()


def binary() -> bytes:
    return b"4 3\n" + b"".join(word.encode() + b" " + struct.pack("3f", *numbers) + b"\n" for word, numbers in FILE.items())


FORMS = {"glove": glove(), "word2vec text": b"4 3\n" + glove(), "word2vec binary": binary()}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_gives_its_words_and_their_numbers(tmp_path, form):
    path = tmp_path / "vectors"
    path.write_bytes(FORMS[form])
    words, matrix = word_vectors("vectors", ["great game"], 1, surroundings(path))
    assert words == [*FILE, "@user"], "who was mentioned has one name here, another there"
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, np.array([*FILE.values(), FILE["<user>"]], dtype=np.float32))


def test_so_many_of_a_file_are_read(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(glove())
    assert read_vectors(path, most_words=2).index_to_key == ["great", "awful"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 parts"),
        (b"created_at,text\n2026,hello\n", "1 parts"),
        (b"great 1 2 3\nawful 1 2\n", ""),
        (b"great 1 2 3\nawful 1 2 x\n", ""),
        (b"4 3\ngreat 1 2 3\n", ""),
        (b"great 1 2 nan\n", "not finite"),
        (b"4 3\ngreat \x00\x01", ""),
        (b'{\n  "a": 1,\n}\n', "1 parts"),
    ],
)
def test_another_file_is_refused(tmp_path, content, reason):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"vectors\.txt can't be read as word vectors \(.*{reason}.*\): expected a word and its numbers"):
        read_vectors(path)


def test_no_file_is_refused_before_gensim_says_anything(tmp_path):
    with pytest.raises(ParamsError, match=r"compare\.vectors names no file"):
        read_vectors(None)
    with pytest.raises(ModelError, match="is not there"):
        read_vectors(tmp_path / "vectors.txt")


@pytest.mark.parametrize("kind", ["word2vec", "fasttext"])
def test_words_that_stand_together_are_near(kind):
    texts, _ = tiny_rows(600)
    words, matrix = word_vectors(kind, texts, 1, surroundings(), {"dimensions": 24, "vector_epochs": 40})
    assert matrix.shape == (len(words), 24)
    unit = dict(zip(words, matrix / np.linalg.norm(matrix, axis=1, keepdims=True), strict=True))
    assert unit["great"] @ unit["love"] > unit["great"] @ unit["awful"], "great and love are told of the same things"


def test_a_word_of_too_few_rows_is_not_among_them():
    assert word_vectors("word2vec", ["a b", "a c"], 1, surroundings())[0] == ["a"]
    with pytest.raises(DatasetError, match="no word is 2 times or more in the 1 training rows"):
        word_vectors("word2vec", ["a b"], 1, surroundings())


def test_a_text_is_placed_without_regard_to_the_others():
    texts, _ = tiny_rows(200)
    documents = trained_documents([words_of(text) for text in texts], 1, {name: option.default for name, option in OPTIONS["doc2vec"].items()})
    alone = documents.place(words_of(texts[7]))
    documents.place(words_of(texts[3]))
    assert np.array_equal(documents.place(words_of(texts[7])), alone)
    assert not documents.place(["unseen"]).any()
    assert not documents.place([]).any()


CODE = """
import hashlib
from tests.test_vectors import OPTIONS, surroundings, tiny_rows, trained_documents, word_vectors, words_of
texts, _ = tiny_rows(100)
for kind in ("word2vec", "fasttext"):
    words, matrix = word_vectors(kind, texts, 5, surroundings())
    print(words, hashlib.md5(matrix.tobytes()).hexdigest())
defaults = {name: option.default for name, option in OPTIONS["doc2vec"].items()}
print(trained_documents([words_of(text) for text in texts], 5, defaults).place(["great", "fun"]).tobytes().hex())
"""


def test_another_process_with_another_hash_learns_the_same():
    said = [
        subprocess.run([sys.executable, "-c", CODE], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""


def test_how_much_of_the_words_is_known():
    assert known_share([["great", "game"], ["great"]], {"great"}) == pytest.approx(2 / 3)
    assert known_share([[]], {"great"}) == 0
