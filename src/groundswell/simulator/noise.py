"""What pollutes posts: mojibake, and people's data that should not stand there. All of it invented, none of it anybody's.

E-mails are at example.org and its kin, phone numbers from the ranges kept for films, cards have a test prefix and a right check
digit (ISO/IEC 7812, Luhn), IBANs right check digits (ISO 13616, mod 97) at banks that there are not, addresses are of RFC 5737.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Planted(NamedTuple):
    """A piece of somebody's data in a post: its kind and how it stands there."""

    kind: str
    value: str


_FIRST = ("ada", "bruno", "celia", "dmitri", "eun", "farid", "greta", "hugo", "ines", "jonas", "kofi", "leila", "mira", "nils", "oona", "pavel")
_LAST = ("alder", "birch", "cole", "dorn", "engel", "frost", "grau", "holm", "iversen", "jansen", "keller", "lund", "moor", "novak", "orr", "pohl")


def planted(chance: Random) -> tuple[str, Planted]:
    """A sentence with a piece of personal data, and the piece."""
    kind, make, sentence = chance.choice(_KINDS)
    value = make(chance)
    return sentence.format(value), Planted(kind, value)


def mojibake(text: str) -> str:
    """``text`` as it looks after UTF-8 was read as Windows-1252; a text of ASCII alone gets the typographic marks that show it."""
    if text.isascii():
        text = text.replace("'", "’") + " – see…"
    return text.encode("utf-8").decode("cp1252", errors="replace")


def luhn_digit(digits: str) -> str:
    """The check digit that makes ``digits`` + it pass Luhn's test."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def _email(chance: Random) -> str:
    name = f"{chance.choice(_FIRST)}{chance.choice(('.', '_', '-', ''))}{chance.choice(_LAST)}{chance.choice(('', str(chance.randrange(100))))}"
    return f"{name}@{chance.choice(('example.org', 'example.com', 'mail.example.net', 'post.example'))}"


def _phone(chance: Random) -> str:
    area, last = chance.randrange(201, 990), chance.randrange(100, 200)
    return chance.choice((f"+1 {area}-555-0{last}", f"+1 ({area}) 555-0{last}", f"({area}) 555-0{last}", f"+44 7700 900{chance.randrange(1000):03d}"))


def _card(chance: Random) -> str:
    digits = chance.choice(("400000", "555555", "222300")) + "".join(str(chance.randrange(10)) for _ in range(9))
    digits += luhn_digit(digits)
    return chance.choice(("", " ", "-")).join(digits[place : place + 4] for place in range(0, 16, 4))


def _iban(chance: Random) -> str:
    country, bank, length = chance.choice((("DE", "00000000", 10), ("GB", "TEST000000", 8), ("NL", "TEST", 10)))
    account = bank + "".join(str(chance.randrange(10)) for _ in range(length))
    number = "".join(str(int(character, 36)) for character in account + country + "00")
    whole = f"{country}{98 - int(number) % 97:02d}{account}"
    return chance.choice((whole, " ".join(whole[place : place + 4] for place in range(0, len(whole), 4))))


def _address(chance: Random) -> str:
    return f"{chance.choice(('192.0.2', '198.51.100', '203.0.113'))}.{chance.randrange(1, 255)}"


_KINDS: tuple[tuple[str, Callable[[Random], str], str], ...] = (
    ("email", _email, "write to {} if you want to know more"),
    ("email", _email, "my address is {}, since somebody asked"),
    ("phone", _phone, "call me on {} after six"),
    ("card", _card, "the card was {}, support wanted all of it"),
    ("iban", _iban, "they asked for my account, {}, so there it is"),
    ("ip", _address, "the log says {} all the time"),
)
PII_KINDS = tuple(dict.fromkeys(kind for kind, _, _ in _KINDS))
