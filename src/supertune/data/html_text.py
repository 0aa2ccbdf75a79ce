"""The main text of a web page that is there as bytes, read as the crawler reads those that it fetches."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from supertune.data.crawl.extract import extract
from supertune.data.crawl.problems import Problem
from supertune.errors import MissingExtraError, UserError
from supertune.language import fold


@dataclass(frozen=True)
class PageText:
    """What a page says.

    Attributes:
        text: The main text, a paragraph a line; empty if there is none.
        title: None if there is none.
        encoding: Python's name of what the page was read as.
    """

    text: str
    title: str | None
    encoding: str


def html_text(page: bytes, name: str) -> PageText:
    """The main text and the title of a page.

    A headline that repeats the title stands in the title alone.

    Args:
        page: As it came.
        name: What it is called in messages.

    Raises:
        MissingExtraError: trafilatura is not installed.
        UserError: It is not text, or holds bytes that its encoding does not know.
    """
    try:
        import trafilatura  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("trafilatura", "web", purpose="reading HTML pages") from error
    # What it has to say of pages without a text; here that is told with the others.
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    try:
        found = extract(page, {"content-type": "text/html"}, "", 0)
    except Problem as problem:
        raise UserError(problem.detail, where=name) from problem
    if found.damaged:
        raise UserError("holds bytes that its encoding does not know", where=name)
    first, _, rest = found.text.partition("\n")
    repeated = found.title is not None and bool(rest) and fold(first) == found.title
    return PageText(rest.strip() if repeated else found.text, found.title, found.encoding)
