"""Writes cards into one page, or those of many images into pages of limited size."""

import contextlib
from collections.abc import Callable
from typing import Any, BinaryIO

from keras_explainable.report import html_page, picture_files, search_texts

#: The largest number of images whose pictures are within the page.
MOST_WITHIN = 50

#: The same for a sweep, whose pictures have many maps.
MOST_SWEPT = 12

#: Bytes of cards in a page, which stays below two megabytes with what is around them.
_PAGE_BYTES = 1_900_000

#: Opens a file of the report by its name.
Open = Callable[[str], contextlib.AbstractContextManager[BinaryIO]]


class PageFiles:
    """Writes cards, one after another, and holds those of one page in memory.

    The first page is ``index.html``. Up to ``MOST_WITHIN`` images, ``MOST_SWEPT`` of a
    sweep, it has all pictures within. Those of more images are in files, and further
    pages follow if needed.

    Args:
        summary: The facts of the report.
        first: The open file of the first page.
        open_: Opens the other files.
    """

    def __init__(self, summary: dict[str, Any], first: BinaryIO, open_: Open) -> None:
        self._summary, self._first, self._open = summary, first, open_
        #: Whether pictures are in files.
        most = MOST_SWEPT if summary.get("sweep") else MOST_WITHIN
        self.beside = len(summary["images"]) > most
        self._cards: list[bytes] = []
        self._before = 0  # Images on earlier pages.
        self._texts: list[list[str]] = []  # Searched texts of pages that are written.

    def add(self, key: str, card: bytes) -> None:
        """Add the card of an image."""
        if self.beside:
            card, files = picture_files.detached(card, key)
            for name, content in files.items():
                with self._open(f"{picture_files.FOLDER}/{name}") as file:
                    file.write(content)
            if sum(map(len, self._cards)) + len(card) > _PAGE_BYTES and self._cards:
                self._write(has_next=True)
        self._cards.append(card)

    def finish(self) -> None:
        """Write the last page."""
        self._write(has_next=False)
        if len(self._texts) > 1:
            with self._open(html_page.SEARCH_TEXTS) as file:
                file.write(search_texts.script(self._texts))

    def _write(self, has_next: bool) -> None:
        if not self._texts:
            self._write_into(self._first, has_next)
        else:
            with self._open(page_name(len(self._texts))) as file:
                self._write_into(file, has_next)
        self._before += len(self._cards)
        self._texts.append([*map(search_texts.searched_text, self._cards)])
        self._cards = []

    def _write_into(self, file: BinaryIO, has_next: bool) -> None:
        links = self._links(has_next)
        head = html_page.head(self._summary, links, self.beside, len(self._texts))
        file.write(head.encode())
        file.writelines(self._cards)
        file.write(html_page.foot(self._summary, links).encode())

    def _links(self, has_next: bool) -> str:
        """Return the links to the pages before and after, if there are any."""
        count = len(self._texts)
        if not (count or has_next):
            return ""
        last = self._before + len(self._cards)
        total = len(self._summary["images"])
        texts = [f"Images {self._before + 1} to {last} of {total}"]
        if count:
            texts.append(f'<a href="{page_name(count - 1)}">previous page</a>')
        if has_next:
            texts.append(f'<a href="{page_name(count + 1)}">next page</a>')
        return f'<nav aria-label="Pages">{" ".join(texts)}</nav>'


def page_name(number: int) -> str:
    """Return the name of the file of a page, counted from 0."""
    return f"index-{number + 1}.html" if number else "index.html"
