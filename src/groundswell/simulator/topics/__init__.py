"""The topics that people talk about on the simulated platforms."""

from __future__ import annotations

from groundswell.simulator.topics.brands import BRANDS
from groundswell.simulator.topics.finance import FINANCE
from groundswell.simulator.topics.games import GAMES

VOCABULARIES = {"games": GAMES, "finance": FINANCE, "brands": BRANDS}
TOPICS = tuple(VOCABULARIES)
