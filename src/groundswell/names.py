"""People's names, by a model: the optional part of the scrub, for those who want it and can wait for it.

Reads a string, gives it with ``[name]`` for every person that presidio's analyser sees through a spaCy pipeline. That pipeline must be
here already: nothing is ever fetched. Refuses, with `ParamsError`, where the extra ``groundswell[names]`` or the pipeline is missing.
A model misses names and sees some that are none: what has a form is found by rules (`pii`), before this.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from groundswell.errors import ParamsError

_PERSON = "PERSON"
_CHARACTERS = 50_000  # at a time: spaCy refuses a million, and its memory grows with them
_LEAST_SCORE = 0.5


class Names:
    """Presidio's analyser with one recogniser, a spaCy pipeline's; ``model``: a package's name or a folder."""

    def __init__(self, model: str):
        try:
            import spacy
            from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
            from presidio_analyzer.nlp_engine import NerModelConfiguration
            from presidio_analyzer.predefined_recognizers import SpacyRecognizer
        except ImportError as error:
            raise ParamsError(f"hygiene.names: {error.name} is not installed: pip install 'groundswell[names]', or set names: false") from None
        if not spacy.util.is_package(model) and not Path(model).is_dir():  # else presidio would fetch it, from wherever
            raise ParamsError(f"hygiene.names_model: {model!r} is neither an installed spaCy pipeline nor a folder: install one, or name it")
        engine = _engine(spacy.load(model), NerModelConfiguration(labels_to_ignore=[]))
        recogniser = SpacyRecognizer(supported_language=engine.language, supported_entities=[_PERSON])
        registry = RecognizerRegistry(recognizers=[recogniser], supported_languages=[engine.language])
        self._language = engine.language
        self._analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[engine.language])

    def scrub(self, text: str, counts: Counter) -> str:
        """``text`` with ``[name]`` for each person; ``counts`` has how many."""
        return "".join(self._part(text[start : start + _CHARACTERS], counts) for start in range(0, len(text), _CHARACTERS))

    def _part(self, text: str, counts: Counter) -> str:
        found = self._analyzer.analyze(text, language=self._language, entities=[_PERSON], score_threshold=_LEAST_SCORE)
        for person in sorted(found, key=lambda each: each.start, reverse=True):
            text = f"{text[: person.start]}[name]{text[person.end :]}"
        counts.update({"name": len(found)} if found else {})
        return text


def _engine(pipeline, configuration):
    """Presidio's engine around a spaCy ``pipeline`` that is loaded already."""
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Loaded(SpacyNlpEngine):
        language = pipeline.lang

        def load(self) -> None:
            self.nlp = {pipeline.lang: pipeline}

    return Loaded(models=[{"lang_code": pipeline.lang, "model_name": pipeline.meta["name"]}], ner_model_configuration=configuration)
