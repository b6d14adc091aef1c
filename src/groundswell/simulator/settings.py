"""What the simulated platforms look like: ``GROUNDSWELL_SIMULATOR_*`` in the environment. Other values, other worlds."""

from __future__ import annotations

import re

from pydantic import AwareDatetime, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell.simulator.events import EVENTS, Event

QUERIES = {
    "games": ("game", "games", "video game", "gaming", "indiegame", "pcgaming", "patchday"),
    "finance": ("finance", "stock", "stocks", "stockmarket", "earnings", "investing", "shares"),
    "brands": ("brand", "brands", "customer service", "customerservice", "gadgets", "sneakers", "recall"),
}
"""Topic → what people search for, follow or subscribe to on the platforms to read about it."""


class SimulatorSettings(BaseSettings):
    """One world. Only ``now`` moves while it is served (``PUT /now``)."""

    model_config = SettingsConfigDict(env_prefix="GROUNDSWELL_SIMULATOR_", extra="ignore", validate_assignment=True)

    port: int = Field(8400, ge=0, le=65535)
    seed: int = 1
    """Another seed, another history of every platform."""
    now: AwareDatetime | None = None
    """As of when the platforms are looked at; None: everything that was ever posted, as it was posted, without edits and deletions."""
    hackernews_per_day: int = Field(90, ge=0)
    steam_per_day: int = Field(90, ge=0)
    bluesky_per_day: int = Field(90, ge=0)
    mastodon_per_day: int = Field(90, ge=0)
    lemmy_per_day: int = Field(90, ge=0)
    x_per_day: int = Field(90, ge=0)
    reddit_per_day: int = Field(90, ge=0)
    rss_per_day: int = Field(90, ge=0)
    gdelt_per_day: int = Field(90, ge=0)
    rss_entries: int = Field(50, ge=0)
    """How many entries a feed shows: the newest."""
    corpus_per_day: int = Field(260, ge=0)
    chaos: int | None = None
    """A seed: about one request in seven goes wrong in a way that passes, by its number. None: only what is planned."""
    slow_seconds: float = Field(2.0, ge=0)
    """How long the fault ``slow`` takes."""
    late_share: float = Field(0.01, ge=0, le=1)
    """Posts that can be seen only 2 to 30 hours after they were made. These three count once ``now`` is set."""
    edited_share: float = Field(0.04, ge=0, le=1)
    """Posts that are edited within a day; a fifth of the edits turn the sentiment."""
    deleted_share: float = Field(0.03, ge=0, le=1)
    """Posts that are deleted within three days."""
    events: tuple[Event, ...] = EVENTS
    """What happens and is talked about; as JSON in the environment, ``[]`` for nothing."""
    queries: dict[str, str] = {query: topic for topic, queries in QUERIES.items() for query in queries}
    """What is searched for, in lower case → the topic that answers. Other queries find nothing."""
    app_ids: dict[int, str] = {730: "games", 440: "games", 570: "games"}
    """Steam: the apps that exist → their topic."""

    def per_day(self, platform: str) -> int:
        """About how many posts ``platform`` has a day and topic."""
        return getattr(self, f"{platform}_per_day")

    def topic_of(self, asked: str) -> str | None:
        """The topic that a query, a tag, a community or a feed's name is about; None when it is about nothing that exists here.

        The whole of it counts first, then its words, so that ``(stocks OR shares) lang:en`` is understood.
        """
        asked = asked.strip().casefold()
        words = re.findall(r"[^\W_]+", asked)
        return next((self.queries[part] for part in (asked, asked.lstrip("#@!$"), *words) if part in self.queries), None)
