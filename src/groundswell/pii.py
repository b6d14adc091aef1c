"""Personal data that has a form, taken out of strings: each find becomes a word for its kind, such as ``[email]``; a person's handle ``@user``.

Standard library only; reads a string, gives another and counts; the finds themselves are kept nowhere. Precision counts as much as
recall: a patch 1.2.3.4, prices, dates, scores and play times are what posts are about and stay. What only hides behind entities,
escapes or invisible characters is found too: `text.normalise`, and every reader, would show it again.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection

from groundswell.identifiers import IBAN_LENGTH, is_base58check, is_card, is_iban, is_international, is_ipv4, is_ipv6, is_north_american
from groundswell.text import without_invisible

KINDS = ("email", "mention", "secret", "did", "iban", "card", "ssn", "ip", "phone", "wallet")
"""What is looked for. ``mention``: handles, names in links to profiles. ``secret``: credentials and tokens. ``did``: decentralised ids."""

USER = "@user"
"""What stands for a person's handle: the word that `text.normalise` and the models know."""

_ROUNDS = 8
_LAYERS = 12
"""Layers of escaping that are taken off; text with more was built to waste time, and loses what it escapes with."""

# Letters of scripts that put spaces between words: in Chinese, Japanese or Thai a number or an address stands in the midst of the others.
_LETTER = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
_ALONE = r"(?<![A-Za-z0-9])(?<!\d[.,:/-])"
_ENDS = r"(?![A-Za-z0-9]|[.,:/-]\d)"

_MENTION_OR_EMAIL = re.compile(
    rf"""
    (?<![A-Za-z0-9_@＠+%]) (?P<at>[@＠]+ (?:<span[^<>]{{0,80}}>)?)
        (?! \d{{1,4}} (?:[.,]\d+)? (?:fps|[kmg]?hz|k|p|x|am|pm|h|ms|s|%)? (?!\w) )   # 4k @60fps, two @3.99
        (?P<name> \w+ (?:-\w+)* (?:@[\w-]+ (?:\.[\w-]+)+)*
            (?: \.[\w-]+ \.[\w.-]*\w | \.(?:com|net|org|dev|io|app|social|me|blog|art|de|fr|uk|eu|jp|xyz|gay|moe)\b )? )
    |
    (?P<email> [{_LETTER}0-9_.+%'-]{{1,64}} (?:@|%40) (?:[{_LETTER}0-9_-]{{1,63}}\.){{1,8}}
        (?! (?:png|jpe?g|gif|webp|svg|css|js)\b ) (?:xn--[a-z0-9-]{{2,59}} | [{_LETTER}]{{2,24}}) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPELT_EMAIL = re.compile(
    rf"[{_LETTER}0-9_.+-]{{1,64}} ?[(\[{{] ?(?:at|@) ?[)\]}}] ?[{_LETTER}0-9-]{{1,63}}"
    rf"(?: ?(?:\.|[(\[{{] ?(?:dot|\.) ?[)\]}}]) ?[{_LETTER}0-9-]{{2,63}}){{1,4}}",
    re.IGNORECASE,
)

_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#<>\"']{1,300}@")
_QUERY = re.compile(
    r"(?<=[?&;#])(?P<name>(?P<secret>(?:access|refresh|auth|id|api|bearer|session|reset|login|csrf|user)?_?-?token|api_?-?key|(?:client_?-?)?secret|"
    r"pass(?:word|wd)?|pwd|signature|sig|jwt|session_?-?id|phpsessid|x-amz-(?:signature|credential|security-token))|"
    r"(?P<long>key|code|sid|auth|session|hash|ticket|otp)|(?P<email>e-?mail|mail)|(?P<phone>phone|tel|mobile)|"
    r"(?P<user>user|user_?-?name|login|handle|screen_?name|user_?-?id|uid))=(?P<value>[\w.~%+/:@=$-]*[\w~%+/=$-])",
    re.IGNORECASE,
)
_LONG_VALUE = 16  # a shorter one after a word like "code" or "key" is a coupon or a page

_PROFILE = re.compile(
    r"(?P<link>(?<![\w-])(?:"
    r"reddit\.com/u(?:ser)?/|bsky\.app/profile/|steamcommunity\.com/(?:id|profiles)/|linkedin\.com/in/|news\.ycombinator\.com/(?:user|threads)\?id=|"
    r"(?:twitter|x)\.com/(?!(?:home|search|hashtag|i|intent|share|explore|settings|login|signup|about|tos|privacy|jobs|compose)\b)|"
    r"(?:instagram|facebook|twitch|tiktok)\.(?:com|tv)/(?!(?:p|reel|reels|explore|stories|groups|events|watch|directory|videos|tag|share|sharer|login)\b)|"
    r"t\.me/(?!(?:joinchat|share)\b)|(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}(?::\d{1,5})?/(?:@|(?:users?|u|profile|author)/(?=\w)))"
    r")(?P<name>@?[\w.%~:@-]*\w)",
    re.IGNORECASE,
)
_SLASH_NAME = re.compile(r"(?<![\w/.@])(?:/?u|/user)/(?P<name>[\w-]{3,30})(?![\w/])", re.IGNORECASE)
_DID = re.compile(r"did:(?:plc:[a-z2-7]{16,32}|key:z\w{20,}|web:[\w.-]{3,200}\w)", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})"
)

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ \u00a0-]?[A-Z0-9]){11,31}", re.IGNORECASE)
_CARD = re.compile(r"(?<![A-Za-z0-9+])(?<!\d[.,])(?:\d{4}(?:\.\d{4}){3}(?![.,]?\d)|\d{2,19}(?:[ \u00a0-]\d{2,19})*)(?![A-Za-z0-9]|[.,]\d)")
_CARD_LONG = re.compile(r"\d(?:[ \u00a0.-]?\d){13}")
_GROUP = re.compile(r"\d+")
_CARD_GROUPS = 6
_SSN = re.compile(
    r"(?P<before>\bssn\W{1,4}(?:is\W{1,3})?)\d{3}[ -]?\d\d[ -]?\d{4}(?!\d)"
    r"|(?<![A-Za-z0-9])(?<!\d-)(?!000|666)[0-8]\d\d-(?!00)\d\d-(?!0000)\d{4}(?![A-Za-z0-9]|-\d)",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![A-Za-z0-9])(?<!\d\.)(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9]|\.\d)")
_IPV6 = re.compile(r"(?<![A-Za-z0-9_:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![A-Za-z0-9_:])", re.IGNORECASE)
_VERSION_TALK = re.compile(r"\b(?:patch|version|ver|v|build|update|hotfix|release|driver|firmware|client|mod|sdk|changelog)\b", re.IGNORECASE)
_WALLET = re.compile(r"(?<![A-Za-z0-9])(?:0x[0-9a-fA-F]{40}|bc1[02-9ac-hj-np-z]{22,71}|(?P<old>[13][1-9A-HJ-NP-Za-km-z]{25,33}))(?![A-Za-z0-9])")

_BETWEEN = r"[ .\-/()\u00a0\u2010-\u2015]{0,3}"
_INTERNATIONAL = re.compile(rf"(?<![\d+])(?:\+ ?|(?<![A-Za-z.,:/-])00 ?(?=[1-9]))(?P<digits>\(?\d(?:{_BETWEEN}\d){{6,}})(?![A-Za-z])")
_LOCAL = re.compile(
    rf"""{_ALONE}(?:
        (?P<american> (?:1[ .-])? (?:\([2-9]\d\d\)[ ]?|(?<![$€£])[2-9]\d\d[ .-]) [2-9]\d\d [ .-] \d{{4}} )
      | 0[1-9] (?:(?:[ ]\d\d){{4}} | (?:\.\d\d){{4}} | (?:-\d\d){{4}})                                          # 06 12 34 56 78
      | (?<![A-Za-z0-9]/) 0[1-9]\d{{8,10}}                                                                      # 01701234567, no part of a link
      | (?!0?\d[./-]\d{{1,2}}[./-](?:19|20)\d\d)                                                               # no date, but 020 7946 0958
        (?:\(0[1-9]\d{{0,4}}\)|0[1-9]\d{{0,4}}) (?:[ ]?[/-][ ]?|[ ]) \d{{2,8}} (?:[ -]\d{{2,5}}){{0,3}}
      | \(\d{{2,4}}\)[ ]?\d{{3,5}}[ -]\d{{2,4}}(?:[ -]\d{{2,4}})?                                               # (11) 91234-5678
      | 1[3-9]\d([ -])\d{{4}}\2\d{{4}}                                                                          # 138-1234-5678
    ){_ENDS}""",
    re.VERBOSE,
)
_CALLED = re.compile(
    r"(?P<word>(?<![a-z])(?:call|phone|tel|telephone|whats ?app|mobile|cell|text (?:me|us)|sms|fax|dial|"
    r"handy|telefon|tel[eé]fono|m[oó]vil)\b|[☎📞📱]\ufe0f?)"
    r"(?P<filler>(?:[\s:./#=-]{0,3}\b(?:me|us|at|on|is|my|our|number|no|nr|under|unter|al|au)\b){0,4}[\s:./#=-]{0,3})"
    rf"(?P<digits>\(?\d(?:{_BETWEEN}\d){{6,14}}){_ENDS}",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d")

_DIGIT = re.compile(r"\d")
_MANY_DIGITS = re.compile(r"\d(?:\D{0,3}\d){6}")
_LITERAL_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SURROGATES = re.compile("[\ud800-\udfff]+")
_HIDING = str.maketrans(dict.fromkeys("&\\", " "))
_TRIGGERS = str.maketrans(dict.fromkeys("@＠/:=([{&\\+-.%", " "))


class Scrubber:
    """Takes the ``kinds`` of personal data out of strings. ``also``: one more pass, which gets the string and the counter (see `names`)."""

    def __init__(self, kinds: Collection[str] = KINDS, also: Callable[[str, Counter], str] | None = None):
        self.kinds = frozenset(kinds)
        self._also = also

    def scrub(self, text: str, counts: Counter | None = None) -> str:
        """``text`` with a word for each find, which ``counts`` has by kind; ``text`` itself where nothing is found.

        A fixed point: scrubbing it again changes nothing. Never raises.
        """
        counts = Counter() if counts is None else counts
        for _ in range(_ROUNDS):
            before, text = text, self._round(text, counts)
            if text == before:
                break
        else:
            text = _DIGIT.sub("0", text.translate(_TRIGGERS))  # it grows new finds out of the old ones: nothing written for people does
        return self._also(text, counts) if self._also else text

    def _round(self, text: str, counts: Counter) -> str:
        """Once over what a reader sees of ``text``; where that has nothing to take out, ``text`` stays as it is written."""
        shown = text if "&" not in text and "\\u" not in text and text.isascii() else _shown(text)
        clean = self._once(shown, counts)
        return text if clean == shown else clean

    def _once(self, text: str, counts: Counter) -> str:
        kinds = self.kinds
        finds = _Finds(counts)
        if "/" in text:
            text = self._links(text, finds)
        if "=" in text and kinds & {"secret", "email", "phone", "mention"}:
            text = _QUERY.sub(lambda match: finds.query(match, kinds), text)
        if ("@" in text or "%40" in text or "＠" in text) and kinds & {"mention", "email"}:
            text = _MENTION_OR_EMAIL.sub(lambda match: finds.mention_or_email(match, kinds), text)
        if "email" in kinds and ("at)" in text or "at]" in text or "AT)" in text or "@)" in text or "@]" in text or "AT]" in text):
            text = _SPELT_EMAIL.sub(lambda match: finds.as_("email"), text)
        if "did" in kinds and "did:" in text:
            text = _DID.sub(lambda match: finds.as_("did"), text)
        if "ip" in kinds and text.count(":") > 1:
            text = _IPV6.sub(lambda match: finds.as_("ip") if is_ipv6(match[0]) else match[0], text)
        return self._numbers(text, finds) if _DIGIT.search(text) else text

    def _links(self, text: str, finds: _Finds) -> str:
        if "secret" in self.kinds and "://" in text:
            text = _CREDENTIALS.sub(lambda match: finds.as_("secret", ""), text)
        if "mention" in self.kinds:
            text = _PROFILE.sub(lambda match: match["link"].removesuffix("@") + finds.user(match["name"]), text)
            text = _SLASH_NAME.sub(lambda match: finds.user(match["name"]), text)
        return text

    def _numbers(self, text: str, finds: _Finds) -> str:
        kinds = self.kinds
        if "ip" in kinds and text.count(".") > 2:
            text = _IPV4.sub(lambda match: finds.as_("ip") if is_ipv4(match[0], is_version_talk=bool(_VERSION_TALK.search(text))) else match[0], text)
        if "secret" in kinds and len(text) > 19:
            text = _TOKEN.sub(lambda match: finds.as_("secret"), text)
        if "wallet" in kinds and len(text) > 25:
            text = _WALLET.sub(lambda match: match[0] if match["old"] and not is_base58check(match["old"]) else finds.as_("wallet"), text)
        if not _MANY_DIGITS.search(text):
            return text
        if "iban" in kinds:
            text = _IBAN.sub(finds.iban, text)
        if "card" in kinds and _CARD_LONG.search(text):
            text = _CARD.sub(finds.card, text)
        if "ssn" in kinds and ("-" in text or "ssn" in text.casefold()):
            text = _SSN.sub(lambda match: (match["before"] or "") + finds.as_("ssn"), text)
        if "phone" in kinds:
            text = _INTERNATIONAL.sub(finds.international, text) if "+" in text or "00" in text else text
            text = _LOCAL.sub(finds.local, text)
            text = _CALLED.sub(finds.called, text)
        return text


class _Finds:
    """What takes a find's place, counted."""

    def __init__(self, counts: Counter):
        self._counts = counts

    def as_(self, kind: str, instead: str | None = None) -> str:
        self._counts[kind] += 1
        return f"[{kind}]" if instead is None else instead

    def user(self, name: str) -> str:
        return USER if name.removeprefix("@") == "user" else self.as_("mention", USER)

    def mention_or_email(self, match: re.Match, kinds: Collection[str]) -> str:
        if match["email"]:
            return self.as_("email") if "email" in kinds else match[0]
        if "mention" not in kinds:
            return match[0]
        at = match["at"].replace("＠", "@").lstrip("@")
        user = self.user(match["name"])
        return f"@{at}{user[1:]}"

    def query(self, match: re.Match, kinds: Collection[str]) -> str:
        value = match["value"]
        kind = "secret" if match["secret"] or match["long"] else "email" if match["email"] else "phone" if match["phone"] else "mention"
        if kind not in kinds or value == USER or match["long"] and len(value) < _LONG_VALUE:
            return match[0]
        return f"{match['name']}={self.as_(kind, USER if kind == 'mention' else None)}"

    def iban(self, match: re.Match) -> str:
        """The account at the beginning of the match, which runs on into the words after it."""
        left = IBAN_LENGTH.get(match[0][:2].upper(), 0)
        end = 0
        for end, character in enumerate(match[0], start=1):  # noqa: B007 - used after the loop
            left -= character.isalnum()
            if not left:
                break
        compact = "".join(filter(str.isalnum, match[0][:end]))
        if match[0][end : end + 1].isalnum() or not is_iban(compact):
            return match[0]
        return self.as_("iban") + match[0][end:]

    def card(self, match: re.Match) -> str:
        """The first run of whole groups that is a card's number."""
        groups = list(_GROUP.finditer(match[0]))
        for first, group in enumerate(groups):
            digits = ""
            for last in groups[first : first + _CARD_GROUPS]:
                digits += last[0]
                if len(digits) > 13 and is_card(digits):
                    return match[0][: group.start()] + self.as_("card") + match[0][last.end() :]
        return match[0]

    def international(self, match: re.Match) -> str:
        """The longest beginning, by whole groups, that can be a number with its country code."""
        begins = match.start("digits") - match.start()
        groups = list(_GROUP.finditer(match[0], begins))[:9]
        for last in range(len(groups), 0, -1):
            if is_international("".join(group[0] for group in groups[:last])):
                return self.as_("phone") + match[0][groups[last - 1].end() :]
        return match[0]

    def local(self, match: re.Match) -> str:
        digits = "".join(filter(str.isdigit, match[0]))
        is_phone = is_north_american(digits[-10:]) if match["american"] else 9 <= len(digits) <= 12
        return self.as_("phone") if is_phone else match[0]

    def called(self, match: re.Match) -> str:
        digits = "".join(filter(str.isdigit, match["digits"]))
        if _DATE.fullmatch(match["digits"]) or digits.endswith("00000"):
            return match[0]
        return match["word"] + match["filler"] + self.as_("phone")


def _shown(text: str) -> str:
    """``text`` as a reader sees it: entities and literal escapes decoded, invisible characters out."""
    for _ in range(_LAYERS):
        before = text
        if "\\u" in text:
            text = _LITERAL_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
            text = _SURROGATES.sub(lambda match: match[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace"), text)
        text = unicodedata.normalize("NFC", without_invisible(html.unescape(text)))
        if text == before or "&" not in text and "\\u" not in text:
            return text
    return text.translate(_HIDING)
