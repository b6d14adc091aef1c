"""Great Expectations, the adapter: our rules as expectation suites, and what they say of a frame.

Reads a pandas frame and gives numbers back; writes nothing (ephemeral context). A rule that Great Expectations can't evaluate
raises `ValidationFailed`: it counts neither as kept nor as broken. Only `validate` imports this module.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass

os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, while the package is imported
logging.getLogger("great_expectations").setLevel(logging.WARNING)  # its import alone writes 400 lines at INFO

import great_expectations as gx  # noqa: E402
import great_expectations.expectations as gxe  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig  # noqa: E402

from groundswell.errors import ValidationFailed  # noqa: E402
from groundswell.params import ValidateParams  # noqa: E402
from groundswell.schema import LABELS, PROVENANCES  # noqa: E402

ROW = "row"
"""The column that numbers a frame's rows: what a broken rule answers with."""

_NOT_BLANK = r"[^\s\x00-\x1f\x7f\u200b\ufeff]"  # at least one character that is not white space or a control
_PSEUDONYM = r"\A[0-9a-f]{32}\Z"
_LANGUAGE = r"\A[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z"


@dataclass(frozen=True)
class Rule:
    """One expectation under a name of ours: the name is a quarantine reason, ``says`` is for people."""

    name: str
    says: str
    expectation: gxe.Expectation


@dataclass(frozen=True)
class Verdict:
    """What a suite said: per rule the numbers (`results`) and the `ROW` numbers that broke it (`broken`)."""

    success: bool
    statistics: dict
    results: list[dict]
    broken: dict[str, np.ndarray]


def row_rules(params: ValidateParams) -> list[Rule]:
    """The rules of one post: columns of `schema.POST` and those that `validate` adds about its partition."""
    return [
        Rule("source_wrong", "source is the partition's", _same("source", "partition_source")),
        Rule("topic_wrong", "topic is the partition's", _same("topic", "partition_topic")),
        Rule("post_id_missing", "post_id is there", gxe.ExpectColumnValuesToNotBeNull(column="post_id")),
        Rule("post_id_blank", "post_id is not blank", gxe.ExpectColumnValuesToMatchRegex(column="post_id", regex=_NOT_BLANK)),
        Rule("post_id_repeated", "post_id is not an earlier row's", gxe.ExpectColumnValuesToBeInSet(column="is_repeated", value_set=[False])),
        Rule("created_at_missing", "created_at is there", gxe.ExpectColumnValuesToNotBeNull(column="created_at")),
        Rule("created_at_too_early", "created_at is not before the window", _not_before("created_at", "window_start", or_equal=True)),
        Rule("created_at_too_late", "created_at is before the window's end", _not_before("window_end", "created_at", or_equal=False)),
        Rule("not_decodable", "every text column is valid UTF-8", gxe.ExpectColumnValuesToBeInSet(column="is_decodable", value_set=[True])),
        Rule("text_missing", "text is there", gxe.ExpectColumnValuesToNotBeNull(column="text")),
        Rule("text_blank", "text is not blank", gxe.ExpectColumnValuesToMatchRegex(column="text", regex=_NOT_BLANK)),
        Rule(
            "text_too_long",
            f"text has at most {params.max_text_characters:,} characters",
            gxe.ExpectColumnValueLengthsToBeBetween(column="text", max_value=params.max_text_characters),
        ),
        Rule("author_not_pseudonym", "author is a pseudonym or null", gxe.ExpectColumnValuesToMatchRegex(column="author", regex=_PSEUDONYM)),
        Rule("lang_malformed", "lang is a BCP 47 tag or null", gxe.ExpectColumnValuesToMatchRegex(column="lang", regex=_LANGUAGE)),
        Rule("label_unknown", _known_labels(params), gxe.ExpectColumnValuesToMatchRegex(column="label", regex=_label_pattern(params))),
        Rule(
            "label_provenance_unknown",
            f"label_provenance is one of {', '.join(PROVENANCES)}, or null",
            gxe.ExpectColumnValuesToBeInSet(column="label_provenance", value_set=list(PROVENANCES)),
        ),
        Rule("label_without_provenance", "label_provenance is there exactly where label is", _same("has_label", "has_provenance")),
    ]


def partition_rules(params: ValidateParams) -> list[Rule]:
    """The rules of one partition's rows taken together: the columns of `validate`'s summary frame."""
    quarantined, duplicates = params.max_quarantined_share, params.max_duplicate_share
    floor = f"(judged from {params.min_rows_for_shares} rows on)"
    return [
        Rule(
            "columns_missing",
            "every column of a post is there, with its type",
            gxe.ExpectColumnValuesToBeBetween(column="columns_wrong", max_value=0),
        ),
        Rule("rows_missing", "as many rows as were due", _not_before("rows_raw", "rows_due", or_equal=True)),
        Rule(
            "too_many_quarantined",
            f"at most {quarantined:.0%} of the rows quarantined {floor}",
            gxe.ExpectColumnValuesToBeBetween(column="quarantined_share", max_value=quarantined),
        ),
        Rule(
            "too_many_duplicates",
            f"at most {duplicates:.0%} of the rows repeat an earlier id or text {floor}",
            gxe.ExpectColumnValuesToBeBetween(column="duplicate_share", max_value=duplicates),
        ),
    ]


def check(name: str, rules: list[Rule], frame: pd.DataFrame) -> Verdict:
    """Hold ``frame`` (with a `ROW` column; may be empty) against ``rules`` in one Great Expectations validation called ``name``."""
    context = gx.get_context(mode="ephemeral", project_config=_quiet())
    suite = gx.ExpectationSuite(name, expectations=[rule.expectation.copy(update={"meta": {"rule": rule.name}}) for rule in rules])
    batch = context.data_sources.add_pandas(name).add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(suite)))
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": [ROW], "return_unexpected_index_query": False}
    answer = definition.run(batch_parameters={"dataframe": frame}, result_format=wanted)
    found = {result.expectation_config.meta["rule"]: result for result in answer.results}
    broken = {rule.name: _rows(rule, found[rule.name]) for rule in rules}
    return Verdict(bool(answer.success), dict(answer.statistics), [_numbers(rule, found[rule.name]) for rule in rules], broken)


def merged(verdicts: list[Verdict]) -> Verdict:
    """What one validation would have said of all the rows that ``verdicts`` of the same suite speak of; the rows' numbers add up to nothing."""
    first = verdicts[0]
    results = [_added([verdict.results[place] for verdict in verdicts]) for place in range(len(first.results))]
    kept = sum(result["success"] for result in results)
    counts = {"successful_expectations": kept, "unsuccessful_expectations": len(results) - kept, "success_percent": 100 * kept / len(results)}
    broken = {rule: np.concatenate([verdict.broken.get(rule, np.empty(0, np.int64)) for verdict in verdicts]) for rule in first.broken}
    return Verdict(kept == len(results), {**first.statistics, **counts}, results, broken)


def _added(results: list[dict]) -> dict:
    counts = {key: sum(result[key] for result in results) for key in ("element_count", "unexpected_count") if key in results[0]}
    return {**results[0], "success": all(result["success"] for result in results), **counts}


def _quiet() -> DataContextConfig:
    """In memory, without progress bars in the log, without the temporary folder for data docs that nobody builds here."""
    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )


def _rows(rule: Rule, result) -> np.ndarray:
    if any(info.get("raised_exception") for info in _exceptions(result.exception_info)):
        messages = {str(info.get("exception_message"))[:200] for info in _exceptions(result.exception_info)}
        raise ValidationFailed(f"Great Expectations could not evaluate rule {rule.name!r} ({'; '.join(sorted(messages))}): nothing was written")
    return np.array([int(row[ROW]) for row in result.result["unexpected_index_list"]], dtype=np.int64)


def _exceptions(info: dict) -> list[dict]:
    """Great Expectations gives one such record, or a record by metric."""
    return [info] if "raised_exception" in info else list(info.values())


def _numbers(rule: Rule, result) -> dict:
    """What a report may say of a result: counts and limits, never a value of a row."""
    counts = {key: int(result.result[key]) for key in ("element_count", "unexpected_count") if key in result.result}
    limits = {key: value for key, value in result.expectation_config.kwargs.items() if key != "batch_id"}
    return {"rule": rule.name, "says": rule.says, "type": result.expectation_config.type, "kwargs": limits, "success": bool(result.success), **counts}


def _same(column: str, other: str) -> gxe.Expectation:
    return gxe.ExpectColumnPairValuesToBeEqual(column_A=column, column_B=other, ignore_row_if="neither")


def _not_before(column: str, other: str, *, or_equal: bool) -> gxe.Expectation:
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=column, column_B=other, or_equal=or_equal, ignore_row_if="either_value_is_missing")


def _label_pattern(params: ValidateParams) -> str:
    """Any short word unless ``params.labels`` names them: `prepare` maps a corpus's own words, so they are no fault here."""
    if not params.labels:
        return r"\A\S[^\r\n]{0,63}\Z"
    return rf"(?i)\A(?:{'|'.join(re.escape(label) for label in (*LABELS, *params.labels))})\Z"


def _known_labels(params: ValidateParams) -> str:
    return (
        f"label is one of {', '.join((*LABELS, *params.labels))}, or null" if params.labels else "label is a word of at most 64 characters, or null"
    )
