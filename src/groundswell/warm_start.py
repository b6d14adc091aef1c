"""Warm start: whether a training may begin with the champion's weights, and what it takes over with them.

Reads the registry, the champion's export and what its data sets were made of, the data set that `prepare` left and the lake's footers; writes
the export into the folder that it is given. A champion that has learnt what now judges, what was erased or revised since, or that another recipe
made, is not begun with: the training takes the base, and log, report and card say why. A registry out of reach is an error.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from groundswell import registry
from groundswell.erasure.models import TAG as ERASED
from groundswell.errors import ModelError, RegistryError
from groundswell.examples import Examples, read_examples
from groundswell.lake import Lake
from groundswell.learnt import ANCESTORS, ROWS, Manifests, learnt_rows, met_in_others
from groundswell.params import TrainParams
from groundswell.predictor import MODEL_FILES
from groundswell.schema import LABELS
from groundswell.settings import Settings
from groundswell.superseded import Contents
from groundswell.text import TEXT_VERSION
from groundswell.unlabelled import LEARNT_FROM_LAKE

MOST_MET = 0.5
"""Of the validation or test rows the champion may have met at most so large a share (by text or by kin): what is left would hardly judge."""
_JUDGING = ("validation", "test")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """With whose weights a training begins."""

    params: TrainParams
    """Those to train with: after a warm start ``epochs`` is ``warm_start_epochs``."""
    export: Path | None = None
    """The champion's; None: the base."""
    ancestors: tuple[dict, ...] = ()
    """The champion and those that it began with in turn: version, run_id, dataset_md5."""
    facts: dict | None = None
    """What report and card say; None where no warm start was asked for."""
    judging: np.ndarray | None = None
    """Which validation rows may judge, bool (n,): those that no ancestor met. None: all."""
    network: tuple | None = field(default=None, repr=False, compare=False)
    """(tokenizer, classifier) with the champion's weights in it, as they were compared with the base's; None: `load` makes it."""

    @property
    def told(self) -> Origin:
        """What the other processes of a training need to know: they make the network themselves."""
        return replace(self, network=None)

    @property
    def tags(self) -> dict[str, str]:
        """For run and version: who came before, by which erasure and impact find what was learnt."""
        if self.facts is None:
            return {}
        said = f"refused: {self.facts['refused']}" if "refused" in self.facts else f"version {self.facts['from_version']}"
        return {"warm_start": said, **({ANCESTORS: json.dumps(self.ancestors)} if self.ancestors else {})}


def origin(topic: str, dataset: Path, box: Path, *, settings: Settings, params: TrainParams) -> Origin:
    """The champion's weights, fetched into ``box``, or the base, as ``params.warm_start`` says and as far as the champion may be begun with.

    `RegistryError` when the registry can't be asked.
    """
    if params.warm_start == "none":
        return Origin(params)
    champion = registry.version_by_alias(settings, topic, registry.CHAMPION)
    if champion is None:
        return _refused(params, None, "there is no champion yet")
    try:
        export = registry.download_export(settings, topic, champion.version, box / "export")
        of_split = cache(partial(_judging, export, dataset))
        if reason := next(_objections(champion, export, dataset, settings, params, of_split), None):
            return _refused(params, champion.version, reason)
        network, weights = _base(params), _weights(export)
        if reason := next(_other_network(export, *network, weights), None):
            return _refused(params, champion.version, reason)
    except ModelError as error:  # a damaged export, or a network in which no weights are found
        log.warning("train: version %s: %s", champion.version, error)
        return _refused(params, champion.version, "its export can't be used (the log says why)")
    network[1].load_state_dict(weights, strict=True)
    return replace(_begun(champion, export, of_split("validation").met, params), network=network)


def load(origin: Origin):
    """(tokenizer, classifier) to begin the training with: `encoder.load`, and the champion's weights in it. To train, once: it is not copied."""
    from groundswell import encoder

    if origin.network is not None:
        return origin.network
    tokenizer, model = encoder.load(origin.params)
    if origin.export is not None:
        model.load_state_dict(_weights(origin.export), strict=True)
    return tokenizer, model


def _begun(champion: registry.ModelVersion, export: Path, met: np.ndarray, params: TrainParams) -> Origin:
    config = _config(export)
    own = {"version": champion.version, "run_id": champion.run_id, "dataset_md5": config["dataset_md5"]}
    before = (own, *config.get(ANCESTORS, ()))
    facts = {"from_version": champion.version, "run_id": champion.run_id, "dataset_md5": own["dataset_md5"]}
    facts |= {"in_a_row": len(before), "validation_rows_left_out": int(met.sum())}
    log.info("train: begins with the weights of version %s, warm start %d in a row", champion.version, len(before))
    if met.any():
        log.info("train: %d of %d validation rows are left out: an ancestor has met them", met.sum(), len(met))
    return Origin(params.model_copy(update={"epochs": params.warm_start_epochs}), export, before, facts, ~met)


def _refused(params: TrainParams, version: str | None, reason: str) -> Origin:
    log.warning("train: no warm start%s: %s; it begins with the base", f" from version {version}" if version else "", reason)
    return Origin(params, facts={"refused": reason, "champion": version})


@dataclass(frozen=True)
class _Judging:
    """Rows that judge; which of them the champion has learnt, and which it has met, learnt ones among them: bool (n,)."""

    rows: Examples
    learnt: np.ndarray
    met: np.ndarray


def _judging(export: Path, dataset: Path, split: str) -> _Judging:
    rows = read_examples(dataset, split)
    learnt = learnt_rows(export, rows)
    return _Judging(rows, learnt, learnt | met_in_others(export, rows, dataset, split))


def _objections(
    champion: registry.ModelVersion,
    export: Path,
    dataset: Path,
    settings: Settings,
    params: TrainParams,
    of_split: Callable[[str], _Judging],
) -> Iterator[str]:
    """Why the champion must not be begun with, the cheapest to find out first; its network is looked at afterwards."""
    yield from _other_making(_config(export), params)
    yield from _gone(champion, _config(export), settings)
    if not (export / ROWS).exists():
        yield f"its export does not say from which rows it learnt ({ROWS})"
    yield from _leaks(dataset, of_split)


def _other_making(config: dict, params: TrainParams) -> Iterator[str]:
    before = len(config.get(ANCESTORS, ()))
    if before >= params.warm_starts:
        yield f"it has {before} warm starts behind it, and train.warm_starts is {params.warm_starts}: a fresh one is due"
    made = {**config, "emoji": config.get("params", {}).get("emoji", "unknown")}
    wanted = {"labels": list(LABELS), "text_version": TEXT_VERSION, "base": params.base, "emoji": params.emoji, "max_length": params.max_length}
    for name, value in wanted.items():
        if made.get(name) != value:
            yield f"its {name} is {made.get(name)!r}, this training's {value!r}"


def _gone(champion: registry.ModelVersion, config: dict, settings: Settings) -> Iterator[str]:
    """What it has learnt and nobody may learn any more: rows that were erased, partitions that are not there as they were read."""
    if receipt := champion.tags.get(ERASED):
        yield f"it has learnt from rows that were erased since ({receipt})"
    if LEARNT_FROM_LAKE in champion.tags:
        yield "it has learnt from posts of the lake that no data set has: what of them is erased or revised since, nobody knows"
    contents, manifests = Contents(Lake(settings.lake)), Manifests(settings)
    for run_id in (champion.run_id, *(one["run_id"] for one in config.get(ANCESTORS, ()))):
        manifest = _manifest(manifests, run_id)
        if manifest is None:
            yield f"what the data set of run {run_id} was made of is not known any more"
        elif found := contents.superseded(manifest.get("partitions", {})):
            yield f"{len(found)} of the partitions that it learnt from were revised, erased or removed since, {next(iter(found))} for one"


def _manifest(manifests: Manifests, run_id: str) -> dict | None:
    """The run's; None also where somebody has deleted the run: the registry itself has answered by now."""
    try:
        return manifests.of_run(run_id)
    except RegistryError:
        return None


def _leaks(dataset: Path, of_split: Callable[[str], _Judging]) -> Iterator[str]:
    """Rows that judge, and that it has learnt from, or has met in another's words."""
    kin = dataset / "kin.parquet"
    if not kin.exists() or "is_validation" not in pq.read_schema(kin).names:
        yield "the data set does not say who is akin to its validation rows: run groundswell prepare again"
    for split in _JUDGING:
        found = of_split(split)
        if own := int(found.learnt.sum()):
            yield f"{own} of the {len(found.rows)} {split} rows are among those it learnt from"
        yield from _too_few(found.rows, found.met, split)


def _too_few(rows: Examples, met: np.ndarray, split: str) -> Iterator[str]:
    if met.mean() > MOST_MET:
        yield f"it has met {met.sum()} of the {len(rows)} {split} rows, in the same words or in kin of theirs: hardly any would judge"
    if lacking := [LABELS[label] for label in np.unique(rows.labels) if not (rows.labels[~met] == label).any()]:
        yield f"it has met all {split} rows that are {' or '.join(lacking)}, in the same words or in kin of theirs"


def _base(params: TrainParams):
    """(tokenizer, classifier) of the base, before anything is learnt."""
    from groundswell import encoder
    from groundswell.finetune import prepare_torch

    prepare_torch(params)
    return encoder.load(params)


def _other_network(export: Path, tokenizer, model, weights: dict) -> Iterator[str]:
    if not _is_tokenizer_of(export, tokenizer):
        yield "its tokenizer is not the base's"
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    if {name: tuple(weight.shape) for name, weight in weights.items()} != shapes:
        yield "its network has not the shape of the base's"


def _is_tokenizer_of(export: Path, tokenizer) -> bool:
    """Whether the export's tokenizer is ``tokenizer``: vocabulary, normalisation, special tokens, as this version of the library words them."""
    from tokenizers import Tokenizer

    from groundswell.export import tokenizer_file

    with tempfile.TemporaryDirectory(prefix="groundswell-tokenizer-") as box:
        tokenizer_file(tokenizer, Path(box, "tokenizer.json"))
        one, other = (Tokenizer.from_file(str(folder / "tokenizer.json")).to_str() for folder in (export, Path(box)))
    return one == other


def _weights(export: Path) -> dict:
    import torch

    from groundswell.distilbert import state_dict

    return {name: torch.from_numpy(np.array(value)) for name, value in state_dict(export / MODEL_FILES["fp32"]).items()}


def _config(export: Path) -> dict:
    return json.loads((export / "config.json").read_text(encoding="utf-8"))
