"""The whole report, from facts: the sections in order, then the abstract, which knows what they hold."""

from __future__ import annotations

from datetime import datetime

from groundswell.reporting import champion, comparison, data, drift, limits, method, references, tuning
from groundswell.reporting.abstract import abstract
from groundswell.reporting.blocks import Missing, Report
from groundswell.reporting.facts import Facts


def written(facts: Facts, *, now: datetime) -> Report:
    """The `Report` on ``facts``, as of ``now``."""
    told = [part.section(facts) for part in (data, method, comparison, tuning, champion, drift)]
    missing = [block for section in told for block in section.blocks if isinstance(block, Missing)]
    return Report(
        title=f"Sentiment of posts about {facts.topic}",
        subtitle=f"{facts.subject_named[0].upper()}{facts.subject_named[1:]} · as of {now:%Y-%m-%d %H:%M} UTC",
        abstract=abstract(facts, len(missing)),
        sections=(*told, limits.section(facts, missing), references.section()),
    )
