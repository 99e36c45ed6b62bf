"""Reads pages of reports."""

import html.parser
import re

VOID = {"meta", "br", "input"}
HOSTILE = "<script>alert(1)</script>\"'&amp;<img src=x onerror=y>.png"


class Reader(html.parser.HTMLParser):
    """Parses a page whose tags must nest, and collects its images and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.text = [], [], [], ""
        self.pictures = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if dict(attributes).get("role") == "img":
            self.images.append(dict(attributes)["aria-label"])
        style = dict(attributes).get("style") or ""
        self.pictures += re.findall(r"url\(([^)]*)\)", style)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & {*self.open}:
            self.text += data
