"""prepare: the data set of a topic, from all its valid posts and the labels given to them.

Reads lake/valid and lake/labels. Writes ``dataset/<topic>/``: train, validation and test.parquet (`schema.EXAMPLE`), tokens/,
kin.parquet, leaks.json, manifest.json; the folder changes as a whole or not at all, and the same lake gives the same bytes. Refuses an empty
lake, a label word that nobody mapped, fewer than three windows, and fewer than ``min_rows_per_class`` rows of a class in a split.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from pathlib import Path

import pyarrow as pa

from groundswell.duplicates import connected, near_clusters
from groundswell.erasure import datasets as erased
from groundswell.errors import DatasetError, LakeError
from groundswell.files import alone_in, replacing_folder, write_json
from groundswell.kin import kin_table
from groundswell.labelling import decided, mapped, outvoted, require_provenances
from groundswell.lake import Lake, Partition, write_parquet
from groundswell.language import languages, primary
from groundswell.params import HygieneParams, PrepareParams
from groundswell.rows import described
from groundswell.schema import EXAMPLE, JUDGING_PROVENANCES, LABELS
from groundswell.settings import Settings
from groundswell.splits import SPLITS, assign, boundaries, leaked, shuffled
from groundswell.survey import chosen_annotations, chosen_posts, survey
from groundswell.text import TEXT_VERSION, normalise, skeleton
from groundswell.tokens import TOKENS, cut, encode, vocabulary_sha256
from groundswell.tombstones import Tombstones

logger = logging.getLogger(__name__)

_HYGIENE = HygieneParams()
_SECONDS = {"day": 86_400, "hour": 3_600}


@dataclass(slots=True)
class Row:
    """A labelled post on its way into a split."""

    row_id: str
    source: str
    post_id: str
    author: str | None
    created_at: datetime
    lang: str | None
    written: str
    text: str
    label: str
    provenance: str


def prepare(topic: str, *, settings: Settings, params: PrepareParams, hygiene: HygieneParams = _HYGIENE) -> dict:
    """Make the data set of ``topic``; the report counts every row that came in, and where or why not it went on."""
    lake, tombstones = Lake(settings.lake), Tombstones(settings)
    valid, labels = lake.partitions("valid", topic=topic), lake.partitions("labels", topic=topic)
    read = _described_partitions(lake, valid, labels)
    dropped: Counter[str] = Counter()
    seen = survey(lake, valid, labels, training=params.train_provenances, most=params.max_rows)
    if not seen.posts:
        raise DatasetError(f"topic {topic!r}: the lake holds no valid posts ({len(valid)} partitions): collect and validate some windows first")
    dropped.update(repeated_post=seen.repeated, unlabelled=seen.unlabelled, beyond_max_rows=seen.beyond_most)
    dropped["annotation_without_post"] = seen.annotations_without_post
    annotations = chosen_annotations(lake, labels, seen.chosen)
    rows, disputes = _labelled(topic, chosen_posts(lake, valid, seen.chosen), annotations, params, dropped)
    rows = _clean(rows, params, hygiene, dropped)
    rows, disputes["texts_with_two_labels"] = _without_outvoted(rows, dropped)
    keyings = _keyings(rows, params)
    split, left_out, starts = _split(rows, keyings, valid, params)
    _require_enough(rows, split, params.min_rows_per_class)
    leaks = _leaks(split, keyings, rows, params)
    groups = _groups(rows, split, keyings, params)
    tables, tokens = _tables(rows, split, groups, params)
    manifest = {
        "topic": topic,
        "partitions": read,
        "windows": sorted({partition.window.key for partition in valid}),
        "sources": seen.sources,
        "splits": {name: described(tables[name]) for name in SPLITS},
        "boundaries": starts,
        "text_version": TEXT_VERSION,
        "vocabulary_sha256": vocabulary_sha256(),
        "params": params.model_dump(mode="json"),
        "hygiene": hygiene.model_dump(mode="json"),
    }
    if (now := _described_partitions(lake, valid, labels)) != read:
        changed = sorted(key for key in read if now.get(key) != read[key])
        raise LakeError(f"{len(changed)} partitions changed while they were read, {changed[0]} for one: a backfill is under way; run prepare again")
    kin = kin_table(rows, split, _grouping(keyings, params))
    _write(settings.dataset(topic), tables, tokens, kin, leaks, manifest)
    if tombstones.have_grown():  # somebody was erased since the first row was read, and what lay here before was cleaned, not this
        erased.clean(settings.dataset(topic), {}, Tombstones(settings))
    report = {
        "stage": "prepare",
        "topic": topic,
        "posts": seen.posts,
        "rows": {name: tables[name].num_rows for name in SPLITS},
        "splits": manifest["splits"],
        "boundaries": starts,
        "dropped": dict(sorted(dropped.items())),
        "left_out_of_splits": left_out,
        "disputes": disputes,
        "clusters": _clusters(keyings),
        "groups": _sizes(groups),
        "leaks": leaks,
        "tokens": _token_lengths(tables, params.max_length),
    }
    write_json(report, settings.report("prepare", topic))
    return report


def _described_partitions(lake: Lake, valid: list[Partition], labels: list[Partition]) -> dict[str, dict]:
    """Key → what lies there now: taken before the first row is read and after the last, so that the manifest names what was read."""
    return {**lake.manifest(valid), **{f"labels/{key}": value for key, value in lake.manifest(labels).items()}}


def _labelled(topic: str, posts: list[dict], annotations: dict, params: PrepareParams, dropped: Counter) -> tuple[list[Row], dict[str, int]]:
    """The posts with a label that may be used, and how often opinions on one post differed."""
    said = [post["opinions"] + annotations.get((post["source"], post["post_id"]), []) for post in posts]
    require_provenances(provenance for opinions in said for _, provenance in opinions)
    word_of = mapped((word for opinions in said for word, _ in opinions), params.label_map)
    usable = {*params.train_provenances, *JUDGING_PROVENANCES}
    rows, disputed = [], 0
    for post, opinions in zip(posts, said, strict=True):
        heard = [(word_of[word], provenance) for word, provenance in opinions if provenance in usable]
        disputed += len({label for label, _ in heard}) > 1
        verdict = decided(heard) if heard else None
        if verdict is None:
            dropped["undecided_post" if heard else "unused_provenance" if opinions else "unlabelled"] += 1
            continue
        row_id = f"{post['source']}/{topic}/{post['post_id']}"
        rows.append(Row(row_id, post["source"], post["post_id"], post["author"], post["created_at"], post["lang"], post["text"] or "", "", *verdict))
    logger.info("labelled: %d posts of %d", len(rows), len(posts))
    return sorted(rows, key=lambda row: (row.created_at, row.row_id)), {"posts_with_two_labels": disputed}


def _clean(rows: list[Row], params: PrepareParams, hygiene: HygieneParams, dropped: Counter) -> list[Row]:
    """The rows with their text normalised and a language, without the empty ones and those in languages not asked for."""
    for row in rows:
        row.text = normalise(row.written)
    kept = [row for row in rows if row.text]
    dropped["empty_text"] = len(rows) - len(kept)
    for row, language in zip(kept, languages([row.lang for row in kept], [row.text for row in kept], hygiene), strict=True):
        row.lang = language
    wanted = {primary(language) for language in params.languages}
    spoken = [row for row in kept if not wanted or primary(row.lang) in wanted]
    dropped["other_language"] = len(kept) - len(spoken)
    return spoken


def _without_outvoted(rows: list[Row], dropped: Counter) -> tuple[list[Row], int]:
    """The rows whose label stands against those of rows with the same text, and how many texts bear two labels."""
    loses, disputed = outvoted([row.text for row in rows], [(row.label, row.provenance) for row in rows])
    kept = [row for row, loser in zip(rows, loses, strict=True) if not loser]
    dropped["outvoted_text"] = len(rows) - len(kept)
    return kept, disputed


def _keyings(rows: list[Row], params: PrepareParams) -> dict[str, list]:
    """What makes two rows belong together, from the strictest to the loosest, a key a row."""
    skeletons = [skeleton(row.text) for row in rows]
    return {
        "exact": [row.written for row in rows],
        "normalised": skeletons,
        "near": near_clusters(skeletons, params.near_duplicate_similarity),
        "id": [row.post_id for row in rows],
        "author": [row.author for row in rows],
    }


def _grouping(keyings: dict[str, list], params: PrepareParams) -> dict[str, list]:
    """The keyings that ``group_by`` names; clusters of near duplicates hold the normalised and exact ones."""
    return {name: keyings[key] for name, key in (("duplicates", "near"), ("source_id", "id"), ("author", "author")) if name in params.group_by}


def _split(rows: list[Row], keyings: dict[str, list], valid: list[Partition], params: PrepareParams) -> tuple[list, dict, dict]:
    """For every row its split or None; the rows left out by reason; and when validation and test begin."""
    seconds = max(_SECONDS[partition.window.unit] for partition in valid)
    windows = [int(row.created_at.timestamp()) // seconds * seconds for row in rows]
    may_judge = [row.provenance in JUDGING_PROVENANCES for row in rows]
    may_train = [row.provenance in params.train_provenances for row in rows]
    starts = boundaries(windows, may_judge, validation_share=params.validation_share, test_share=params.test_share)
    split, left_out = assign(windows, starts, may_train, may_judge, _grouping(keyings, params))
    named = dict(zip(("validation_from", "test_from"), (datetime.fromtimestamp(start, UTC).isoformat() for start in starts), strict=True))
    logger.info("split: %s; left out: %s", dict(Counter(filter(None, split))), left_out)
    return split, left_out, named


def _require_enough(rows: list[Row], split: Sequence[str | None], least: int) -> None:
    counts = Counter(zip(split, (row.label for row in rows), strict=True))
    table = "; ".join(f"{name}: " + ", ".join(f"{counts[name, label]} {label}" for label in LABELS) for name in SPLITS)
    present = [label for label in LABELS if any(counts[name, label] for name in SPLITS)]
    if len(present) < 2:
        raise DatasetError(
            f"rows of one class only ({', '.join(present) or 'none'}): nothing can be learnt from them. Label posts of the other classes. {table}"
        )
    if min(counts[name, label] for name in SPLITS for label in LABELS) < least:
        raise DatasetError(
            f"a split has fewer than prepare.min_rows_per_class = {least} rows of a class ({table}): collect or label more windows, "
            "or change validation_share, test_share or min_rows_per_class in params.yaml"
        )


def _leaks(split: list, keyings: dict[str, list], rows: list[Row], params: PrepareParams) -> dict:
    """What this split leaks (nothing by the keys of ``group_by``: refused otherwise), and what a random split of the same rows would."""
    plain = shuffled(len(rows), validation_share=params.validation_share, test_share=params.test_share, seed=params.seed)
    ours = leaked(split, keyings)
    for name, key in (("duplicates", "near"), ("source_id", "id"), ("author", "author")):
        if name in params.group_by and ours[key]:
            raise DatasetError(
                f"{ours[key]} validation and test rows share a key ({name}) with training after splitting: this is a fault of splits.py"
            )
    return {
        "this_split": {"judging_rows": sum(name in SPLITS[1:] for name in split), "leaked": ours},
        "random_split": {"judging_rows": sum(name in SPLITS[1:] for name in plain), "leaked": leaked(plain, keyings)},
        "near_duplicate_similarity": params.near_duplicate_similarity,
    }


def _groups(rows: list[Row], split: list, keyings: dict[str, list], params: PrepareParams) -> dict[int, str]:
    """For the number of every row in a split its group: the smallest row_id of all that hang together."""
    kept = [number for number, name in enumerate(split) if name]
    keys = [[values[number] for number in kept] for values in _grouping(keyings, params).values()]
    roots = connected(len(kept), *keys)
    smallest: dict[int, str] = {}
    for number, root in zip(kept, roots, strict=True):
        smallest[root] = min(smallest.get(root, rows[number].row_id), rows[number].row_id)
    return {number: smallest[root] for number, root in zip(kept, roots, strict=True)}


def _tables(rows: list[Row], split: list, groups: dict[int, str], params: PrepareParams) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """Split → its rows (`schema.EXAMPLE`), and split → their word pieces (`tokens.TOKENS`)."""
    tables, tokens = {}, {}
    for name in SPLITS:
        numbers = list(compress(range(len(rows)), (where == name for where in split)))
        mine = [rows[number] for number in numbers]
        pieces = encode([row.text for row in mine])
        label = [LABELS.index(row.label) for row in mine]
        columns = {field: [getattr(row, field) for row in mine] for field in ("row_id", "source", "post_id", "created_at", "lang", "text")}
        columns |= {"label": label, "label_provenance": [row.provenance for row in mine], "group": [groups[number] for number in numbers]}
        tables[name] = pa.table({**columns, "tokens": list(map(len, pieces))}, schema=EXAMPLE)
        cut_pieces = [cut(ids, params.max_length) for ids in pieces]
        tokens[name] = pa.table({"row_id": columns["row_id"], "input_ids": cut_pieces, "label": label}, schema=TOKENS)
        logger.info("%s: %d rows", name, len(mine))
    return tables, tokens


def _clusters(keyings: dict[str, list]) -> dict[str, dict[str, int]]:
    """For each kind of duplicate the clusters of two and more rows, and the rows in them."""
    sizes = {name: [count for count in Counter(keyings[name]).values() if count > 1] for name in ("exact", "normalised", "near")}
    return {name: {"clusters": len(counts), "rows": sum(counts)} for name, counts in sizes.items()}


def _sizes(groups: dict[int, str]) -> dict[str, int]:
    counts = Counter(groups.values())
    return {"groups": len(counts), "largest": max(counts.values()), "rows_with_company": sum(count for count in counts.values() if count > 1)}


def _token_lengths(tables: dict[str, pa.Table], max_length: int) -> dict:
    lengths = sorted(length for table in tables.values() for length in table["tokens"].to_pylist())
    at = {f"p{share}": lengths[min(len(lengths) * share // 100, len(lengths) - 1)] for share in (50, 90, 95, 99)}
    return {**at, "longest": lengths[-1], "max_length": max_length, "rows_cut": sum(length > max_length for length in lengths)}


def _write(folder: Path, tables: dict[str, pa.Table], tokens: dict[str, pa.Table], kin: pa.Table, leaks: dict, manifest: dict) -> None:
    with alone_in(folder.parent), replacing_folder(folder) as beside:
        for name in SPLITS:
            write_parquet(tables[name], beside / f"{name}.parquet")
            write_parquet(tokens[name], beside / "tokens" / f"{name}.parquet")
        write_parquet(kin, beside / "kin.parquet")
        write_json(leaks, beside / "leaks.json")
        write_json(manifest, beside / "manifest.json")
