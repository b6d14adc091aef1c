"""Configuration in one typed place.

`Params`: what changes a result; read from ``params.yaml``, versioned with the code, one section a stage.
`Settings`: where things are, and secrets; read from ``GROUNDSWELL_*`` in the environment. Both are loaded at entry points
only; an unknown key is an error that names it, its file, and the nearest key that exists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell import grid
from groundswell.errors import ParamsError, UnknownName, nearest
from groundswell.pii import KINDS
from groundswell.schema import LABELS, PROVENANCES

Share = Annotated[float, Field(ge=0, le=1)]

DEMO_PSEUDONYM_KEY = "known-to-everybody-and-only-for-the-demo"
DEMO_VERDICT_KEY = "known-to-everybody-and-signs-in-the-demo-only"
DRIVER = "postgresql+psycopg2://"
"""How a database's URL begins: plain ``postgresql://`` would mean another driver to SQLAlchemy."""
SECRETS = Path("/run/secrets")
"""Where a container finds its secrets, a file each, named as the variable: read for what the environment does not say."""


@dataclass(frozen=True)
class Place:
    """A folder's path or object storage: a URL down to a root, and what its fsspec file system must be told (endpoint_url, key, secret …)."""

    url: str
    options: dict = field(default_factory=dict, repr=False)
    key_file: Path | None = None
    """The keys to encrypt what lies there with; None: not encrypted."""


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


class Settings(BaseSettings):
    """Where things are, and secrets: ``GROUNDSWELL_HOME``, ``GROUNDSWELL_MLFLOW_URI`` …"""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDSWELL_", extra="ignore", frozen=True, hide_input_in_errors=True, secrets_dir=SECRETS if SECRETS.is_dir() else None
    )

    project: Path = Path(".")
    """The folder with params.yaml, dvc.yaml and dags/."""
    home: Path = Path("var")
    """All state, relative to the project unless absolute."""
    params: Path = Path("params.yaml")
    is_demo: bool = False
    """Demo mode: known keys are allowed, approvals are answered automatically."""
    pseudonym_key: str = ""
    """The HMAC key of author pseudonyms. Keep it: another key makes every author a stranger."""
    pseudonym_keys_before: SecretStr = SecretStr("")
    """The keys that were in use before, the latest first, between commas: erasure and tombstones know authors by every one of them."""
    verdict_key: SecretStr = SecretStr("")
    """The HMAC key that judge signs its verdicts with and promote checks them by: both must have it, and nobody else."""
    hackernews_url: str = "https://hn.algolia.com"
    hackernews_items_url: str = "https://hacker-news.firebaseio.com"
    """Single Hacker News items, for asking whether they are still there."""
    steam_url: str = "https://api.steampowered.com"
    reddit_url: str = "https://oauth.reddit.com"
    reddit_token_url: str = "https://www.reddit.com/api/v1/access_token"
    reddit_client_id: str = ""
    reddit_client_secret: SecretStr = SecretStr("")
    """Of the app that Reddit approved; it reads without a user."""
    reddit_user_agent: str = ""
    """Unique and true, as Reddit wants it: PLATFORM:APP:VERSION (by /u/NAME)."""
    x_url: str = "https://api.x.com"
    x_bearer_token: SecretStr = SecretStr("")
    """The app-only bearer token of X's developer console; reading costs money."""
    bluesky_url: str = "https://bsky.social"
    bluesky_handle: str = ""
    """Whose session Bluesky's search is asked in: it answers nobody without one."""
    bluesky_app_password: SecretStr = SecretStr("")
    lemmy_url: str = ""
    """The instance whose communities are read; as with Mastodon, there is no default."""
    mastodon_url: str = ""
    """The instance whose hashtags are read; there is no default, because each instance has rules of its own."""
    mastodon_token: SecretStr = SecretStr("")
    """For an instance that shows its timelines to nobody without one."""
    rss_url: str = ""
    """What addresses of feeds without a host are relative to; empty: there are none."""
    gdelt_url: str = "https://api.gdeltproject.org"
    gdelt_pause_seconds: float = 5
    """How far GDELT wants requests to be apart; one's own simulator has no such wish."""
    lake_key: str = ""
    """The file with the keys that encrypt the lake, outside of home; empty: the lake is not encrypted."""
    annotator_url: str = ""
    """Where annotations come from; empty: nobody annotates."""
    mlflow_uri: str = ""
    """The tracking server; empty: the SQLite store under home that the embedded server uses too."""
    airflow_database_url: SecretStr = SecretStr("")
    """The embedded Airflow's metadata database, postgresql+psycopg2://…; empty: SQLite under home."""
    mlflow_database_url: SecretStr = SecretStr("")
    """The embedded MLflow's store, postgresql+psycopg2://…; empty: SQLite under home."""
    tune_database_url: SecretStr = SecretStr("")
    """Where studies of hyperparameters are kept, postgresql+psycopg2://…; empty: SQLite under home, a file a topic."""
    airflow_url: str = "http://127.0.0.1:8080"
    airflow_user: str = "admin"
    """Who our own commands are to Airflow."""
    airflow_password: SecretStr = SecretStr("")
    """Empty: the embedded Airflow, whose password is known here."""
    serving_url: str = "http://127.0.0.1:8000"
    serving_key: SecretStr = SecretStr("")
    """The API key that our own commands show to serving; empty: none, for a serving that asks for none."""
    serving_keys_file: str = ""
    """Serving's API keys, which `keys` changes; left out: ``serving/keys.json`` under home."""
    serving_python: str = ""
    """The Python of serving's environment; left out: ``.venv-serving/bin/python`` of the project."""
    airflow_port: int = 8080
    mlflow_port: int = 5000
    serving_port: int = 8000
    simulator_port: int = 8400
    lake_url: str = ""
    """The lake's root on object storage, s3://BUCKET/PREFIX or any URL that fsspec knows; empty: the folder lake under home."""
    lake_options: SecretStr = SecretStr("")
    """What fsspec must be told for ``lake_url``, as a JSON object: endpoint_url, key, secret …"""
    dvc_remote: str = ""
    """A DVC remote's URL; empty: a folder under home."""

    @field_validator("lake_options")
    @classmethod
    def _is_an_object(cls, options: SecretStr) -> SecretStr:
        try:
            is_object = isinstance(json.loads(options.get_secret_value() or "{}"), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ValueError('expected a JSON object like {"endpoint_url": …}, found something else (the value is not shown, it is a secret)')
        return options

    @field_validator("airflow_database_url", "mlflow_database_url", "tune_database_url")
    @classmethod
    def _has_the_driver(cls, url: SecretStr) -> SecretStr:
        if url and not url.get_secret_value().startswith(DRIVER):
            raise ValueError(f"expected {DRIVER}USER:PASSWORD@HOST:PORT/DATABASE, found another beginning (the value is not shown, it is a secret)")
        return url

    @property
    def root(self) -> Path:
        """``home`` as an absolute path."""
        return (self.project / self.home).resolve()

    @property
    def keys_file(self) -> Path:
        """Serving's API keys: `serving.config.ServingSettings.keys_file`, held equal by a test."""
        return self.project / self.serving_keys_file if self.serving_keys_file else self.root / "serving" / "keys.json"

    @property
    def serving_interpreter(self) -> Path:
        """The Python of serving's environment, there or not."""
        return self.project.resolve() / (self.serving_python or ".venv-serving/bin/python")

    @property
    def lake(self) -> Path | Place:
        """Where the lake is: what `lake.Lake` takes."""
        if not self.lake_url and not self.lake_key:
            return self.root / "lake"
        options = json.loads(self.lake_options.get_secret_value() or "{}")
        return Place(self.lake_url or str(self.root / "lake"), options, self.project / self.lake_key if self.lake_key else None)

    def dataset(self, topic: str) -> Path:
        return self.root / "dataset" / topic

    def model(self, topic: str) -> Path:
        return self.root / "model" / topic

    def report(self, stage: str, *parts: str) -> Path:
        """Where ``stage`` leaves its report: ``reports/<stage>/<parts…>.json``."""
        path = self.root.joinpath("reports", stage, *parts)
        return path.with_name(path.name + ".json")

    @property
    def tracking_uri(self) -> str:
        """The MLflow to ask: a server where one is named or its store is a database server, else the SQLite store itself."""
        if not self.mlflow_uri and self.mlflow_database_url:
            return f"http://127.0.0.1:{self.mlflow_port}"
        return self.mlflow_uri or f"sqlite:///{self.root / 'mlflow' / 'mlflow.db'}"

    def keys_for_pseudonyms(self) -> tuple[bytes, ...]:
        """The key in use, then those before it; `ParamsError` when there is none, or the demo's outside the demo."""
        key = self.pseudonym_key or (DEMO_PSEUDONYM_KEY if self.is_demo else "")
        if key == DEMO_PSEUDONYM_KEY and not self.is_demo:
            raise ParamsError("GROUNDSWELL_PSEUDONYM_KEY is the demo's, which everybody knows: set your own, e.g. from: openssl rand -hex 32")
        before = [each.strip() for each in self.pseudonym_keys_before.get_secret_value().split(",") if each.strip()]
        for name, each in (("GROUNDSWELL_PSEUDONYM_KEY", key), *(("GROUNDSWELL_PSEUDONYM_KEYS_BEFORE", each) for each in before)):
            if len(each) < 16:
                raise ParamsError(
                    f"{name}: expected at least 16 characters a key (author ids leave collect only as pseudonyms made with it); "
                    "make one with: openssl rand -hex 32"
                )
        return tuple(each.encode() for each in dict.fromkeys((key, *before)))

    def key_for_verdicts(self) -> bytes:
        """What verdicts are signed with; `ParamsError` when there is none, or the demo's outside the demo."""
        key = self.verdict_key.get_secret_value() or (DEMO_VERDICT_KEY if self.is_demo else "")
        if key == DEMO_VERDICT_KEY and not self.is_demo:
            raise ParamsError("GROUNDSWELL_VERDICT_KEY is the demo's, which everybody knows: set your own, e.g. from: openssl rand -hex 32")
        if len(key) < 16:
            raise ParamsError(
                "GROUNDSWELL_VERDICT_KEY: expected at least 16 characters (judge signs its verdicts with it, promote refuses others); "
                "make one with: openssl rand -hex 32"
            )
        return key.encode()


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


def load_settings() -> Settings:
    """`Settings` from the environment; `ParamsError` naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise ParamsError("; ".join(map(_explain_setting, error.errors()))) from None


def _explain_setting(detail: dict) -> str:
    name = str(detail["loc"][0])
    is_secret = Settings.model_fields[name].annotation is SecretStr
    return f"GROUNDSWELL_{name.upper()}: {detail['msg']}" + ("" if is_secret else f", found {detail['input']!r}")


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
