"""The topics that people talk about on the simulated platforms: a module each, its words under the names of a `Vocabulary`'s fields."""

from __future__ import annotations

from groundswell.simulator.topics import brands, finance, games
from groundswell.simulator.topics.vocabulary import Vocabulary

VOCABULARIES = {"games": Vocabulary.of(games), "finance": Vocabulary.of(finance), "brands": Vocabulary.of(brands)}
TOPICS = tuple(VOCABULARIES)
