"""basic"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Written:
    text: str
    sentiment: str
    lang: str = "en"
    is_off_topic: bool = False


class Writer:
    def __init__(self, seed, topic, day, chance: random.Random):
        self.chance = chance

    def write(self, platform) -> Written:
        label = self.chance.choice(("negative", "neutral", "positive"))
        word = {"negative": ("awful", "boring"), "neutral": ("released", "announced"), "positive": ("great", "lovely")}[label]
        return Written(
            f"the new {self.chance.choice(('raid', 'map', 'trailer', 'patch'))} is {self.chance.choice(word)} #{self.chance.randrange(999)}", label
        )
