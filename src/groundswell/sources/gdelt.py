"""GDELT's DOC 2.0 API: headlines of the world's news that match a query.

A query never brings more than 250 articles and has no pages; a busier interval is cut in halves until each fits. Times are the quarter
of an hour in which GDELT saw the article, not when it was published. The text is the headline; nobody is named as its author.
Requests are kept apart as GDELT asks for it. Its JSON has escapes that are none: they are read as what was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from groundswell.errors import SourceError
from groundswell.http import sentence
from groundswell.params import Section
from groundswell.sources.base import Found, Reading, Source, word

RECORDS = 250
_SECOND = timedelta(seconds=1)
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')

LANGUAGES = {
    "albanian": "sq", "arabic": "ar", "armenian": "hy", "azerbaijani": "az", "bengali": "bn", "bosnian": "bs", "bulgarian": "bg", "catalan": "ca",
    "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "estonian": "et", "finnish": "fi",
    "french": "fr", "galician": "gl", "georgian": "ka", "german": "de", "greek": "el", "gujarati": "gu", "hebrew": "he", "hindi": "hi",
    "hungarian": "hu", "icelandic": "is", "indonesian": "id", "italian": "it", "japanese": "ja", "kannada": "kn", "kazakh": "kk", "korean": "ko",
    "latvian": "lv", "lithuanian": "lt", "macedonian": "mk", "malay": "ms", "malayalam": "ml", "marathi": "mr", "mongolian": "mn", "nepali": "ne",
    "norwegian": "no", "norwegiannynorsk": "nn", "persian": "fa", "polish": "pl", "portuguese": "pt", "punjabi": "pa", "romanian": "ro",
    "russian": "ru", "serbian": "sr", "sinhalese": "si", "slovak": "sk", "slovenian": "sl", "somali": "so", "spanish": "es", "swahili": "sw",
    "swedish": "sv", "tamil": "ta", "telugu": "te", "thai": "th", "tibetan": "bo", "turkish": "tr", "ukrainian": "uk", "urdu": "ur",
    "vietnamese": "vi",
}  # fmt: skip
"""GDELT's names of languages, in lower case → BCP 47."""


class GdeltTopic(Section):
    """What is searched for, in GDELT's own language of queries: ``(tariffs OR "central bank") sourcelang:english``."""

    query: str


def posts(reading: Reading) -> Iterator[Found]:
    """Headlines of ``[start, end)``; `SourceError` where the answers are not a search's, or one moment has more than can be had."""
    yield from _interval(reading, reading.start, reading.end)


def _interval(reading: Reading, start: datetime, end: datetime) -> Iterator[Found]:
    articles = _articles(reading, start, end)
    if len(articles) < RECORDS:
        yield from (found for article in articles if (found := _found(article, reading, start, end)))
    elif end - start <= _SECOND:
        at = f"{start:%Y-%m-%dT%H:%M:%S}/{end:%H:%M:%SZ}"
        raise SourceError(f"gdelt: {RECORDS} or more articles at {at}, no more can be had of a moment: narrow the topic's query")
    else:
        middle = (start + (end - start) / 2).replace(microsecond=0)
        yield from _interval(reading, start, middle)
        yield from _interval(reading, middle, end)


def _articles(reading: Reading, start: datetime, end: datetime) -> list:
    """What GDELT has from ``start`` to ``end``, both of them included: which of its bounds it counts in is nowhere said."""
    parameters = {
        "query": reading.section.query,
        "mode": "artlist",
        "format": "json",
        "startdatetime": f"{start:%Y%m%d%H%M%S}",
        "enddatetime": f"{end:%Y%m%d%H%M%S}",
        "maxrecords": RECORDS,
        "sort": "datedesc",
    }
    url = f"{reading.settings.gdelt_url.rstrip('/')}/api/v2/doc/doc"
    answer = reading.http.ask(url, parameters, read=_read, apart_seconds=reading.settings.gdelt_pause_seconds).value
    articles = answer.get("articles", None if answer else []) if isinstance(answer, dict) else None
    if not isinstance(articles, list):
        raise SourceError("gdelt: expected an object with a list 'articles' or nothing in it, found another: is GROUNDSWELL_GDELT_URL GDELT's API?")
    return articles


def _read(content: bytes, headers: Mapping[str, str]) -> object:
    """The JSON, with a backslash that escapes nothing taken as one; `ValueError` with what GDELT says instead, in plain words."""
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(_ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text), strict=False)
    except ValueError:
        raise ValueError(f"JSON that breaks off or is none ({len(content)} bytes){sentence(content)}") from None


def _found(article, reading: Reading, start: datetime, end: datetime) -> Found | None:
    reason, seen = _fault(article)
    if reason is None and seen not in reading and seen != end:
        reason = "out_of_window"
    if reason:
        reading.dropped[reason] += 1
    if reason or not start <= seen < end:
        return None
    return Found(
        post_id=word(article["url"]),
        created_at=seen,
        text=article.get("title") if isinstance(article.get("title"), str) else None,
        record=article,
        lang=LANGUAGES.get((word(article.get("language")) or "").replace(" ", "").lower()),
        kind="article",
        url=word(article["url"]),
    )


def _fault(article) -> tuple[str | None, datetime | None]:
    if not isinstance(article, dict) or not word(article.get("url")):
        return "no_id", None
    try:
        return None, datetime.strptime(article.get("seendate"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return "bad_time", None


SOURCE = Source(
    name="gdelt",
    version=1,
    section=GdeltTopic,
    posts=posts,
    look_back=timedelta(days=90),  # older articles may be found or not: what comes could be a part, and nothing would say so
    settle=timedelta(hours=1),
    page_size=RECORDS,
    query_cap=RECORDS,
    requests_per_minute=12,
)
