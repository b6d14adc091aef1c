"""From an export folder to a model that may answer: verified, of the right topic and labels, and tried on texts of every kind.

Reads the folder; writes nothing. Refuses, with `Refused`, the reason and its kind: files that are missing, differ from the manifest or are
not listed in it, weights outside of the ONNX file (``files``); other labels, another topic, other text rules (``contract``); a tokenizer
that is not the network's (``tokenizer``); what ONNX Runtime does not load (``load``); answers that are no probabilities, or not the
ones that the export says it gives (``answers``); and a model that takes too long (``slow``).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from groundswell.errors import ModelError
from groundswell.files import sha256_of
from groundswell.predictor import MANIFEST, MODEL_FILES, Predictor
from serving import onnxfile
from serving.messages import LABELS
from serving.registry import Version

KINDS = (".json", ".md", ".npy", ".onnx", ".parquet")
"""The kinds of files that an export may hold: nothing that needs unpickling, no weights outside of the ONNX file."""

GOLDEN = "golden.json"
"""Of an export that has it: ``texts``, and the ``probabilities`` that the trained network itself gave for them."""
GOLDEN_TOLERANCE = 0.1
"""int8 arithmetic differs between processors: by 0.02 at most where it was measured, by more than this with another vocabulary."""

TRIAL = (
    "The new patch is wonderful, best update in years",
    "Servers down again. I want my money back 😡",
    "",
    "😂" * 300,
    "מדהים. 素晴らしい. \u202eabc\x00\ud800",
    "https://example.org @somebody " * 200,
)
"""What every candidate is asked before it may answer anybody: good, bad, nothing, emoji only, other scripts and rubbish, too long."""

_TIMES = 7
_SLACK_SECONDS = 0.005
"""Two models of a millisecond each are not told apart by their ratio on a busy machine."""
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Refused(ModelError):
    """A candidate that may not answer; ``kind`` is the class of reason, for metrics."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory. The predictor may be used by several threads at once; whoever holds this object finishes on it."""

    name: str
    version: Version
    predictor: Predictor
    digest: str
    loaded_at: datetime


@dataclass(frozen=True)
class Pace:
    """How long a candidate may take for a trial text: ``ratio`` times what ``present`` takes for it, where there is one, and ``seconds`` at most."""

    present: LoadedModel | None
    ratio: float
    seconds: float


def load_model(folder: Path, version: Version, *, name: str, topic: str, pace: Pace | None = None, alone_threads: int = 1) -> LoadedModel:
    """The model of the export in ``folder``, admitted: loaded as it will be served and queried with `TRIAL`."""
    listed = _refuse_strangers(folder)
    _refuse_external_weights(folder, listed)
    predictor = _loaded(folder, alone_threads)
    _refuse_other_contract(folder, predictor, topic)
    _refuse_other_tokenizer(folder)
    _refuse_bad_answers(folder, predictor)
    if GOLDEN in listed:
        _refuse_other_answers(folder, predictor)
    if pace is not None:
        _refuse_slow(folder, predictor, pace)
    return LoadedModel(name, version, predictor, sha256_of(folder / MANIFEST), datetime.now(UTC))


def _refuse_strangers(folder: Path) -> set[str]:
    """A file that nobody vouches for, or of a kind that an export has none of (a pickle, external weights), does not come in."""
    try:
        listed = set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]) | {MANIFEST}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused("files", f"{folder}: {MANIFEST} can't be read ({type(error).__name__}): fetch or export the model again") from error
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    unlisted = sorted(path.name for path in files if path.is_symlink() or path.relative_to(folder).as_posix() not in listed)
    if unlisted:
        raise Refused("files", f"{folder}: {', '.join(unlisted)} not listed in {MANIFEST}: expected the files of the export and no others")
    strange = sorted(name for name in listed if not str(name).endswith(KINDS))
    if strange:
        raise Refused("files", f"{folder}: {', '.join(strange)}: expected only files of the kinds {', '.join(KINDS)}")
    return listed


def _refuse_external_weights(folder: Path, listed: set[str]) -> None:
    """Before ONNX Runtime opens the file: it would read whatever path stands there. What is no protobuf, or not there, is found out next."""
    for name in sorted(name for name in listed if name.endswith(".onnx")):
        try:
            external = onnxfile.read(folder / name).external
        except (OSError, ValueError):
            continue
        if external:
            raise Refused("files", f"{folder}: {name} keeps weights outside of itself ({len(external)} tensors): export it as one file")


def _loaded(folder: Path, alone_threads: int) -> Predictor:
    try:
        return Predictor.load(folder, alone_threads=alone_threads)
    except ModelError as error:
        kind = "contract" if "text rules" in str(error) else "load" if "can't be loaded" in str(error) else "files"
        raise Refused(kind, str(error)) from error


def _refuse_other_contract(folder: Path, predictor: Predictor, topic: str) -> None:
    if predictor.labels != LABELS:
        found = ", ".join(map(str, predictor.labels))
        raise Refused("contract", f"{folder}: expected the labels {', '.join(LABELS)} in this order, found {found}")
    found = predictor.config.get("topic")
    if found != topic:
        raise Refused("contract", f"{folder}: expected a model of topic {topic!r}, found one of {found!r}")


def _refuse_other_tokenizer(folder: Path) -> None:
    """A token is a row of the network's table: as many rows as tokens, and the special tokens where BERT's are."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    missing = [token for token in _SPECIAL if tokenizer.token_to_id(token) is None]
    if missing:
        raise Refused("tokenizer", f"{folder}: tokenizer.json has no {', '.join(missing)}: not the tokenizer of a BERT, export the model again")
    rows = onnxfile.read(folder / MODEL_FILES["int8"]).table_rows
    if size not in rows:
        found = ", ".join(map(str, sorted(rows))) or "none"
        raise Refused("tokenizer", f"{folder}: tokenizer.json has {size} tokens, the network's tables have {found} rows: export it again")


def _refuse_bad_answers(folder: Path, predictor: Predictor) -> None:
    try:
        probabilities = predictor.predict(TRIAL)
    except Exception as error:  # noqa: BLE001 - whatever an unknown model does when it is asked, it is not admitted
        raise Refused("answers", f"{folder}: loads, but can't answer ({type(error).__name__}: {error})") from error
    if probabilities.shape != (len(TRIAL), len(LABELS)) or not np.isfinite(probabilities).all():
        expected = (len(TRIAL), len(LABELS))
        raise Refused(
            "answers", f"{folder}: expected finite probabilities of shape {expected}, found {probabilities.shape} with NaN or infinity in it"
        )
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise Refused("answers", f"{folder}: its answers are no probabilities: negative, or not summing to 1")


def _refuse_other_answers(folder: Path, predictor: Predictor) -> None:
    """A tokenizer of the same size in another order, or a head with its labels in another order, answers well-formed nonsense."""
    try:
        golden = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))
        expected = np.asarray(golden["probabilities"], dtype=np.float32).reshape(len(golden["texts"]), len(LABELS))
        texts = [str(text) for text in golden["texts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused("files", f"{folder}: {GOLDEN} can't be read ({type(error).__name__}): export the model again") from error
    difference = np.abs(predictor.predict(texts) - expected).max(axis=1) if texts else np.zeros(0)
    if (difference > GOLDEN_TOLERANCE).any():
        raise Refused(
            "answers",
            f"{folder}: {int((difference > GOLDEN_TOLERANCE).sum())} of {len(texts)} answers differ from those of {GOLDEN} by up to "
            f"{difference.max():.2f}, expected at most {GOLDEN_TOLERANCE}: another tokenizer, or labels in another order",
        )


def _refuse_slow(folder: Path, predictor: Predictor, pace: Pace) -> None:
    """Best of a few, candidate and champion in turns, in processor time: what else the machine does is neither's fault."""
    texts = TRIAL[:2]
    took = min(_seconds(predictor, texts) for _ in range(2)) / len(texts)
    if took > pace.seconds:
        raise Refused("slow", f"{folder}: takes {took:.3f} s for a text, expected at most {pace.seconds:g} (GROUNDSWELL_SERVING_SLOWEST_SECONDS)")
    if pace.present is None:
        return
    pairs = [(_seconds(predictor, texts), _seconds(pace.present.predictor, texts)) for _ in range(_TIMES)]
    took, present = (min(column) / len(texts) for column in zip(*pairs, strict=True))
    if took > pace.ratio * present + _SLACK_SECONDS:
        raise Refused(
            "slow",
            f"{folder}: takes {took:.4f} s for a text, version {pace.present.version.version} {present:.4f} s, expected at most {pace.ratio:g} times "
            "that (GROUNDSWELL_SERVING_SLOWEST_RATIO)",
        )


def _seconds(predictor: Predictor, texts: tuple[str, ...]) -> float:
    started = time.thread_time()  # a predictor computes on the thread that asks
    predictor.predict(texts)
    return time.thread_time() - started
