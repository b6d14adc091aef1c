"""Personal data of every form is found wherever it stands; what posts are about stays; scrubbing twice is scrubbing once."""

import random
import string
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundswell.identifiers import IBAN_LENGTH, is_card, is_iban
from groundswell.pii import KINDS, Scrubber
from groundswell.text import normalise

pytestmark = pytest.mark.slow

SCRUBBER = Scrubber()


def scrubbed(text, **options):
    counts = Counter()
    return Scrubber(**options).scrub(text, counts), dict(counts)


@pytest.mark.parametrize(
    ("written", "left", "kind"),
    [
        ("write to kai.moss+list@post.example.com.", "write to [email].", "email"),
        ("邮箱是kai@example.com谢谢", "邮箱是[email]谢谢", "email"),
        ("kai (at) example (dot) com", "[email]", "email"),
        ("kai&#64;example.com", "[email]", "email"),
        ("kai&amp;commat;example.com", "[email]", "email"),
        ("kai\\u0040example.com", "[email]", "email"),
        ("ka\u200bi@example.com", "[email]", "email"),
        ("https://shop.example/?q=1&email=kai%40example.com", "https://shop.example/?q=1&email=[email]", "email"),
        ("@kai_moss thanks", "@user thanks", "mention"),
        ("ask @kai@social.example or so", "ask @user or so", "mention"),
        ("ask @kai.bsky.social!", "ask @user!", "mention"),
        ("ask @kai.dev, please", "ask @user, please", "mention"),
        ("谢谢@kai 了", "谢谢@user 了", "mention"),
        ("谢谢＠kai 了", "谢谢@user 了", "mention"),
        ("u/kai_moss said it", "@user said it", "mention"),
        ("as /u/kai-moss said", "as @user said", "mention"),
        ("https://www.reddit.com/user/kai_moss/comments", "https://www.reddit.com/user/@user/comments", "mention"),
        ("https://x.com/kaimoss/status/12", "https://x.com/@user/status/12", "mention"),
        ("https://social.example/@kai/112", "https://social.example/@user/112", "mention"),
        ("https://social.example/users/kai/statuses/112", "https://social.example/users/@user/statuses/112", "mention"),
        ("https://bsky.app/profile/kai.bsky.social/post/3k2", "https://bsky.app/profile/@user/post/3k2", "mention"),
        ("https://steamcommunity.com/id/kaimoss/", "https://steamcommunity.com/id/@user/", "mention"),
        ('<a href="https://social.example/@kai">@<span>kai</span></a>', '<a href="https://social.example/@user">@<span>user</span></a>', "mention"),
        ("https://kai:hunter2@host.example/a", "https://host.example/a", "secret"),
        ("https://host.example/a?access_token=f00ba4&page=2", "https://host.example/a?access_token=[secret]&page=2", "secret"),
        ("key AKIAIOSFODNN7EXAMPLE in the log", "key [secret] in the log", "secret"),
        ("by did:plc:abcdefghij234567klmnopqr", "by [did]", "did"),
        ("DE89 3704 0044 0532 0130 00 is mine", "[iban] is mine", "iban"),
        ("gb82west12345698765432, thanks", "[iban], thanks", "iban"),
        ("paid with 4111 1111 1111 1111 12/28", "paid with [card] 12/28", "card"),
        ("卡号4111111111111111谢谢", "卡号[card]谢谢", "card"),
        ("5555-5555-5555-4444?", "[card]?", "card"),
        ("3782 822463 10005", "[card]", "card"),
        ("it is 123-45-6789", "it is [ssn]", "ssn"),
        ("my SSN is 123 45 6789", "my SSN is [ssn]", "ssn"),
        ("join 203.0.113.77:27015", "join [ip]:27015", "ip"),
        ("http://203.0.113.77/x", "http://[ip]/x", "ip"),
        ("2001:db8::8a2e:370:7334 times out", "[ip] times out", "ip"),
        ("+49 170 1234567 or so", "[phone] or so", "phone"),
        ("+44 (0)20 7946 0958", "[phone]", "phone"),
        ("+1-415-555-2671", "[phone]", "phone"),
        ("0049 170 1234567", "[phone]", "phone"),
        ("(415) 555-2671", "[phone]", "phone"),
        ("06 12 34 56 78", "[phone]", "phone"),
        ("020 7946 0958", "[phone]", "phone"),
        ("01701234567", "[phone]", "phone"),
        ("Tel/01701234567", "Tel/[phone]", "phone"),
        ("090-1234-5678", "[phone]", "phone"),
        ("call me at 555-0123", "call me at [phone]", "phone"),
        ("WhatsApp: 98765 43210", "WhatsApp: [phone]", "phone"),
        ("tip 0x52908400098527886E0F7030069857D2E4169EE7", "tip [wallet]", "wallet"),
        ("tip 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "tip [wallet]", "wallet"),
        ("tip bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "tip [wallet]", "wallet"),
    ],
)
def test_found(written, left, kind):
    assert scrubbed(written) == (left, {kind: scrubbed(written)[1][kind]})


@pytest.mark.parametrize(
    "text",
    [
        "Patch 1.2.3.4 is out, 1.2.3.3 was worse",
        "since version 10.0.2.15 it stutters",
        "the driver 31.0.101.2115 crashes",
        "no place like 127.0.0.1",
        "$1,299.99, then 1.299.999,00 €, now 59.99",
        "2026-10-19 10:00, 19.10.2026, 10/19/2026, 01-02-2026 12:30",
        "2026-10-19T05:00:00.123456Z",
        "12:30:45 and std::vector<a::b>",
        "0.5238095521926879 of them",
        "won 100-98, then 3-2, then 21-19 21-17",
        "3/1/12, 24/7, 9/11, and/or, w/o, 50/50",
        "1920x1080 at 144 Hz, 4k@60fps, two @3.99, @1080p",
        "from 1998 to 2024, 2019-2024",
        "100000000 copies, 1,000,000,000 views, 12 345 678 players",
        "+1, +100, +10000000 points",
        "RTX 4090, 5800X3D, i9-13900K",
        "ISBN 978-3-16-148410-0",
        "bar code 4006381333931",
        "https://shop.example/dp/0359873057/",
        "call of duty 4, call 911, phone 12",
        "build 20261019.1234, 7656119",
        "icon@2x.png",
        "https://host.example/a?page=2&code=SAVE20",
        "https://x.com/search?q=game, netflix.com/title",
        "the user/admin split, s/he, u/s",
        "550e8400-e29b-41d4-a716-446655440000",
        "3f2504e04f8941d39a0c0305e82c3301",
        "in sum: 0.1 0.2 0.3, 10 20 30 40 50 60 70",
        "😀🎮 (╯°□°)╯ ¯\\_(ツ)_/¯",
    ],
)
def test_left_alone(text):
    assert scrubbed(text) == (text, {})


def luhn(digits):
    """``digits`` with Luhn's digit after them."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return digits + str(-sum(value - 9 * (value > 9) for value in doubled) % 10)


def iban(country, account):
    bban = account[: IBAN_LENGTH[country] - 4].ljust(IBAN_LENGTH[country] - 4, "7")
    rest = int("".join(str(int(character, 36)) for character in bban + country + "00")) % 97
    return f"{country}{98 - rest:02d}{bban}"


def grouped(text, sizes, separator):
    places = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    return separator.join(filter(None, (text[start:end] for start, end in zip(places, [*places[1:], None], strict=True))))


WORD = st.text(string.ascii_lowercase, min_size=2, max_size=10)
DIGITS = st.text(string.digits, min_size=20, max_size=20)
NAME = st.from_regex(r"[a-z][a-z0-9_]{3,12}", fullmatch=True)
HIGH = st.integers(100, 254)
PLANTED = {
    "email": st.builds("{}.{}@{}.example".format, NAME, WORD, WORD),
    "mention": st.one_of(
        NAME.map("@{}".format), NAME.map("@{}@social.example".format), NAME.map("@{}.bsky.social".format), NAME.map("/u/{}".format),
        NAME.map("https://social.example/@{}".format), NAME.map("https://www.reddit.com/user/{}".format),
    ),
    "secret": st.one_of(
        st.builds("https://{}:{}@host.example/".format, NAME, DIGITS), st.builds("https://host.example/?token={}{}".format, NAME, DIGITS),
    ),
    "did": st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=24, max_size=24).map("did:plc:{}".format),
    "iban": st.builds(
        lambda country, digits, separator: grouped(iban(country, digits), [4] * 8, separator), st.sampled_from(sorted(IBAN_LENGTH)), DIGITS,
        st.sampled_from(["", " ", "-"]),
    ),
    "card": st.one_of(
        st.builds(lambda digits, separator: grouped(luhn("4" + digits[:14]), [4] * 4, separator), DIGITS, st.sampled_from(["", " ", "-", "."])),
        st.builds(lambda digits, separator: grouped(luhn("37" + digits[:12]), [4, 6, 5], separator), DIGITS, st.sampled_from(["", " ", "-"])),
    ),
    "ssn": st.builds("{:03d}-{:02d}-{:04d}".format, st.integers(1, 665), st.integers(1, 99), st.integers(1, 9999)),
    "ip": st.one_of(
        st.builds("{}.{}.{}.{}".format, HIGH.filter(lambda octet: octet != 127), HIGH, HIGH, HIGH),
        st.ip_addresses(v=6, network="2001:db8::/32").filter(lambda address: int(address) & (1 << 64) - 1 > 1 << 60).map(str),
    ),
    "phone": st.one_of(
        st.builds(
            lambda digits, between: "+49" + between + grouped("17" + digits[:8] + "3", [3, 4], between), DIGITS, st.sampled_from(["", " ", "-"])
        ),
        st.builds("+1 ({}) {}-{:04d}".format, st.integers(200, 999), st.integers(200, 999), st.integers(0, 9999)),
        st.builds("{}-{}-{:04d}".format, st.integers(200, 999), st.integers(200, 999), st.integers(0, 9999)),
        st.builds(lambda digits: grouped("07" + digits[:8], [2] * 4, " "), DIGITS),
    ),
    "wallet": st.one_of(
        st.text("0123456789abcdef", min_size=40, max_size=40).map("0x{}".format),
        st.text("acdefghjklmnpqrstuvwxyz", min_size=38, max_size=58).map("bc1q{}".format),
    ),
}  # fmt: skip
BEFORE = st.sampled_from(
    ["", " ", "\n", ", ", "(", '"', "! ", ": ", "<p>", "😀", "谢谢", "です。", "so it goes ", "Größe ", "it was 3-2 for ", "in 2026, "]
)
AFTER = st.sampled_from(
    ["", " ", "\n", ", ", ")", '"', "! ", ".", "?", "</p>", "😀", "谢谢", "です。", " and so on", " Größe", " scored 3-2", ", 2026"]
)


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_planted_in_any_surrounding(kind, data):
    planted = data.draw(PLANTED[kind], label="planted")
    before, after = data.draw(BEFORE, label="before"), data.draw(AFTER, label="after")
    if after[:1] in ("谢", "で") and kind in ("mention", "secret"):
        after = " " + after  # a handle may be Chinese: nothing says where it ends
    before = before + " " * (before[-1:] == "谢" and planted.startswith(("http", "/")))
    left, counts = scrubbed(f"{before}{planted}{after}")
    assert kind in counts, "found"
    assert left.startswith(before.rstrip(" ")) and left.endswith(after.lstrip(" ")), "and nothing else with it"
    secret = planted.removeprefix("https://").removeprefix("host.example/?token=")
    assert secret not in left
    assert normalise(left) == normalise(normalise(left)) and (kind in ("mention", "secret") or f"[{kind}]" in normalise(left))


ORDINARY = st.one_of(
    st.integers(0, 10**9).map(str),
    st.floats(0, 10**6, allow_nan=False).map(str),
    st.builds("{}-{}".format, st.integers(0, 999), st.integers(0, 999)),
    st.dates().map(str),
    st.dates().map("{:%d.%m.%Y}".format),
    st.times().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.builds("${:,.2f}".format, st.floats(0, 10**8)),
    st.builds("v{}.{}.{}.{}".format, *[st.integers(0, 60)] * 4),
    st.integers(1900, 2100).map(str),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(ORDINARY, WORD), min_size=1, max_size=6).map(", ".join))
def test_ordinary_numbers_stay(text):
    assert scrubbed(text) == (text, {})


PIECES = st.lists(
    st.one_of(
        st.sampled_from(list("@＠/:.=&?;#([{)]}%+-_ \\0123456789abcdefx")),
        st.sampled_from(["&amp;", "&#64;", "\\u0040", "did:plc:", "https://", "://", "(at)", "u/", "x.com/", "\u200b"]),
        st.sampled_from(["kai@example.com", "4111111111111111", "+491701234567", "DE89370400440532013000", "203.0.113.77", "[email]", "@user", "::"]),
        st.text(max_size=5),
    ),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(PIECES)
@example("&amp;" * 40 + "#64;")
@example("a@b.co" * 30)
@example("\\ud83d and \\ude00")
def test_a_fixed_point_of_anything(text):
    once = SCRUBBER.scrub(text)
    assert SCRUBBER.scrub(once) == once
    once.encode()


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_never_raises(text):
    SCRUBBER.scrub(text)


def test_kinds_are_chosen():
    text = "@kai kai@example.com +49 170 1234567"
    assert scrubbed(text, kinds=["email"]) == ("@kai [email] +49 170 1234567", {"email": 1})
    assert scrubbed(text, kinds=[]) == (text, {})


@pytest.mark.parametrize(
    "piece",
    ["a", "@", "1", "1 ", "0 1", "a.", ":", "::", "/", "u/", "&amp;", "(at", "1.1.", "+1", "@a", "a@b.", "x.com/", "-1", "0x", "\\u0040", "DE89 "],
)
def test_hostile_texts_take_linear_time(piece):
    import time

    short, long = piece * (20_000 // len(piece)), piece * (80_000 // len(piece))
    begun = time.process_time()
    SCRUBBER.scrub(short)
    middle = time.process_time()
    SCRUBBER.scrub(long)
    assert time.process_time() - middle < max(1.0, 10 * (middle - begun))


def test_checks_know_their_own():
    rng = random.Random(1)
    cards = [luhn("4" + "".join(rng.choices(string.digits, k=14))) for _ in range(200)]
    assert all(map(is_card, cards)) and not any(is_card(card[:-1] + str((int(card[-1]) + 1) % 10)) for card in cards)
    accounts = [iban(country, "".join(rng.choices(string.digits, k=20))) for country in IBAN_LENGTH]
    assert all(map(is_iban, accounts)) and not any(is_iban(account[:-1] + str((int(account[-1], 36) + 1) % 10)) for account in accounts)
