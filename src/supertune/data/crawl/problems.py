"""Why something was not fetched or not written: the one error of the crawler, with a reason that can be counted."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - not an error of the program: what a site does is the crawler's daily bread
    """A URL that gives no page.

    Args:
        reason: A fixed word, by which `skipped.jsonl` can be counted; docs/crawling.md lists them.
        detail: The same for a person, with the value at fault.
        temporary: Another try, later, may go well.
        retry_after: Seconds that the server asked to be left alone for; None where it did not.
    """

    def __init__(self, reason: str, detail: str, *, temporary: bool = False, retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.temporary = temporary
        self.retry_after = retry_after
