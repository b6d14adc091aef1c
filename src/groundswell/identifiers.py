"""Numbers that say themselves whether they are what they look like: bank accounts, cards, telephone numbers, addresses, wallets.

Standard library only; reads strings, writes nothing. The checks are the published ones: ISO 13616 (IBAN: length by country, mod 97),
ISO/IEC 7812 (cards: issuer's range, length, Luhn's digit), E.164 and the North American plan (telephone), Base58Check (wallets).
"""

from __future__ import annotations

import hashlib
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
IBAN_LENGTH = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries.split()}

_CARDS = (
    (4, 4, (16, 19)), (51, 55, (16,)), (2221, 2720, (16,)), (34, 34, (15,)), (37, 37, (15,)), (6011, 6011, (16, 19)), (644, 659, (16, 19)),
    (3528, 3589, (16, 19)), (300, 305, (14,)), (36, 36, (14,)), (38, 39, (14,)), (62, 62, (16, 17, 18, 19)), (50, 50, (16, 18, 19)),
    (56, 69, (16, 18, 19)),
)  # fmt: skip
"""Issuers' ranges of first digits, and how long their numbers are. Not Visa's 13 digits: no such card is in use, and bar codes have as many."""

_NO_COUNTRY = ("0", "28", "83", "89")
"""What no country's telephone code begins with (ITU E.164, spare codes)."""

_BASE58 = {letter: value for value, letter in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_HIGH_OCTET = 64
"""Octets of a game's or a driver's version are small; of four octets of an address one is larger nearly always (255 of 256 times)."""


def is_iban(text: str) -> bool:
    """Whether ``text`` (letters and digits only) has its country's length and remainder 1."""
    text = text.upper()
    if len(text) != IBAN_LENGTH.get(text[:2]) or not text.isascii():
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def is_card(digits: str) -> bool:
    """Whether ``digits`` begin like an issuer's, are as many, and end in Luhn's digit."""
    length = len(digits)
    if not any(length in lengths and low <= int(digits[: len(str(low))]) <= high for low, high, lengths in _CARDS):
        return False
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_international(digits: str) -> bool:
    """Whether ``digits`` (what follows ``+`` or ``00``) can be a telephone number: a country code that exists, 9 to 15 digits, not a round number."""
    if not 9 <= len(digits) <= 15 or digits.endswith("00000"):
        return False
    if digits[0] == "1":
        return is_north_american(digits[1:])
    return not digits.startswith(_NO_COUNTRY)


def is_north_american(digits: str) -> bool:
    """Whether ten ``digits`` are an area, an exchange and a number: neither of the first two begins with 0 or 1."""
    return len(digits) == 10 and digits[0] in "23456789" and digits[3] in "23456789"


def is_ipv4(text: str, *, is_version_talk: bool) -> bool:
    """Whether ``text`` is an address of a machine somewhere; four small numbers in talk of versions are a version."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    if address.is_loopback or address.is_unspecified or text == "255.255.255.255":
        return False  # everybody's, and nobody's
    return not is_version_talk or max(address.packed) >= _HIGH_OCTET


def is_ipv6(text: str) -> bool:
    """Whether ``text`` is an address: not a time, a score, or a name of C++."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    if address.is_loopback or address.is_unspecified or not any(map(str.isdigit, text)):
        return False
    groups = [group for group in text.split(":") if group]
    return any(len(group) > 2 for group in groups) and len(groups) >= 2


def is_base58check(text: str) -> bool:
    """Whether ``text`` is 25 bytes in Base58 of which the last four are the others' checksum: a Bitcoin address of the older kinds."""
    number = 0
    for letter in text:
        number = number * 58 + _BASE58[letter]
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()[:4] == data[21:]
