"""The section on data: where posts came from, what was taken out, how they were split, what a careless split would have leaked."""

from __future__ import annotations

from collections import Counter

from groundswell.reporting import charts, clouds
from groundswell.reporting.blocks import NONE, Block, Listing, Missing, Paragraph, Picture, Section, Table, Tiles, count, listed, share, told
from groundswell.reporting.facts import Facts
from groundswell.schema import LABELS
from groundswell.words import LEAST_GROUPS

_KEYS = {
    "exact": "the same text to the byte",
    "normalised": "the same words",
    "near": "a near duplicate",
    "id": "the same id",
    "author": "the same author",
}
_WORDS_SHOWN = 12


def section(facts: Facts) -> Section:
    """The section."""
    if not facts.manifest:
        return Section("Data", (Missing("There is no data set of this topic.", f"groundswell prepare --topic {facts.topic}"),))
    blocks = [_numbers(facts), *_told(facts), _splits(facts), _provenances(facts), *_hygiene(facts), *_prepared(facts), *_words(facts)]
    return Section("Data", tuple(blocks))


def rows_by_source(manifest: dict) -> Counter[str]:
    """Labelled rows of all splits by source; as prepare counted its posts where splits don't say."""
    found: Counter[str] = Counter()
    for split in manifest["splits"].values():
        found.update(split.get("sources", {}))
    return found


def _numbers(facts: Facts) -> Tiles:
    manifest = facts.manifest.value
    rows = {f"{name} rows": count(split["rows"]) for name, split in facts.splits.items()}
    windows = manifest.get("windows", [])
    return Tiles({**rows, "windows": count(len(windows)), "sources": count(len(rows_by_source(manifest)) or None)}, facts.manifest.source)


def _told(facts: Facts) -> list[Block]:
    manifest = facts.manifest.value
    windows = manifest.get("windows", [])
    span = f"from {windows[0]} to {windows[-1]}" if windows else "of windows that are not named"
    by_source = listed([f"{source} ({count(rows)})" for source, rows in sorted(rows_by_source(manifest).items())]) or "sources that are not named"
    return [
        Paragraph(
            f"The labelled posts come from {by_source}, {span}. The data set has the md5 {facts.dataset_md5 or NONE} and is versioned by DVC; its "
            "manifest names every partition of the lake that it was made of, with its hash. The splits follow each other in time, and no author and "
            "no group of near duplicates stands on two sides."
        )
    ]


def _splits(facts: Facts) -> Table:
    rows = []
    for name, split in facts.splits.items():
        whole, labels = split["rows"], split.get("labels", {})
        shares = [f"{count(labels[label])} ({share(labels[label], whole)})" if label in labels else NONE for label in LABELS]
        rows.append((name, _day(split.get("from")), _day(split.get("to")), count(whole), *shares))
    headings = ("split", "from", "to", "rows", *LABELS)
    return Table("Splits and classes", headings, tuple(rows), facts.manifest.source, numeric=4, is_on_slides=True)


def _day(moment: str | None) -> str:
    return moment[:10] if moment else NONE


def _provenances(facts: Facts) -> Table:
    """Who gave the labels and in which languages the posts are, by split."""
    splits = facts.splits
    rows = []
    for kind, title in (("provenances", "label from"), ("languages", "language"), ("sources", "source")):
        for name in sorted({name for split in splits.values() for name in split.get(kind, {})}):
            rows.append((title, name, *(count(split.get(kind, {}).get(name, 0)) for split in splits.values())))
    note = (
        "Labels count as human, dataset, native (a platform's own, such as a thumb), weak or synthetic; validation and test take the first two only."
    )
    return Table("Labels, languages and sources", ("", "", *splits), tuple(rows), facts.manifest.source, numeric=len(splits), note=note)


def _hygiene(facts: Facts) -> list[Block]:
    if not facts.validate:
        return [Missing("What validation took out of these windows is not known.", "groundswell validate --window A..B, then train again")]
    broken, scrubbed = Counter(), Counter()
    raw = valid = aside = 0
    for report in (one.value for one in facts.validate):
        raw, valid, aside = raw + report["rows_raw"], valid + report["rows_valid"], aside + report["rows_quarantined"]
        for rule in report["great_expectations"]["suites"]["posts"]["results"]:
            broken[rule["says"]] += rule.get("unexpected_count", 0)
        for found in report["scrubbed"].values():
            scrubbed.update(found)
    rows = [("raw posts", "", count(raw)), ("quarantined", "", count(aside)), ("valid", "", count(valid))]
    rows += [("quarantined", f"not: {says}", count(number)) for says, number in broken.most_common() if number]
    rows += [("personal data taken out", kind, count(number)) for kind, number in scrubbed.most_common()]
    note = f"Over all windows of {told(len(facts.validate), 'report')} of validate; a post may break several rules."
    return [Table("Hygiene", ("what", "which", "posts"), tuple(rows), _sources(facts), numeric=1, note=note)]


def _sources(facts: Facts) -> str:
    first = facts.validate[0].source
    return first if len(facts.validate) == 1 else f"{first} and {len(facts.validate) - 1} more"


def _prepared(facts: Facts) -> list[Block]:
    if not facts.is_prepare_of_subject:
        what = "is of another data set than this one" if facts.prepare else "is not there"
        remedy = f"groundswell checkout {facts.subject.version if facts.subject else 'VERSION'}, then groundswell prepare --topic {facts.topic}"
        return [Missing(f"What was dropped, and what a random split would have leaked: the report of prepare {what}.", remedy)]
    report, source = facts.prepare.value, facts.prepare.source
    dropped = [("before the split", reason.replace("_", " "), count(number)) for reason, number in report["dropped"].items() if number]
    for reason, splits in report["left_out_of_splits"].items():
        dropped += [(f"left out of {split}", reason.replace("_", " "), count(number)) for split, number in splits.items() if number]
    disputes = [(f"{told(number, 'case')}: {name.replace('_', ' ')}") for name, number in report["disputes"].items()]
    return [
        _leaks(report["leaks"], source),
        Table("Rows given up", ("where", "why", "rows"), tuple(dropped), source, numeric=1),
        Listing(tuple(disputes), title="Labels that were disputed"),
    ]


def _leaks(leaks: dict, source: str) -> Table:
    ours, random = leaks["this_split"], leaks["random_split"]
    rows = []
    for key, words in _KEYS.items():
        both = (f"{count(one['leaked'][key])} ({share(one['leaked'][key], one['judging_rows'])})" for one in (ours, random))
        rows.append((f"share {words} with training", *both))
    note = (
        f"Of {count(ours['judging_rows'])} validation and test rows here, and of {count(random['judging_rows'])} in a random split of the same "
        "posts. A score on rows like those would flatter."
    )
    return Table("Leaks", ("validation and test rows that …", "this split", "a random split"), tuple(rows), source, 2, note, is_on_slides=True)


def _words(facts: Facts) -> list[Block]:
    if not facts.words or not any(facts.words.value.values()):
        version = facts.subject.version if facts.subject else "VERSION"
        what = "no word is used by enough people" if facts.words else "the data set's rows are not in their folder, or their groups hold no authors"
        return [Missing(f"The words of the classes: {what}.", f"groundswell checkout {version}")]
    found, source = facts.words.value, facts.words.source
    told_of = (
        "The words that tell a class's training posts from the others', by the z of their log-odds ratio with a prior (Monroe, Colaresi and Quinn "
        f"2008). A word counts once a post, and is shown only where posts of {LEAST_GROUPS} groups and more hold it; all posts of an author, and "
        "near duplicates, are one group. Mentions and links are not words."
    )
    blocks: list[Block] = [Paragraph(told_of)]
    blocks.append(Picture("top_words.svg", "The most telling words of each class", charts.words(found, _WORDS_SHOWN), source))
    rows = tuple((label, ", ".join(word for word, _ in found[label][:_WORDS_SHOWN])) for label in LABELS)
    blocks.append(Table("Most telling words", ("class", "words, the most telling first"), rows, source))
    for label in LABELS:
        if drawn := clouds.cloud(found[label], label):
            blocks.append(Picture(f"words_{label}.png", f"Words of {label} posts", drawn, source, is_small=True))
    return blocks
