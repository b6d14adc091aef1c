"""The model card: what the model is, from what it was made, and what it measured. Facts of the training only; no clock, run or
commit, so that the same training writes the same card."""

from __future__ import annotations

from groundswell.schema import LABELS, registered_model

_RECIPE = ("emoji", "augmentation", "schedule", "layer_decay", "label_smoothing", "consistency", "distillation", "average_last")


def card(report: dict, measured: dict, manifest: dict, params) -> str:
    """Markdown from train's ``report``, its ``measured`` scores on validation, the data set's ``manifest`` and the ``params``."""
    parts = [
        f"# {registered_model(report['topic'])}",
        "Sentiment of social-media posts: the probabilities of negative, neutral and positive.",
        _origin(report, params),
        "## Data\n" + _data(manifest),
        f"## Measured on {measured['rows']} validation rows (int8, calibrated)\n" + _measured(report, measured),
        "## Agreement of the exports\n" + _agreement(report["agreement"]),
        "## Limits\n" + _limits(report, manifest, params),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(report: dict, params) -> str:
    base = "the packaged MiniLM-L6 encoder as a DistilBERT (6 layers, width 384)" if params.base == "packaged" else f"`{params.base}`"
    return (
        f"A DistilBERT classifier, fine-tuned from {base}: at most {params.epochs:g} epochs, learning rate {params.learning_rate:g}, batches of "
        f"{params.batch_size}, {params.max_length} word pieces, class weights {params.class_weights}, seed {params.seed}{_recipe(params)}. Data set "
        f"`{report['dataset_md5']}` (DVC). The run, and with it the commit of the code, is named in config.json.{_warm_start(report['warm_start'])}"
        f"{_further(report['further_pretraining'], params)}"
    )


def _warm_start(facts: dict | None) -> str:
    """With whose weights it began, or why not with the champion's."""
    if facts is None:
        return ""
    if "refused" in facts:
        return f" It was not begun with a champion's weights: {facts['refused']}."
    return (
        f" Its training was begun with the weights of version {facts['from_version']}, trained on data set `{facts['dataset_md5']}`: warm start "
        f"{facts['in_a_row']} in a row. What that version had learnt, this one has learnt too; {facts['validation_rows_left_out']} validation rows "
        "that it had met are left out of what follows."
    )


def _further(facts: dict | None, params) -> str:
    """What its encoder read before it learnt labels."""
    if facts is None:
        return ""
    return (
        f" Before it learnt labels, its encoder was trained to guess {params.mask_share:.0%} of the words in {facts['texts']:,} texts for "
        f"{params.further_pretraining_epochs:g} epochs (learning rate {params.further_pretraining_learning_rate:g}): training rows, and "
        f"{facts['posts']:,} posts of the topic that nobody has labelled and that are strangers to all rows. Cross-entropy of what it guesses in "
        f"{facts['held_out']:,} other such texts: {facts['loss_before']:.2f} before, {facts['loss_after']:.2f} after."
    )


def _recipe(params) -> str:
    """The options of the recipe that are not at their neutral defaults."""
    chosen = [name for name in _RECIPE if getattr(params, name) != type(params).model_fields[name].default]
    return "".join(f", {name.replace('_', ' ')} {getattr(params, name)}" for name in chosen)


def _data(manifest: dict) -> str:
    lines = ["| split | rows | " + " | ".join(LABELS) + " | from | to |", "|---|---|" + "---|" * len(LABELS) + "---|---|"]
    for split, values in manifest.get("splits", {}).items():
        counts = " | ".join(str(values.get("labels", {}).get(label, 0)) for label in LABELS)
        lines.append(f"| {split} | {values.get('rows', '')} | {counts} | {values.get('from', '')} | {values.get('to', '')} |")
    windows = manifest.get("windows", [])
    span = f"{len(windows)} windows, {windows[0]} to {windows[-1]}" if windows else "no windows named"
    sources = ", ".join(f"{source} {rows}" for source, rows in sorted(manifest.get("sources", {}).items())) or "not named"
    return "\n".join([*lines, "", f"Posts came from: {sources} ({span}). Splits are by time and by group."])


def _measured(report: dict, measured: dict) -> str:
    lines = ["| measure | model | baseline (TF-IDF + logistic regression) |", "|---|---|---|"]
    for name, value in report["metrics"].items():
        floor = report["baseline"].get(name)
        lines.append(f"| {name} | {value:.4f} | {'' if floor is None else f'{floor:.4f}'} |")
    lines += ["", "| class | rows | precision | recall | F1 |", "|---|---|---|---|---|"]
    for label, own in measured["classes"].items():
        numbers = " | ".join(f"{own[name]:.4f}" if name in own else "" for name in ("precision", "recall", "f1"))
        lines.append(f"| {label} | {own['rows']} | {numbers} |")
    return "\n".join([*lines, "", f"Temperature {report['temperature']}, fitted on the same validation rows: test numbers are evaluate's."])


def _agreement(agreement: dict) -> str:
    lines = [f"On {agreement['rows']} validation rows:", "", "| network | same label | largest difference of a probability |", "|---|---|---|"]
    pairs = {"fp32": "ONNX fp32 against PyTorch", "int8": "ONNX int8 against ONNX fp32"}
    for name, words in pairs.items():
        lines.append(f"| {words} | {agreement[name]['label_agreement']:.4f} | {agreement[name]['max_probability_difference']:.2g} |")
    return "\n".join(lines)


def _limits(report: dict, manifest: dict, params) -> str:
    provenances = manifest.get("splits", {}).get("train", {}).get("provenances", {})
    labels = ", ".join(f"{name} {rows}" for name, rows in sorted(provenances.items())) or "not named"
    labels += "".join(f", added {name} {rows}" for name, rows in report["rows"]["added"].items())
    return (
        f"Text past {params.max_length} word pieces is not read. Labels of the training rows by provenance: {labels}; what they get wrong, the "
        "model learns. It knows the topic, sources and time of its data; `groundswell monitor` says when posts move away from them."
    )
