"""Answers that say again what was asked."""

from __future__ import annotations

import re

from supertune.language import units

FEWEST = 6
"""Words (of Chinese: characters) of a prompt below which saying it again may be the answer."""
_SPACES = re.compile(r"[^\S\n]+")
_ENDS = " \t\n.?!。？！：:；;,，…\"'”’"


def echoes(asked: str, answer: str) -> bool:
    """True when an answer begins with all that was asked, or with its first paragraph, as a sentence of its own.

    An answer that makes the prompt the beginning of its sentence (``The steps of a budget`` … ``The steps of a budget
    are``) is none, nor is one that gives back a sentence that was to be corrected: that is a part of what was asked.
    Case, spaces and the last sign do not count.
    """
    if not asked or asked[:1].casefold() not in answer[: 2 * FEWEST].casefold():
        return False
    said = _plain(answer[: 2 * len(asked) + 40])
    for part in {asked, asked.split("\n", 1)[0]}:
        wanted = _plain(part).rstrip(_ENDS)
        if said.startswith(wanted) and sum(unit[0].isalnum() for unit in units(wanted)) >= FEWEST:
            after = said[len(wanted) :].lstrip(" \"'”’")
            if not after or after[0] in "\n.?!。？！：:" or said[len(wanted)] == "\n":
                return True
    return False


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text.strip().casefold())
