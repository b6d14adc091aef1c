"""What the simulated platforms look like: ``GROUNDSWELL_SIMULATOR_*`` in the environment. Other values, other worlds."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SimulatorSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GROUNDSWELL_SIMULATOR_", extra="ignore", frozen=True)

    port: int = Field(8400, ge=0, le=65535)
    seed: int = 1
    """Another seed, another history of every platform."""
    hackernews_per_day: int = Field(90, ge=0)
    steam_per_day: int = Field(90, ge=0)
    bluesky_per_day: int = Field(90, ge=0)
    mastodon_per_day: int = Field(90, ge=0)
    lemmy_per_day: int = Field(90, ge=0)
    x_per_day: int = Field(90, ge=0)
    reddit_per_day: int = Field(90, ge=0)
    rss_per_day: int = Field(90, ge=0)
    gdelt_per_day: int = Field(90, ge=0)
    corpus_per_day: int = Field(260, ge=0)
    slow_seconds: float = Field(2.0, ge=0)
    """How long the fault ``slow`` takes."""
    queries: dict[str, str] = {"game": "games", "games": "games", "video game": "games"}
    """Hacker News: what is searched for → the topic that answers. Other queries find nothing."""
    app_ids: dict[int, str] = {730: "games", 440: "games", 570: "games"}
    """Steam: the apps that exist → their topic."""

    def per_day(self, platform: str) -> int:
        """About how many posts ``platform`` has a day and topic."""
        return getattr(self, f"{platform}_per_day")
