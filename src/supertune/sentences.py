"""Where sentences end, in texts of any script: rules for English and Chinese that suit most others.

A sentence is verbatim: characters of the text from its first that is seen to its last. Behind a mark that ends one come
the quotes and brackets that close; a full stop ends one unless it belongs to an abbreviation, an initial, a number
or a name. Sources: Grefenstette and Tapanainen 1994, "What is a word, what is a sentence?", on lists of abbreviations;
Kiss and Strunk 2006, "Unsupervised multilingual sentence boundary detection", on words that begin sentences.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from supertune.language import is_blank

Part = tuple[int, int]
"""First character of a part of a text, and behind its last."""

_FULL = "。！？｡︒︖︕।॥։።။‼⁇⁈⁉؟۔"
"""Marks that end a sentence whatever comes behind them."""
_STOPS = ".．"
_CLOSING = "\"'”’»」』）)】］]〕〉》｝}"
_OPENING = "\"'“‘«「『（(【［[〔〈《｛{¿¡"
_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_HAN_OR_KANA = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_LINE = re.compile(f"[^{_BREAKS}]+")
_ENDING = re.compile(
    # The mark or marks, spaced dots (". . .") among them, then what closes and references to footnotes ("[12]").
    rf"(?P<marks>(?:[{_FULL}!?…‥]|[{_STOPS}](?:[ \t]?[{_STOPS}])*)+)"
    rf"(?:\[\d{{1,3}}\])*(?P<closing>[{re.escape(_CLOSING)}]*)"
)
_NEXT = re.compile(rf"\s*(?:[{re.escape(_OPENING)}]\s*)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_BEFORE = re.compile(rf"[^\s{re.escape(_OPENING)}]*$")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_NUMBERING = re.compile(r"[(（]?(?:(?:\d{1,3}\.)*\d{1,3}|[A-Za-z]|[ivxIVX]{1,5}|[一二三四五六七八九十]{1,3})")
_SAID = re.compile(
    r"[^，。！？；：“”\"\n]{0,12}?(?:(?<!知)道|说|问|喊|叫|答|想|嚷|吼|写|表示|指出|解释|补充|回应)(?:着|了|过)?[，。：！]"
)
_HESITATION = 2
"""Characters of Chinese before dots that only hesitate: 我……不知道."""
_BRACKETS = (("《", "》"), ("（", "）"), ("(", ")"), ("【", "】"), ("〈", "〉"))
_IN_BRACKETS = 100
"""Characters between brackets up to which they stand inside a sentence."""
_MOST_LINES = 0.8
"""Share of the lines that begin with a speaker, from which a text is a dialogue."""
_NEAR = 120
"""Characters before a mark that are looked at."""
_WRAPPED = 40
"""Characters of a line from which one that goes on in lower case is taken for a wrapped one."""
_SPEAKER = re.compile(
    r"\s*(?:[\[(（【]?\d[\d:：./\- ]*(?:[AaPp]\.?[Mm]\.?)?[\])）】]?\s*)?"  # when it was said
    r"[#<\[【（(]?[^\W_][\w.'’\- ·•]{0,30}[#>\]】）)]?\s*[:：](?!//)\s*\S"
)

_BEFORE_NAMES = frozenset(
    {
        *("mr", "mrs", "ms", "mx", "dr", "prof", "rev", "hon", "gen", "col", "maj", "capt", "cpt", "cmdr", "lt"),
        *("sgt", "cpl", "pvt", "adm", "sen", "rep", "gov", "pres", "supt", "insp", "messrs", "mme", "mlle", "fr"),
        *("br", "st", "mt", "ft", "pt", "vs", "v", "e.g", "i.e", "eg", "ie", "cf", "viz", "resp", "approx", "ca"),
        *("incl", "excl"),
    }
)
"""Abbreviations that something always follows."""
_PLACES = frozenset({"st", "mt", "ft", "pt"})
"""Those of them that end sentences as well: "on Main St."."""
_BEFORE_NUMBERS = frozenset(
    {"nos", "fig", "figs", "eq", "eqs", "sect", "ch", "chap", "vol", "vols", "pp", "ref", "refs", "tab"}
)
"""Abbreviations before numbers."""
_WORDS_TOO = frozenset({"no", "art", "p", "par", "app", "ex", "pl"})
"""Abbreviations where a number follows, and words where none does."""
_MAY_END = frozenset(
    {
        *("etc", "inc", "ltd", "co", "corp", "bros", "jr", "sr", "al", "ave", "blvd", "rd", "sq", "dept", "univ"),
        *("assn", "tel", "ext", "ed", "eds", "min", "max", "avg", "temp", "hr", "hrs", "sec", "secs", "ph.d", "phd"),
        *("lb", "lbs", "oz", "kg", "km", "cm", "mm"),
    }
)
"""Abbreviations that stand at the end of sentences as well: what comes next decides."""
_DATES = frozenset(
    {
        *("jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues"),
        *("wed", "thu", "thur", "thurs", "fri", "sat", "sun"),
    }
)
"""The same where they begin with a capital letter."""
_ANY_CAPITAL = frozenset(
    {"etc", "a.m", "p.m", "al", "lb", "lbs", "oz", "kg", "km", "cm", "mm", "hr", "hrs", "min", "secs"}
)
"""Those behind which any capital letter begins a sentence."""
_BEGINNERS = frozenset(
    {
        *("a", "an", "the", "this", "that", "these", "those", "he", "she", "it", "we", "they", "i", "you", "his"),
        *("her", "its", "our", "their", "my", "your", "there", "here", "who", "what", "when", "where", "why", "how"),
        *("which", "if", "in", "on", "at", "for", "from", "by", "with", "as", "and", "but", "or", "so", "yet"),
        *("because", "although", "though", "while", "after", "before", "since", "however", "moreover"),
        *("furthermore", "meanwhile", "nevertheless", "then", "thus", "therefore", "also", "still", "even", "some"),
        *("many", "most", "all", "no", "not", "yes", "well", "now", "today", "yesterday", "tomorrow", "to", "do"),
        *("does", "did", "is", "are", "was", "were", "has", "have", "had", "can", "could", "will", "would", "shall"),
        *("should", "may", "might", "must", "let", "one", "two", "both", "another", "each", "every", "under"),
        *("over", "during", "despite", "according", "unlike", "only", "just"),
    }
)
"""Words that begin sentences more often than they follow an abbreviation inside one."""


def sentence_spans(text: str) -> list[Part]:
    """Where the sentences of a text are, in order and apart; every character that is seen is in one of them."""
    found: list[Part] = []
    for start, end in _lines(text):
        own: list[Part] = []
        begin, inside = start, _bracketed(text, start, end)
        for ending in _ENDING.finditer(text, start, end):
            place = ending.end()
            if place < end and not _within(inside, place) and _ends(text, begin, ending, end):
                _add(own, text, begin, place)
                begin = place
        _add(own, text, begin, end)
        found += own
    return found


def line_spans(text: str) -> list[Part]:
    """Where the lines of a text are that hold anything: the turns of a dialogue."""
    return [part for found in _LINE.finditer(text) if (part := _seen(text, *found.span())) is not None]


def sentences(text: str) -> list[str]:
    """The sentences of a text; see `sentence_spans`."""
    return [text[start:end] for start, end in sentence_spans(text)]


def speaks_in_turns(text: str) -> bool:
    """Whether most lines of a text begin with who speaks: ``#Person1#: …``, ``[10:32] Ann: …``, ``客服：……``."""
    lines = line_spans(text)
    spoken = sum(_SPEAKER.match(text, start, end) is not None for start, end in lines)
    return len(lines) > 1 and spoken >= _MOST_LINES * len(lines)


def _add(found: list[Part], text: str, start: int, end: int) -> None:
    """Add a sentence; marks without a letter or a digit belong to the one before."""
    part = _seen(text, start, end)
    if part is None:
        return
    if found and not any(map(str.isalnum, text[part[0] : part[1]])):
        found[-1] = found[-1][0], part[1]
    else:
        found.append(part)


def _seen(text: str, start: int, end: int) -> Part | None:
    """A part without the white space around it; None where nothing is seen."""
    part = text[start:end]
    if is_blank(part):
        return None
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _lines(text: str) -> list[Part]:
    """Lines, those that are only wrapped joined: a long one without a mark at its end, and the next in lower case."""
    joined: list[Part] = []
    for found in _LINE.finditer(text):
        start, end = found.span()
        if joined and _goes_on(text, joined[-1], start):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _goes_on(text: str, before: Part, start: int) -> bool:
    last = text[max(before[0], before[1] - _NEAR) : before[1]].rstrip()
    last = last[max(last.rfind(mark) for mark in _BREAKS) + 1 :]
    one_break = text[before[1] : start] in ("\n", "\r\n", "\r")
    return one_break and len(last) >= _WRAPPED and text[start].islower() and (last[-1].isalnum() or last[-1] in ",-")


def _bracketed(text: str, start: int, end: int) -> list[Part]:
    """Parts of a line between brackets that are short, and have something before them to belong to; apart, in order."""
    parts = []
    for opening, closing in _BRACKETS:
        place = text.find(opening, start, end)
        while place >= 0:
            close = text.find(closing, place, min(end, place + _IN_BRACKETS))
            if close >= 0 and text[max(start, place - _NEAR) : place].strip():
                parts.append((place, close))
            place = text.find(opening, place + 1, end)
    apart: list[Part] = []
    for part in sorted(parts):
        if apart and part[0] <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(apart[-1][1], part[1])
        else:
            apart.append(part)
    return apart


def _within(parts: list[Part], place: int) -> bool:
    index = bisect_left(parts, (place, 0)) - 1
    return index >= 0 and place <= parts[index][1]


def _ends(text: str, begin: int, ending: re.Match[str], end: int) -> bool:
    """Whether a sentence that begins at ``begin`` ends behind these marks; something stands behind them."""
    marks, closed, place = ending["marks"], bool(ending["closing"]), ending.end()
    ahead = _NEXT.match(text, place, end)
    assert ahead is not None
    after, following = text[place], text[ahead.end() : min(end, ahead.end() + _NEAR)]
    dots = (len(marks) > 1 and set(marks) <= set("…‥.． \t")) or marks in ("…", "‥")
    if after in ",，、;；:：—–-" or (closed and _SAID.match(text, place, end)):
        return False
    if dots and _unspaced(after) and ending.start() - begin <= _HESITATION:
        return False
    if any(mark in _FULL for mark in marks):
        return True
    before = text[ending.start() - 1] if ending.start() > begin else ""
    if marks in (".", "．") and _numbering(text, begin, ending.start()):
        return False
    if not after.isspace():
        if _unspaced(after) or _unspaced(following):
            return closed or marks not in (".", "．") or _unspaced(before)
        # People forget the space behind a question; addresses have none.
        asked = marks[-1] in "!?" and before.islower() and after.isupper()
        return asked and "/" not in _token(text, begin, ending.start())
    if following[:1].islower() and (closed or dots):
        return False
    return marks not in (".", "．") or closed or _full_stop_ends(text, begin, ending.start(), following)


def _full_stop_ends(text: str, begin: int, place: int, following: str) -> bool:
    """Whether a single full stop at ``place``, with white space behind it, ends the sentence."""
    word = _token(text, begin, place)
    bare, capital = word.casefold(), following[:1].isupper()
    next_word = _WORD.match(following)
    beginner = capital and next_word is not None and next_word.group().casefold() in _BEGINNERS
    if bare in _BEFORE_NAMES:
        return bare in _PLACES and beginner
    if bare in _BEFORE_NUMBERS or (bare in _WORDS_TOO and following[:1].isdigit()):
        return False
    if bare in _MAY_END or (bare in _DATES and word[0].isupper()) or _DOTTED.fullmatch(word):
        return not following or (capital if bare in _ANY_CAPITAL else beginner)
    if len(word) == 1 and word.isupper() and word != "I" and capital:
        # An initial, where a name is: "George W. Bush"; not "vitamin C. Lemons have it."
        name = text[max(begin, place - _NEAR) : place - 1].split()
        return beginner or bool(name and not name[-1][:1].isupper())
    return True


def _numbering(text: str, begin: int, place: int) -> bool:
    """Whether a sentence has nothing yet but the number of a list's item."""
    return place - begin < _NEAR and _NUMBERING.fullmatch(text[begin:place].strip()) is not None


def _token(text: str, begin: int, place: int) -> str:
    """What stands before a mark without white space, quotes and brackets between."""
    found = _BEFORE.search(text[max(begin, place - _NEAR) : place])
    return found.group() if found else ""


def _unspaced(text: str) -> bool:
    return _HAN_OR_KANA.match(text) is not None
