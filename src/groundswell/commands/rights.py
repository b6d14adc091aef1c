"""People's rights: what goes out of everything that was made of it."""

from __future__ import annotations

from typing import Annotated

import typer

from groundswell.commands import TopicOption, configured, now, tell
from groundswell.settings import load_settings


def erase(
    author: Annotated[list[str] | None, typer.Option(help="SOURCE:ID, the platform's own id; may be given again.")] = None,
    post: Annotated[list[str] | None, typer.Option(help="SOURCE:ID of a single post; may be given again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: what would go, from where.")] = False,
) -> None:
    """Erase an author's rows, or single posts, out of everything that was made of them; prints the receipt."""
    settings = load_settings()
    from groundswell.erase import erase as stage
    from groundswell.erasure.subjects import Subject
    from groundswell.seal import seal as sealing

    subjects = [Subject.parse("author", word) for word in author or []] + [Subject.parse("post", word) for word in post or []]
    tell(stage(subjects, settings=settings, now=now(), seal=lambda topic: sealing(topic, settings=settings), dry_run=dry_run))


def takedown(topic: TopicOption = None) -> None:
    """Ask the platforms whether posts of the last days are still there, and erase those that are gone."""
    settings, params = configured()
    from groundswell.erase import erase as erasing
    from groundswell.erasure.subjects import Subject
    from groundswell.seal import seal as sealing
    from groundswell.takedown import takedown as stage

    def erase_posts(gone: dict[str, list[str]]) -> dict:
        subjects = [Subject("post", source, post_id) for source, ids in gone.items() for post_id in ids]
        return erasing(subjects, settings=settings, now=now(), seal=lambda each: sealing(each, settings=settings))

    name, wanted = params.topic_named(topic)
    tell(stage(name, wanted, settings=settings, params=params.takedown, collect=params.collect, now=now(), erase=erase_posts))


def retain(topic: TopicOption = None) -> None:
    """Remove the partitions of a topic that are older than their layer may keep."""
    settings, params = configured()
    from groundswell.retain import retain as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.retain, now=now()))
