"""Finding personal data in a text: every kind's finder over the folded text, and which of them has which characters."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from supertune.data.pii.folding import INVISIBLE, SPACES, fold_width
from supertune.data.pii.masking import mask
from supertune.data.pii.registry import KINDS, REGIONS, check_kinds, check_regions
from supertune.data.pii.spans import CERTAINTY, PiiSpan

_ASCII_SIGN = re.compile(r"[0-9@]")
# With what may stand in the middle of words that keys begin with, or be their first letter.
_ANY_SIGN = re.compile(rf"[\d@＠ＡＰ{INVISIBLE}{SPACES}]")


def find_pii(text: str, *, kinds: Collection[str] | None = None, regions: Sequence[str] = REGIONS) -> list[PiiSpan]:
    """The personal data in a text that has a form: addresses, numbers, keys; no names.

    Nothing is found in a text that was masked with what was found in it.

    Args:
        text: Any text.
        kinds: Names from `KINDS`; None for all.
        regions: Whose national forms to look for, as ISO 3166 calls them; the first whose numbering plan has a number
            is taken to be its own. Identity numbers and plates of China need CN among them, social security
            numbers US.

    Returns:
        Ascending and disjoint, in characters of ``text``. Of items that overlap the longest is kept, then the surest.

    Raises:
        UserError: There is no such kind or region.
    """
    names, places = _checked(None if kinds is None else frozenset(kinds), tuple(regions))
    if not may_hold(text):
        return []
    spans = _find_once(text, names, places)
    while spans:
        # What stood too close to an item to be one itself may be one beside its placeholder.
        masked = mask(text, spans)
        if not may_hold(masked) or not (more := _find_once(masked, names, places)):
            return spans
        spans = _joined(spans, more)
    return spans


def may_hold(text: str) -> bool:
    """Whether a text has something that every item has: a digit, an ``@``, or how a few keys begin. Most have not."""
    # Both searches are for one class of characters, which the regular expressions' engine is quickest at.
    sign = _ASCII_SIGN if text.isascii() else _ANY_SIGN
    return sign.search(text) is not None or "AKIA" in text or "ASIA" in text or "AIza" in text or "PRIVATE KEY" in text


@lru_cache(maxsize=64)
def _checked(kinds: frozenset[str] | None, regions: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(KINDS) if kinds is None else check_kinds(kinds), check_regions(regions)


def _find_once(text: str, kinds: Iterable[str], regions: tuple[str, ...]) -> list[PiiSpan]:
    folded = fold_width(text)
    spans = [
        PiiSpan(*folded.original(found.start, found.end), kind, found.verified, found.normal)
        for kind in kinds
        for found in KINDS[kind].find(folded, regions)
    ]
    return _disjoint(spans) if len(spans) > 1 else spans


def _disjoint(spans: Iterable[PiiSpan]) -> list[PiiSpan]:
    """Of spans that overlap the longest, then the surest, then the first."""
    kept: list[PiiSpan] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, CERTAINTY[span.verified])):
        place = bisect(kept, span)
        if (not place or kept[place - 1].end <= span.start) and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


def _joined(spans: Sequence[PiiSpan], more: Sequence[PiiSpan]) -> list[PiiSpan]:
    """Spans together with those that were found in the text masked with them, all in places of the text itself."""
    lengths = [len(KINDS[span.kind].placeholder) for span in spans]
    joined = list(spans)
    for found in more:
        start, end, shift = found.start, found.end, 0
        for span, length in zip(spans, lengths, strict=True):
            low, high = span.start + shift, span.start + shift + length
            change = span.end - span.start - length
            if high <= found.start:
                start += change
            elif low < found.start:
                start = span.start
            if high <= found.end:
                end += change
            elif low < found.end:
                end = span.end
            shift -= change
        joined = [span for span in joined if span.end <= start or end <= span.start]
        joined.append(PiiSpan(start, end, found.kind, found.verified, found.normal))
    return sorted(joined)
