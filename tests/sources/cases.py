"""One case a source: how posts that a test invents look on its wire. A new source adds one class and one line here."""

import csv
import html
import io
import json
import re
from datetime import UTC, datetime
from email.utils import format_datetime, mktime_tz, parsedate_tz
from xml.sax.saxutils import escape

import httpx2

from groundswell.params import Topic
from groundswell.sources import contract, source_named
from groundswell.sources.bluesky import BlueskyTopic
from groundswell.sources.contract import answer
from groundswell.sources.gdelt import GdeltTopic
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.huggingface import HuggingFaceTopic
from groundswell.sources.kaggle import KaggleTopic
from groundswell.sources.lemmy import LemmyTopic
from groundswell.sources.mastodon import MastodonTopic, snowflake
from groundswell.sources.reddit import RedditTopic
from groundswell.sources.replay import ReplayTopic
from groundswell.sources.rss import RssTopic
from groundswell.sources.steam import SteamTopic
from groundswell.sources.x import XTopic
from tests.simulated import settings_at

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"


class Case(contract.Case):
    """A case of ours: the addresses and credentials of all platforms are those of the simulated ones."""

    def settings(self, home):
        return settings_at("http://platform.test", home)

    @property
    def is_past(self):
        """Whether it is simulated, and can be asked for a past window: what a feed shows depends on when it is asked (see test_rss)."""
        return self.is_simulated and not source_named(self.name).is_on_sight


class HackerNews(Case):
    name = "hackernews"

    def topic(self, home):
        return Topic(hackernews=HackerNewsTopic(query="game"))

    def record(self, post):
        return {
            "objectID": post["id"],
            "author": post["author"],
            "comment_text": post["text"],
            "created_at_i": post["at"],
            "_tags": ["comment", f"author_{post['author']}", "story_1"],
            "_highlightResult": {"author": {"value": post["author"]}},
            "parent_id": 1,
            "story_title": f"a story that {post['author']} told",
        }

    def body(self, records):
        return {"hits": records, "nbHits": len(records), "nbPages": 1, "page": 0, "hitsPerPage": 1000, "exhaustiveNbHits": True}

    def page(self, records, request):
        number, pages = int(request.url.params["page"]), -(-len(records) // 3)
        return self.body(records) | {"hits": records[3 * number : 3 * number + 3], "nbPages": pages, "page": number}

    broken = (
        ("no_id", {"objectID": None}),
        ("no_id", {"objectID": True}),
        ("bad_time", {"created_at_i": "yesterday"}),
        ("bad_time", {"created_at_i": 10**18}),
        ("bad_time", {"created_at_i": None}),
        ("no_author", {"author": None}),
    )


class Steam(Case):
    name = "steam"

    def topic(self, home):
        return Topic(steam=SteamTopic(app_ids=[730]))

    def record(self, post):
        return {
            "recommendationid": post["id"],
            "author": {"steamid": post["author"], "num_reviews": 3},
            "language": "english",
            "review": post["text"],
            "timestamp_created": post["at"],
            "timestamp_updated": post["at"],
            "voted_up": True,
            "votes_up": 2,
            "profile": f"https://steamcommunity.com/profiles/{post['author']}/recommended/730/",
        }

    def body(self, records):
        whole = {"query_summary": {}, "total_matching": min(1, len(records)), "cursor": "*"}
        return {"response": whole | ({"reviews": records} if records else {})}

    broken = (
        ("no_id", {"recommendationid": None}),
        ("no_id", {"recommendationid": []}),
        ("bad_time", {"timestamp_created": "soon"}),
        ("bad_time", {"timestamp_created": -(10**30)}),
    )


class Bluesky(Case):
    name = "bluesky"

    def topic(self, home):
        return Topic(bluesky=BlueskyTopic(query="game"))

    def record(self, post):
        did, uri = f"did:plc:{post['author']}", f"at://did:plc:{post['author']}/app.bsky.feed.post/"
        created = datetime.fromtimestamp(post["at"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        mention = {"$type": "app.bsky.richtext.facet#mention", "did": did}
        return {
            "uri": f"{uri}{post['id']}",
            "author": {
                "did": did,
                "handle": f"{post['author']}",
                "displayName": f"{post['author']} the First",
                "avatar": f"https://x.example/{did}@jpeg",
            },
            "record": {
                "text": post["text"],
                "createdAt": created,
                "langs": ["en"],
                "facets": [{"index": {"byteStart": 0, "byteEnd": 1}, "features": [mention]}],
                "reply": {"parent": {"uri": f"{uri}1"}, "root": {"uri": f"{uri}0"}},
            },
            "embed": {"record": {"uri": f"{uri}2", "author": {"handle": post["author"]}}},
            "likeCount": 2,
        }

    def given_id(self, post_id):
        return post_id.rsplit("/", 1)[1]

    def transport(self, records, home):
        def handler(request):
            is_login = request.url.path.endswith("createSession")
            return answer({"accessJwt": "sim.token"} if is_login else {"posts": records})

        return httpx2.MockTransport(handler)

    broken = (
        ("no_id", {"uri": None}),
        ("no_id", {"uri": "https://x.example/1"}),
        ("bad_time", {"record": {"text": "no time"}}),
        ("bad_time", {"record": {"createdAt": "soon"}}),
        ("bad_time", {"record": {"createdAt": "0001-01-01T00:00:00+23:59"}}),
        ("bad_time", {"record": None}),
        ("hidden", {"labels": [{"val": "spam"}]}),
    )


class Lemmy(Case):
    name = "lemmy"

    def topic(self, home):
        return Topic(lemmy=LemmyTopic(communities=["games"]))

    def record(self, post):
        profile = f"https://x.example/u/{post['author']}"
        return {
            "post": {
                "id": int(post["id"]),
                "name": post["text"],
                "published": datetime.fromtimestamp(post["at"], UTC).isoformat().replace("+00:00", "Z"),
                "creator_id": 7,
                "language_id": 37,
            },
            "creator": {
                "id": 7,
                "name": post["author"],
                "display_name": f"{post['author']} the First",
                "actor_id": profile,
                "avatar": f"{profile}.jpeg",
            },
            "counts": {"upvotes": 3, "score": 2, "comments": 1},
        }

    def transport(self, records, home):
        def handler(request):
            if request.url.path.endswith("/site"):
                return answer({"all_languages": [{"id": 37, "code": "en"}]})
            is_first = "page_cursor" not in request.url.params
            return answer({"posts": records, "next_page": "P1"} if is_first and records else {"posts": []})

        return httpx2.MockTransport(handler)

    broken = (
        ("no_id", {"post": None}),
        ("no_id", {"post": {"id": None, "published": "2026-10-19T12:00:00Z"}}),
        ("bad_time", {"post": {"id": 1, "published": "soon"}}),
        ("deleted", {"post": {"id": 1, "published": "2026-10-19T12:00:00Z", "deleted": True}}),
        ("removed", {"post": {"id": 1, "published": "2026-10-19T12:00:00Z", "removed": True}}),
        ("no_author", {"creator": None}),
        ("no_author", {"creator": {"name": "heron"}}),
    )


class Mastodon(Case):
    """Its ids hold times, so a test's id goes to the wire as one that does, and is looked up on the way back."""

    name = "mastodon"

    def __init__(self):
        self._given = {}

    def topic(self, home):
        return Topic(mastodon=MastodonTopic(tags=["game"]))

    def record(self, post):
        at = datetime.fromtimestamp(post["at"], UTC)
        wire = str(snowflake(at) + 1 + int(post["id"]) % 65_535)
        self._given[wire] = post["id"]
        account = {"id": "109000000000000007", "acct": post["author"], "username": post["author"], "note": f"<p>{post['author']}'s page</p>"}
        return {
            "id": wire,
            "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "content": html.escape(post["text"]) if isinstance(post["text"], str) else post["text"],
            "spoiler_text": "",
            "uri": f"https://x.example/users/{post['author']}/statuses/1",
            "account": account,
            "mentions": [
                {"id": "109000000000000007", "username": post["author"], "acct": post["author"], "url": f"https://x.example/@{post['author']}"}
            ],
            "reblog": None,
            "visibility": "public",
        }

    def given_id(self, post_id):
        return self._given[post_id]

    def transport(self, records, home):
        def handler(request):
            below, size = int(request.url.params["max_id"]), int(request.url.params["limit"])
            numbered = [record for record in records if is_numbered(record)]
            page = sorted((record for record in numbered if int(record["id"]) < below), key=lambda record: int(record["id"]), reverse=True)[:size]
            is_first = below % 65_536 == 0
            return answer(page + [record for record in records if is_first and not is_numbered(record)])

        def is_numbered(record):
            return isinstance(record, dict) and isinstance(record["id"], str)

        return httpx2.MockTransport(handler)

    broken = (
        ("no_id", {"id": None}),
        ("no_id", {"id": True}),
        ("bad_time", {"created_at": "soon"}),
        ("bad_time", {"created_at": None}),
        ("no_author", {"account": None}),
        ("no_author", {"account": {"id": "7"}}),
        ("boost", {"reblog": {"id": "5"}}),
        ("not_public", {"visibility": "private"}),
        ("opted_out", {"account": {"acct": "heron", "noindex": True}}),
        ("opted_out", {"account": {"acct": "heron", "note": '<p>no thanks <a href="x">#<span>NoBots</span></a></p>'}}),
    )


class Replay(Case):
    """JSONL, because it can hold what CSV can't: lone surrogates."""

    name = "replay"
    is_remote = is_simulated = False

    def topic(self, home):
        columns = {"post_id": "number", "created_at": "when", "text": "said", "author": "by", "label": "mood", "url": "link"}
        return Topic(replay=ReplayTopic(path=home / "corpus.jsonl", columns=columns))

    def record(self, post):
        link = f"https://forum.example/u/{post['author']}/posts"
        return {"number": post["id"], "when": post["at"], "said": post["text"], "by": post["author"], "mood": "Irrelevant", "link": link}

    def transport(self, records, home):
        home.mkdir(parents=True, exist_ok=True)
        (home / "corpus.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


class Reddit(Case):
    name = "reddit"

    def topic(self, home):
        return Topic(reddit=RedditTopic(subreddits=["gaming"]))

    def record(self, post):
        return {
            "name": post["id"],
            "author": post["author"],
            "author_fullname": f"t2_of_{post['author']}",
            "created_utc": float(post["at"]),
            "edited": False,
            "title": "",
            "selftext": post["text"],
            "permalink": f"/user/{post['author']}/comments/1/",
            "score": 2,
            "ups": 2,
            "num_comments": 0,
            "removed_by_category": None,
        }

    def body(self, records):
        children = [{"kind": "t3", "data": record} for record in records]
        return {"kind": "Listing", "data": {"after": None, "before": None, "dist": len(records), "children": children}}

    def transport(self, records, home):
        token = {"access_token": "t", "token_type": "bearer", "expires_in": 86_400, "scope": "*"}
        return httpx2.MockTransport(lambda request: answer(token if request.method == "POST" else self.body(records)))

    broken = (
        ("no_id", {"name": None}),
        ("no_id", {"name": []}),
        ("bad_time", {"created_utc": "just now"}),
        ("bad_time", {"created_utc": 10**18}),
        ("bad_time", {"created_utc": None}),
        ("deleted", {"author": "[deleted]"}),
        ("removed", {"selftext": "[removed]"}),
    )


class X(Case):
    """The archive, because the windows of the contract are older than a week."""

    name = "x"

    def topic(self, home):
        return Topic(x=XTopic(query="game", access="archive", max_usd_per_window=50, max_usd_per_run=50, seconds_apart=0))

    def record(self, post):
        return {
            "id": post["id"],
            "edit_history_tweet_ids": [post["id"]],
            "author_id": post["author"],
            "created_at": datetime.fromtimestamp(post["at"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "text": post["text"],
            "lang": "en",
            "entities": {"mentions": [{"start": 0, "end": 9, "username": post["author"], "id": post["author"]}]},
            "public_metrics": {"like_count": 2, "retweet_count": 1, "reply_count": 0},
        }

    def body(self, records):
        return ({"data": records} if records else {}) | {"meta": {"result_count": len(records)}}

    broken = (
        ("no_id", {"id": None}),
        ("no_id", {"id": {}}),
        ("bad_time", {"created_at": "yesterday"}),
        ("bad_time", {"created_at": 1_792_404_000}),
        ("bad_time", {"created_at": None}),
    )


class HuggingFace(Replay):
    name = "huggingface"

    def topic(self, home):
        return Topic(huggingface=HuggingFaceTopic(path=home / "corpus.jsonl", columns=super().topic(home).replay.columns))

    def transport(self, records, home):
        """The library's JSON has no half pairs."""
        super().transport([{name: self.arrives(value) if name == "said" else value for name, value in record.items()} for record in records], home)


class Kaggle(Replay):
    name = "kaggle"

    def topic(self, home):
        return Topic(kaggle=KaggleTopic(path=home, file="corpus.jsonl", columns=super().topic(home).replay.columns))


class Rss(Case):
    """RSS 2.0; an entry from long ago ends every feed, so that all windows of the tests are in sight."""

    name = "rss"
    broken = (
        ("no_id", {"guid": None, "link": None}),
        ("bad_time", {"pubDate": "yesterday"}),
        ("bad_time", {"pubDate": None}),
        ("bad_time", {"pubDate": "Mon, 19 Oct 2026 10:00:00 XYZT"}),
    )
    _OLDEST = {"guid": "0", "link": "https://news.example/0", "pubDate": "Thu, 01 Jan 2026 00:00:00 GMT"}

    def topic(self, home):
        return Topic(rss=RssTopic(feeds=["games.xml"]))

    def given_id(self, post_id):
        return post_id.rpartition("/")[2]

    def arrives(self, text):
        """XML has no NUL and no half pairs, and is read with newlines as ``\\n``."""
        return _NO_XML.sub("\ufffd", text).replace("\r\n", " ")

    def record(self, post):
        return {
            "guid": post["id"],
            "link": f"https://news.example/u/{post['author']}/posts/{post['id']}",
            "title": post["text"],
            "dc:creator": post["author"],
            "pubDate": format_datetime(datetime.fromtimestamp(post["at"], UTC), usegmt=True),
            "category": f"by {post['author']}",
        }

    def body(self, records):
        newest_first = sorted(records, key=self._age)
        items = "".join(map(self._item, [*newest_first, self._OLDEST]))
        return f'<?xml version="1.0"?><rss version="2.0" xmlns:dc="{_DUBLIN_CORE}"><channel><title>n</title>{items}</channel></rss>'

    def _age(self, record):
        said = parsedate_tz(record["pubDate"] or "") if isinstance(record, dict) else None
        return -mktime_tz(said) if said else 0

    def _item(self, record):
        fields = record.items() if isinstance(record, dict) else ()
        return "<item>" + "".join(f"<{name}>{escape(self.arrives(str(value)))}</{name}>" for name, value in fields if value is not None) + "</item>"

    def transport(self, records, home):
        return httpx2.MockTransport(lambda request: self.answer(self.body(records)))

    def answer(self, body):
        return httpx2.Response(200, content=body.encode(), headers={"content-type": "application/rss+xml"})


class Gdelt(Case):
    name = "gdelt"
    names_authors = False

    def topic(self, home):
        return Topic(gdelt=GdeltTopic(query="games"))

    def record(self, post):
        seen = datetime.fromtimestamp(post["at"], UTC)
        return {"url": post["id"], "title": post["text"], "seendate": f"{seen:%Y%m%dT%H%M%SZ}", "domain": "news.example", "language": "English"}

    def body(self, records):
        return {"articles": records} if records else {}

    broken = (("no_id", {"url": None}), ("no_id", {"url": []}), ("bad_time", {"seendate": "today"}), ("bad_time", {"seendate": None}))


CASES = (
    HackerNews(),
    Steam(),
    Bluesky(),
    Lemmy(),
    Mastodon(),
    Reddit(),
    X(),
    Rss(),
    Gdelt(),
    Replay(),
    HuggingFace(),
    Kaggle(),
)


def as_csv(rows, delimiter=","):
    """``rows`` as the text of a CSV file."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()
