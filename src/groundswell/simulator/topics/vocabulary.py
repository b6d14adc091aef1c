"""What one topic's talk is made of: its words, its names, and the sentence patterns that only it has."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import ModuleType

from groundswell.simulator import lexicon

Words = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words by what they do in a pattern; the patterns are added to the common ones of `groundswell.simulator.phrases`."""

    things: Words
    first_names: Words
    last_names: Words
    """A subject, what the posts are about, has one of both."""
    people: Words
    places: Words
    times: Words
    makers: Words
    good_events: Words
    bad_events: Words
    good_idioms: Words
    bad_idioms: Words
    good_aspects: Words
    bad_aspects: Words
    tags: Words
    emoji: Words
    """Those that say nothing but what the topic is."""
    plain: Words
    neutral: Words
    fillers: Words
    bots: Words
    negated: Words = ()
    contrast: Words = ()
    reported: Words = ()
    sarcasm: Words = ()
    wishes: Words = ()
    relief: Words = ()
    good_always: Words = lexicon.GOOD_ALWAYS
    good: Words = lexicon.GOOD
    bad_always: Words = lexicon.BAD_ALWAYS
    bad: Words = lexicon.BAD
    like_always: Words = lexicon.LIKE_ALWAYS
    like: Words = lexicon.LIKE
    dislike_always: Words = lexicon.DISLIKE_ALWAYS
    dislike: Words = lexicon.DISLIKE

    @classmethod
    def of(cls, topic: ModuleType) -> Vocabulary:
        """What ``topic`` has under the fields' names in capitals; `TypeError` for one that is due and missing, and for one too many."""
        known = {field.name.upper() for field in fields(cls)}
        unknown = [name for name, value in vars(topic).items() if name.isupper() and isinstance(value, tuple) and name not in known]
        if unknown:
            raise TypeError(f"{topic.__name__}: {', '.join(unknown)}: no word of a vocabulary")
        return cls(**{name.lower(): value for name, value in vars(topic).items() if name in known})
