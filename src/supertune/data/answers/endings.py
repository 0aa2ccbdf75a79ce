"""Answers that end before they are finished, by how they end."""

from __future__ import annotations

import re

from supertune.language import units

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)", re.MULTILINE)
# Signs after which something has to come. Not the straight quotes, which also close, nor the semicolon of programs.
_GOES_ON = re.compile(r"[,，、；：:（(【\[{《「『“‘]$")
_ENDED = re.compile(r"[.!?。！？…．｡؟।~～♪♥❤][\s\"'”’」』）)\]】》*_`]*$")
_SENTENCE = re.compile(r"[.!?。！？](?=[\s\"'”’」』）)]|[\u3400-\u9fff]|$)")
# Words that no sentence ends with unless a list or a title does.
_HANGING = re.compile(
    r"\b(?:the|a|an|and|or|of|to|with|by|that|which|is|are|was|were|from|as|because|but|if|their|its)$"
    r"|(?:和|与|與|及|或|因为|因為|但是|而且|所以|如果|并且|並且|以及|例如|比如|通过|通過|对于|對於|由于|由於)$"
)
_LINE_START = re.compile(r"\s*(?:[-*•·▪◦#>|]|\d+[.)、．]|[（(]?[一二三四五六七八九十\da-zA-Z][)）.、])")
# How posts, quotations and letters end: tags, addresses, who said it, smileys, brackets.
_OTHER_END = re.compile(
    r"(?:#\w+|\w+://\S+|www\.\S+|[-—–]{1,2}\s?[\w.·\s]{2,40}|[:;]-?[)(DPp]|[)）\]】]|\*{1,2})[\"'”’]?$"
)
_LEAST_UNITS = 8
"""Units of the last line, of prose, below which it may be a name, a title or a greeting."""
_LEAST_SENTENCES = 2


def ends_early(answer: str) -> str | None:
    """The end of an answer that is not finished; None if it may be.

    Unfinished is what ends inside a block of code, with a sign or a word after which something has to come, or, where
    its other sentences all end with a mark, in a line of prose without one. Lists, titles, verses, tables, programs
    and short answers end as they like.
    """
    text = answer.rstrip()
    if len(_FENCE.findall(text)) % 2:
        return _end(text)
    if not text or text.endswith(("```", "~~~", "|", ">")):
        return None
    if _GOES_ON.search(text) and len(units(text)) >= _LEAST_UNITS:
        return _end(text)
    last = text.rsplit("\n", 1)[-1]
    if _ENDED.search(text) or _OTHER_END.search(last) or not _is_prose(last):
        return None
    if _HANGING.search(last):
        return _end(text)
    return _end(text) if _inside_sentence(text, last) else None


def _is_prose(line: str) -> bool:
    """Text in whole sentences, as far as a line shows it: no code, table or verse."""
    signs = sum(line.count(sign) for sign in "={}<>\\|;_/[]#$^&@")
    letters = sum(map(str.isalpha, line))
    return len(units(line)) >= _LEAST_UNITS and signs * 12 <= len(line) and letters * 2 > len(line)


def _inside_sentence(text: str, last: str) -> bool:
    """Whether the last line stops in a sentence, as the other lines show by ending theirs."""
    lines = [line for line in text.splitlines()[:-1] if line.strip()]
    prose = [line for line in lines if _is_prose(line)]
    ended = sum(1 for line in prose if _ENDED.search(line.rstrip()))
    within = len(_SENTENCE.findall(last))
    # A list whose items have no full stops ends like them.
    if _LINE_START.match(last) and not within:
        others = [line for line in prose if _LINE_START.match(line)]
        return len(others) >= _LEAST_SENTENCES and all(_ENDED.search(line.rstrip()) for line in others)
    if prose and ended * 2 <= len(prose):
        return False
    return within + ended >= _LEAST_SENTENCES


def _end(text: str) -> str:
    return text[-30:]
