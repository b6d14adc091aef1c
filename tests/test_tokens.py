"""Word pieces are DistilBERT's, and cut as its tokenizer cuts."""

from groundswell.tokens import cut, encode, vocabulary_sha256

BERT_BASE_UNCASED = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"


def test_the_vocabulary_is_distilberts():
    assert vocabulary_sha256() == BERT_BASE_UNCASED


def test_pieces():
    assert encode(["", "hello"]) == [[101, 102], [101, 7592, 102]]
    assert len(encode(["word " * 3000])[0]) == 3002, "nothing is cut here"


def test_cut_keeps_the_end_mark():
    assert cut([101, 1, 2, 3, 102], 4) == [101, 1, 2, 102]
    assert cut([101, 1, 102], 3) == [101, 1, 102]
