"""The names of what is compared, and which of them go together: cleanings, features, models, and the pairs that make sense.

Reads and writes nothing; `params` checks params.yaml by it, `groundswell.approaches` builds what it names.
"""

from __future__ import annotations

CLEANINGS = ("none", "marks", "words", "stems", "lemmas", "few_stop_words", "stop_words")
"""none: the normalised text. marks: links and mentions out, emoji and emoticons as words, runs of punctuation cut. words: letters only,
lower case. stems, lemmas: of words. few_stop_words: words without a hand-picked few, negations kept; stop_words: without scikit-learn's list."""

COUNTED = ("bag_of_words", "tfidf", "char_ngrams", "words_and_chars", "words_chars_lexicon")
"""Sparse: a number for each n-gram of the text; words_and_chars: tfidf and char_ngrams side by side; words_chars_lexicon: and what
VADER says."""
AVERAGED = ("word2vec", "fasttext", "doc2vec", "vectors", "encoder")
"""Dense: one vector a text. word2vec, fasttext, doc2vec learn on the training rows; vectors are read from a file (GloVe's or word2vec's
format); encoder is the mean of a frozen transformer's hidden states."""
SEQUENCES = ("learnt", "word2vec", "fasttext", "vectors")
"""One vector a word, in order: learnt from nothing, or begun from those of AVERAGED."""
TEXT = "text"
"""The text itself: what a lexicon and a DistilBERT read."""
FEATURES = tuple(dict.fromkeys((*COUNTED, *AVERAGED, *SEQUENCES, TEXT)))

LINEAR = ("logistic", "svm")
SEQUENCE_MODELS = ("lstm", "bilstm", "lstm_attention", "cnn_lstm", "self_attention")
TRANSFORMERS = ("distilbert_frozen", "distilbert_lora", "distilbert")
MODELS = ("vader", "naive_bayes", *LINEAR, "forest", *SEQUENCE_MODELS, *TRANSFORMERS)

READS = {
    "vader": (TEXT,),
    "naive_bayes": COUNTED,  # a multinomial's counts can't be negative
    **dict.fromkeys((*LINEAR, "forest"), COUNTED + AVERAGED),
    **dict.fromkeys(SEQUENCE_MODELS, SEQUENCES),
    **dict.fromkeys(TRANSFORMERS, (TEXT,)),
}
"""Model → the features it can read."""

LEARNS_AT_RANDOM = ("forest", *SEQUENCE_MODELS, *TRANSFORMERS)
"""Models whose result hangs on a seed; so does whatever reads vectors that were trained (`word2vec`, `fasttext`, `doc2vec`)."""

AUGMENTATIONS = ("none", "edits", "synonyms", "weak_vader", "weak_champion")
"""What is added to the training rows, and to nothing else: edits of them, synonyms in them, or unlabelled posts with a weak label."""


def is_seeded(features: str, model: str, augmentation: str = "none") -> bool:
    """Whether another seed gives another result: such a row is fitted once a seed."""
    return model in LEARNS_AT_RANDOM or features in ("word2vec", "fasttext", "doc2vec") or augmentation in ("edits", "synonyms")
