"""What changes a result: ``params.yaml``, versioned with the code, one section a stage.

Read at entry points only (`load_params`); an unknown key is an error that names it, its file, and the nearest key that exists. Where things are,
and secrets: `groundswell.settings`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator

from groundswell import grid
from groundswell.errors import ParamsError, UnknownName, nearest
from groundswell.pii import KINDS
from groundswell.schema import LABELS, PROVENANCES

if TYPE_CHECKING:
    from groundswell.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Topic(Section):
    """The sources of one topic, by name, each with a section of its own kind (`Source.section`); one that is not named does not collect it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def sources(self) -> list[str]:
        return sorted(name for name, section in self if section is not None)

    def sources_named(self, names: str) -> list[str]:
        """The topic's sources that are among ``names`` (between commas; empty: all of them); `UnknownName` for no source, and for none left."""
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        known = _sources().known()
        for name in wanted:
            if name not in known:
                raise UnknownName(f"source {name!r} does not exist{nearest(name, known)}")
        chosen = [name for name in self.sources if not wanted or name in wanted]
        if not chosen:
            raise UnknownName(f"none of {', '.join(wanted)} is a source of the topic in params.yaml: it has {', '.join(self.sources) or 'none'}")
        return chosen


class _NamedTopic(Topic):
    """What `load_params` derives a topic's kind from: a field for every source that the file names and somebody has."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _sources():
    """The registry of sources, by its name: this module imports nothing of ours that does something."""
    return import_module("groundswell.sources")


class CollectParams(Section):
    window: Literal["day", "hour"] = "day"
    page_size: int = Field(100, ge=1, le=1000)
    attempts: int = Field(5, ge=1)  # per request, with exponential waits or the server's own word
    longest_wait_seconds: float = Field(60, gt=0)
    recollect_days: list[Annotated[int, Field(ge=1)]] = [1, 3]
    """So many days after its first collection a day is collected again, for late posts, edits and deletions."""
    watch_minutes: int = Field(30, ge=1)
    """How often the DAG watch reads what shows its latest posts only; less than such a feed takes to turn over."""


class AnnotateParams(Section):
    share: Share = 0.3
    """Share of each window's posts that the annotator labels."""
    error_rate: Share = 0.05
    seed: int = 1


class ValidateParams(Section):
    max_quarantined_share: Share = 0.2
    max_duplicate_share: Share = 0.3
    min_rows_for_shares: int = Field(20, ge=1)  # a smaller partition is not judged by shares: one bad row of three says nothing
    max_text_characters: int = Field(20_000, ge=1)
    labels: list[str] = []
    """Labels that a corpus may bring besides LABELS, in any case; empty: any word (prepare maps or refuses it)."""
    rows_due: dict[str, int] = {}
    """Source → the fewest rows that one of its windows must have; a source that is not named may be empty."""
    near_duplicate_rows: int = Field(2_000, ge=0)  # of a partition, its first: so many are compared with each other; 0: none
    near_duplicate_similarity: float = Field(0.8, ge=0.5, le=1)  # of sets of character 5-grams (Jaccard), as prepare's


LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "nl", "no", "pl", "pt", "ro", "ru", "sv",
    "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""The languages that texts are told apart in: those of Steam's reviews, Hebrew and Hindi."""


class HygieneParams(Section):
    """What is done to a post's text and record between raw and valid, and how a text's language is told."""

    scrub: list[Literal[KINDS]] = list(KINDS)
    names: bool = False  # people's names by a model: needs the extra groundswell[names]
    names_model: str = "en_core_web_sm"  # a spaCy pipeline that is installed, or a folder with one
    languages: list[str] = list(LANGUAGES)  # ISO 639-1; empty: all that the model knows, at some loss with short texts
    min_letters: int = Field(12, ge=0)  # fewer, without mentions and links, say nothing; a letter of a dense script counts for three
    min_language_probability: Share = 0.5
    language_trust: Share = 0.95
    """How likely a platform's word for a language is right; 1: nothing in the text speaks against it."""


class PrepareParams(Section):
    label_map: dict[str, Literal[LABELS]] = {}  # case-insensitive; LABELS themselves need no entry
    validation_share: Share = 0.12
    test_share: Share = 0.18
    near_duplicate_similarity: float = Field(0.8, ge=0.5, le=1)  # of sets of character 5-grams (Jaccard)
    group_by: list[Literal["duplicates", "author", "source_id"]] = ["duplicates", "author", "source_id"]
    min_rows_per_class: int = Field(20, ge=1)
    train_provenances: list[Literal[PROVENANCES]] = ["human", "dataset", "native"]
    languages: list[str] = []  # empty: all
    max_rows: int = Field(300_000, ge=1)  # of more labelled posts so many are taken, those labelled by people and data sets first
    max_length: int = Field(96, ge=8, le=512)
    seed: int = 1


class TrainParams(Section):
    base: str = "packaged"  # "packaged", a folder with a DistilBERT, or a hub's name for one
    emoji: Literal["unknown", "named"] = "unknown"  # named: a word piece for each, begun from its name; unknown: all are one [UNK]
    max_length: int = Field(96, ge=8, le=512)
    learning_rate: float = Field(1e-4, gt=0)
    batch_size: int = Field(32, ge=1)
    epochs: float = Field(3, gt=0)
    warmup_share: Share = 0.1
    weight_decay: float = Field(0.01, ge=0)
    early_stopping_patience: int = Field(2, ge=0)  # evaluations without a better macro-F1; 0: never stop early
    evaluations_per_epoch: int = Field(1, ge=1)
    class_weights: Literal["none", "balanced", "adjusted"] = "none"  # adjusted: answers as if every class were as frequent
    augmentation: Literal[grid.AUGMENTATIONS] = "none"  # rows that are added to train's, and to nothing else
    schedule: Literal["linear", "cosine"] = "linear"  # of the learning rate, after the warm-up
    layer_decay: float = Field(1.0, gt=0, le=1)  # the learning rate of a layer over that of the one above it
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    consistency: float = Field(0.0, ge=0)  # weight of the disagreement of two passes with different dropout; above 0 a step costs two
    distillation: Share = 0.0  # share of the teachers' answers in what is learnt; above 0 they learn first, each as often as there are folds
    teachers: list[str] = Field(["words-chars-lexicon-logistic"], min_length=1)  # rows of docs/stages/compare.md, by name
    teacher_folds: int = Field(5, ge=2)  # what a teacher says of a row, it says without having learnt from its group
    average_last: Share = 0.0  # the weights kept are the mean over this share of the steps, the last ones
    further_pretraining_epochs: float = Field(0.0, ge=0)  # passes over texts, to guess words hidden in them, before the labels are learnt
    further_pretraining_learning_rate: float = Field(1e-4, gt=0)
    further_pretraining_posts: int = Field(20_000, ge=0)  # of the lake, at most, nobody's label on them, beside the training rows
    mask_share: float = Field(0.15, gt=0, lt=1)  # of the words of a text, those to guess
    warm_start: Literal["none", "champion"] = "none"  # champion: begins with its weights, where they have learnt nothing that judges
    warm_start_epochs: float = Field(1, gt=0)  # passes over the rows after a warm start, instead of epochs
    warm_starts: int = Field(6, ge=1, le=50)  # in a row: then a training begins with the base again
    bf16: Literal["auto", "on", "off"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"  # torch.compile of the network; auto: on a GPU
    threads: int = Field(0, ge=0)  # 0: as many as there are cores
    min_fp32_agreement: Share = 0.995  # label agreement of ONNX fp32 with PyTorch, on validation rows
    min_int8_agreement: Share = 0.95  # and of int8 with fp32; judge has its own bound, on test rows
    seed: int = 1

    @field_validator("teachers")
    @classmethod
    def _teachers_are_known(cls, names: list[str]) -> list[str]:
        known = [row.name for row in usual_rows()]
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"there is no row {unknown[0]!r}{nearest(unknown[0], known)}")
        return names

    @model_validator(mode="after")
    def _begins_with_one_thing(self) -> TrainParams:
        if self.warm_start != "none" and self.further_pretraining_epochs:
            raise ValueError(
                "warm_start champion goes with no further_pretraining_epochs above 0: a champion's weights have learnt labels, which guessing words "
                "would wear off, and a model that has read posts of no data set is never begun with: leave one of them at its default"
            )
        return self


class EvaluateParams(Section):
    bootstrap_samples: int = Field(2000, ge=100)
    calibration_bins: int = Field(15, ge=2)
    min_slice_rows: int = Field(20, ge=1)
    seed: int = 1


class JudgeParams(Section):
    bootstrap_samples: int = Field(5000, ge=100)
    goal: Literal["better", "no_worse"] = "better"
    """What a challenger must show against the champion to be promoted; "no_worse" is asked of a model of newer data only."""
    margin: float = Field(0.01, ge=0)  # non-inferiority, in macro-F1; a difference that the rows should be able to show
    min_macro_f1: Share = 0.4  # floor for a first champion, and for every champion
    max_slice_drop: Share = 0.1
    min_slice_rows: int = Field(50, ge=1)
    max_ece: Share = 0.15
    min_int8_agreement: Share = 0.95
    max_int8_log_loss_rise: float = Field(0.05, ge=0)  # of int8 over fp32, in nats a row
    max_behaviour_drop: Share = 1.0
    """Of the behavioural cases that the champion passes, how large a share a challenger may pass fewer; 1: reported, and no gate."""
    measured_in: Literal["serving", "process"] = "serving"
    """Where latency and memory are measured: in serving processes that are started for it, or (latency only) in the judge's own."""
    max_latency_ratio: float = Field(1.5, gt=0)
    max_memory_ratio: float = Field(1.5, gt=0)  # of the serving process's resident memory, over the champion's
    min_rows: int = Field(50, ge=1)
    """With fewer test rows that neither model was trained on, the verdict is INCONCLUSIVE."""
    min_groups: int = Field(10, ge=1)
    """With fewer groups (authors, clusters of duplicates) among them it is too: that many are drawn from, however many rows they have."""
    latency_texts: int = Field(64, ge=8)  # answered by both in turn, one at a time
    seed: int = 1


class PromoteParams(Section):
    requires_approval: bool = True
    approvers: list[str] = ["admin"]
    approval_timeout_hours: float = Field(72, gt=0)
    verdict_hours: float = Field(96, gt=0)  # how old a verdict may be that is acted upon: longer than an approval may take
    serving_timeout_seconds: float = Field(120, gt=0)


class MonitorParams(Section):
    min_rows: int = Field(50, ge=1)  # a window with fewer posts gets no decision
    max_rows: int = Field(5000, ge=1)  # of more, so many are compared, spread evenly
    effect_size: float = Field(0.2, gt=0)
    """For numbers: the least Wasserstein distance that counts, in standard deviations of the reference."""
    mix_effect_size: float = Field(0.1, gt=0)
    """For shares and mixes (labels, emoji, links …): the least Jensen-Shannon distance that counts."""
    max_unknown_share: Share = 0.1
    """The share of word pieces unknown to the model from which on it counts."""
    persistence_windows: int = Field(2, ge=1)
    """A signal counts when it is over in so many windows on end, this one the last."""
    signals_needed: int = Field(1, ge=1)
    seed: int = 1


class ScoreParams(Section):
    threads: int = Field(1, ge=0)  # batches answered at once; 0: as many as there are cores; the answers are the same


class TakedownParams(Section):
    posts_per_run: int = Field(1000, ge=1)  # a source and run
    days: int = Field(30, ge=1)
    """How old a window may be whose posts are still asked about."""
    max_gone_share: Share = 0.5
    """More than this share of the asked posts gone is an outage, not a deletion: nothing is erased."""


class RetainParams(Section):
    """How many days after its end a window stays in a layer; 0: for ever."""

    raw_days: int = Field(0, ge=0)
    valid_days: int = Field(0, ge=0)
    quarantine_days: int = Field(0, ge=0)
    labels_days: int = Field(0, ge=0)
    scored_days: int = Field(0, ge=0)


class CompareRow(Section):
    """One row of the comparison: what is done to a text, what is made of it, and what learns from that."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    cleaning: Literal[grid.CLEANINGS] = "none"
    features: Literal[grid.FEATURES] = grid.TEXT
    model: Literal[grid.MODELS]
    augmentation: Literal[grid.AUGMENTATIONS] = "none"
    options: dict[str, float | int | str | bool] = {}
    """Of the features and the model, by name; for a DistilBERT: keys of the train section, which hold only here."""

    @model_validator(mode="after")
    def _goes_together(self) -> CompareRow:
        if self.features not in grid.READS[self.model]:
            raise ValueError(f"{self.name}: {self.model} reads {', '.join(grid.READS[self.model])}, not {self.features}")
        return self

    @property
    def is_seeded(self) -> bool:
        return grid.is_seeded(self.features, self.model, self.augmentation)


def usual_rows() -> list[CompareRow]:
    """Every usual approach once, the cheap ones first."""
    counted = [
        CompareRow(name="vader", model="vader"),
        CompareRow(name="words-bayes", cleaning="words", features="bag_of_words", model="naive_bayes"),
        CompareRow(name="words-logistic", cleaning="words", features="bag_of_words", model="logistic"),
        CompareRow(name="tfidf-logistic", features="tfidf", model="logistic"),
        CompareRow(name="tfidf-svm", features="tfidf", model="svm"),
        CompareRow(name="tfidf-forest", features="tfidf", model="forest"),
        CompareRow(name="chars-logistic", features="char_ngrams", model="logistic"),
        CompareRow(name="words-and-chars-logistic", features="words_and_chars", model="logistic"),
        CompareRow(name="words-and-chars-svm", features="words_and_chars", model="svm"),
        CompareRow(name="words-chars-lexicon-logistic", features="words_chars_lexicon", model="logistic"),
        CompareRow(name="words-chars-lexicon-svm", features="words_chars_lexicon", model="svm"),
        *(
            CompareRow(name=f"tfidf-logistic-{how.replace('_', '-')}", cleaning=how, features="tfidf", model="logistic")
            for how in grid.CLEANINGS
            if how != "none"
        ),
    ]
    averaged = [CompareRow(name=f"{kind}-logistic", features=kind, model="logistic") for kind in grid.AVERAGED if kind != "vectors"]
    networks = [CompareRow(name=model.replace("_", "-"), features="learnt", model=model) for model in grid.SEQUENCE_MODELS]
    transformers = [CompareRow(name=model.replace("_", "-"), model=model) for model in grid.TRANSFORMERS]
    augmented = [
        CompareRow(name=f"tfidf-logistic-{how.replace('_', '-')}", features="tfidf", model="logistic", augmentation=how)
        for how in ("edits", "synonyms", "weak_vader")
    ]
    return [*counted, *averaged, *augmented, *networks, *transformers]


class CompareParams(Section):
    folds: int = Field(3, ge=2)  # by group, over the rows of train and validation: test is the judge's
    seeds: list[int] = Field([1, 2, 3], min_length=1)
    bootstrap_samples: int = Field(2000, ge=100)
    rows: list[CompareRow] = []  # empty: every usual approach, as docs/stages/compare.md lists them
    curves: list[str] = ["tfidf-logistic", "distilbert"]
    """Rows whose quality is measured by the number of labels too."""
    curve_shares: list[Annotated[float, Field(gt=0, le=1)]] = [0.1, 0.25, 0.5, 1.0]
    vectors: Path | None = None
    """Word vectors of somebody else, in GloVe's or word2vec's text format, for the rows whose features are ``vectors``."""

    @property
    def wanted(self) -> list[CompareRow]:
        """The rows to compare."""
        return self.rows or usual_rows()

    @model_validator(mode="after")
    def _names_are_known(self) -> CompareParams:
        names = [row.name for row in self.wanted]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rows: {', '.join(twice)} stands there twice")
        if unknown := [name for name in self.curves if name not in names]:
            raise ValueError(f"curves: there is no row {unknown[0]!r}{nearest(unknown[0], names)}")
        return self


class TuneParams(Section):
    trials: int = Field(20, ge=1)  # that a study comes to, those of earlier calls among them
    budget_minutes: float = Field(0, ge=0)  # 0: no bound
    startup_trials: int = Field(5, ge=1)  # drawn at random before TPE, and before anything is pruned
    pruner: Literal["median", "none"] = "median"
    pruner_evaluations: int = Field(1, ge=1)  # a trial is not pruned before so many looks at validation
    confirm_seeds: list[int] = [11, 12, 13]
    """Fresh seeds with which the best values and today's are learnt once more."""
    bootstrap_samples: int = Field(2000, ge=100)
    seed: int = 1


class Params(Section):
    """The whole of params.yaml."""

    topic: str
    """The topic that `dvc repro`, and any command without --topic, works on."""
    topics: dict[str, Topic]
    collect: CollectParams = CollectParams()
    annotate: AnnotateParams = AnnotateParams()
    validate_: ValidateParams = Field(ValidateParams(), alias="validate")
    hygiene: HygieneParams = HygieneParams()
    prepare: PrepareParams = PrepareParams()
    train: TrainParams = TrainParams()
    evaluate: EvaluateParams = EvaluateParams()
    judge: JudgeParams = JudgeParams()
    promote: PromoteParams = PromoteParams()
    monitor: MonitorParams = MonitorParams()
    score: ScoreParams = ScoreParams()
    takedown: TakedownParams = TakedownParams()
    retain: RetainParams = RetainParams()
    compare: CompareParams = CompareParams()
    tune: TuneParams = TuneParams()

    def topic_named(self, name: str | None) -> tuple[str, Topic]:
        """The topic called ``name`` (None: the default one); `UnknownName` with the nearest one that exists."""
        name = name or self.topic
        if name not in self.topics:
            raise UnknownName(f"topic {name!r} is not in params.yaml: topics{nearest(name, self.topics)}")
        return name, self.topics[name]


def load_params(settings: Settings) -> Params:
    """`Params` from the file that ``settings`` names; `ParamsError` naming file, key and the nearest right key."""
    path = settings.project / settings.params
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is not there: run from the project's folder or set GROUNDSWELL_PROJECT") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    try:
        return _model_for(values or {}).model_validate(values or {})
    except ValidationError as error:
        raise ParamsError("; ".join(_explain(path, values, detail) for detail in error.errors())) from None


def _model_for(values) -> type[Params]:
    """`Params` whose topics know the sections of the sources that ``values`` names; those alone are imported."""
    topics = values.get("topics") if isinstance(values, dict) else None
    named = {name for topic in topics.values() if isinstance(topic, dict) for name in topic} if isinstance(topics, dict) else set()
    sources = _sources()
    sections = {name: (sources.source_named(name).section | None, None) for name in sorted(map(str, named)) if name in sources.known()}
    topic = create_model("Topic", __base__=_NamedTopic, **sections)
    return create_model("Params", __base__=Params, topics=(dict[str, topic], ...))


def _explain(path: Path, values, detail: dict) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        *parents, key = detail["loc"]
        return f"{path}: unknown key {where!r}{nearest(str(key), _keys_at(parents))}"
    return f"{path}: {where}: {detail['msg']}, found {detail['input']!r}"


def _keys_at(parents: list) -> list[str]:
    """The keys that may stand under ``parents``, a path from the file's root."""
    if parents[:1] == ["topics"]:
        known = _sources().known()
        return sorted(known) if len(parents) == 2 else _names_of(_sources().source_named(parents[2]).section, parents[3:])
    return _names_of(Params, parents)


def _names_of(model, parents: list) -> list[str]:
    for name in parents:
        model = _model_of(_names(model)[name].annotation) if name in _names(model) else None
        if model is None:
            return []
    return list(_names(model))


def _names(model) -> dict:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_of(annotation):
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Section)), None)
