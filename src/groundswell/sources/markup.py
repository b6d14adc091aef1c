"""HTML as text: what a person would read of it. Reads and writes nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_LINES = {"p", "div", "br", "li", "ul", "ol", "tr", "table", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "figure", "figcaption"}
_UNSEEN = {"script", "style", "template", "head"}
_SPACE = re.compile(r"[ \t\r\n\f]+")
"""HTML's own white space: U+2028 and the like are the writer's."""


def plain(html: str) -> str:
    """The text of ``html`` with its entities decoded: a line a block, no markup, no scripts; never raises on a string."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (_SPACE.sub(" ", line).strip(" ") for line in "".join(reader.parts).split("\0\n"))
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag, attributes):
        self._unseen += tag in _UNSEEN
        if tag in _LINES:
            self.parts.append("\0\n")

    def handle_endtag(self, tag):
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        if tag in _LINES:
            self.parts.append("\0\n")

    def handle_data(self, data):
        if not self._unseen:
            self.parts.append(data)
