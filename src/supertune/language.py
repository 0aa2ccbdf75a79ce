"""All that supertune knows about languages and scripts.

Nothing here splits on white space alone, lower-cases Chinese, or knows only ASCII punctuation.
"""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby, pairwise

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
# Letters only: the middle dot ・ and the voicing marks stand in Chinese and Korean texts too.
_KANA = re.compile(r"[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
# Thai, Lao, Burmese, Khmer: letters of scripts that put spaces between sentences, not words.
_OTHER_UNSPACED = re.compile(r"[\u0e01-\u0e3a\u0e40-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17ff]")
# What counts in measures of overlap. 々 and 〇 are characters, though Unicode has them among the punctuation marks.
_CHARACTER = "|".join([_HAN.pattern, _KANA.pattern, _OTHER_UNSPACED.pattern, "[々〇]"])
_TOKEN = re.compile(rf"{_CHARACTER}|[a-z0-9]+")
_TOKEN_OR_HAN_RUN = re.compile(rf"(?:{_HAN.pattern}|[々〇])+|{_TOKEN.pattern}")
_UNSPACED_RUN = re.compile(rf"(?:{_CHARACTER})+")
_ONE_UNSPACED = re.compile(_CHARACTER)
_VARIATIONS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# A run of letters, digits and marks of any script; what stands in scripts without spaces is taken out of it again.
_LETTERS = re.compile(r"[^\W_]+(?:[\u0300-\u036f\u0900-\u0dff'’]+[^\W_]+)*")
# The same as one class of characters, and all other letters and digits.
_RANGES = "".join(part[1:-1] for part in (_HAN.pattern, _KANA.pattern, _OTHER_UNSPACED.pattern, "[々〇]"))
_ASCII_TOKEN = re.compile(r"[a-z0-9]+")
_ANY_TOKEN = re.compile(rf"[{_RANGES}]|[^\W_{_RANGES}]+")
# A letter or digit of a script with spaces, then more of them, marks, and apostrophes inside.
_SPACED = rf"(?!{_CHARACTER})[^\W_]"
_UNIT = re.compile(rf"{_CHARACTER}|{_SPACED}(?:{_SPACED}|[\u0300-\u036f\u0900-\u0dff]|['’](?={_SPACED}))*|\S")
_MILD_BREAK = re.compile(r"[，,、；;：:]+\s*|\s+")
_TO_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_SAMPLE = 400
_LONG_ENOUGH = 40
"""Characters from which a text's language can be told without its neighbours."""

LANGUAGE_NAMES: dict[str, tuple[str, str]] = {
    "en": ("English", "英文"),
    "zh": ("Chinese", "中文"),
    "ja": ("Japanese", "日文"),
    "ko": ("Korean", "韩文"),
    "fr": ("French", "法文"),
    "de": ("German", "德文"),
    "es": ("Spanish", "西班牙文"),
    "pt": ("Portuguese", "葡萄牙文"),
    "it": ("Italian", "意大利文"),
    "nl": ("Dutch", "荷兰文"),
    "pl": ("Polish", "波兰文"),
    "ru": ("Russian", "俄文"),
    "uk": ("Ukrainian", "乌克兰文"),
    "tr": ("Turkish", "土耳其文"),
    "ar": ("Arabic", "阿拉伯文"),
    "fa": ("Persian", "波斯文"),
    "he": ("Hebrew", "希伯来文"),
    "hi": ("Hindi", "印地文"),
    "th": ("Thai", "泰文"),
    "vi": ("Vietnamese", "越南文"),
    "id": ("Indonesian", "印尼文"),
}
"""ISO 639-1 code → what the language is called in English and in Chinese."""


@dataclass(frozen=True)
class LanguageGuess:
    """What language a set of texts is in.

    Attributes:
        language: ISO 639-1 code of the most frequent language, or ``und`` when there are no letters.
        share: Part of the sampled texts that are in it, 0 to 1.
    """

    language: str
    share: float


def join_fields(fields: Sequence[object]) -> str:
    """Several text fields of a row as one text: one per line, missing and blank ones left out; lists as tokens."""
    texts = (join_tokens(field)[0] if isinstance(field, list) else str(field) for field in fields if field is not None)
    return "\n".join(text for text in texts if not is_blank(text))


def join_tokens(tokens: Sequence[object]) -> tuple[str, list[tuple[int, int]]]:
    """Tokens as one text, and where in it each of them stands: its first character and behind its last.

    A space stands between two tokens, but for one beside a character of a script without spaces or its punctuation.
    Where tokens are single characters, three or more of them, the text was cut into characters, and nothing stands
    between them.
    """
    words = [str(token) for token in tokens]
    cut_up = len(words) > 2 and all(len(word) == 1 for word in words)
    text, places = "", []
    for word in words:
        if text and word and not cut_up and not (_is_close(text[-1]) or _is_close(word[0])):
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _is_close(character: str) -> bool:
    """Whether no space stands beside it: a script without spaces, its full-width punctuation, or white space."""
    wide = unicodedata.category(character)[0] == "P" and unicodedata.east_asian_width(character) in "WF"
    return character.isspace() or wide or has_unspaced_script(character)


def inside_word(text: str, place: int) -> bool:
    """Whether a place lies between two letters or digits of a script that puts spaces between words."""
    if not 0 < place < len(text):
        return False
    before, behind = text[place - 1], text[place]
    return before.isalnum() and behind.isalnum() and not has_unspaced_script(before + behind)


def is_blank(text: str) -> bool:
    """True when nothing visible is in the text: white space of any script, controls, zero-width marks.

    Characters that Python does not know yet count as visible: they are next year's emoji.
    """
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def is_missing(value: object) -> bool:
    """Whether there is nothing: null, NaN, or text that nobody sees."""
    if isinstance(value, str):
        # A letter or digit in front settles it for nearly every label; looking closer is ten times slower.
        return not value[:1].isalnum() and is_blank(value)
    return value is None or (isinstance(value, float) and math.isnan(value))


def number_of(value: object) -> float:
    """A number, also one that is written as text; NaN for what is none, or not finite."""
    if not isinstance(value, bool | int | float | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def fold(text: str) -> str:
    """The form under which two texts count as exactly the same: NFC, runs of white space as one space, stripped."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def fold_case_and_width(text: str) -> str:
    """The form in which case, full width and the like make no difference: NFKC, case folding, NFKC."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class CharacterRole(IntEnum):
    """What a folded character is where texts are compared by their words and characters."""

    SPACE = 1
    """Nothing, and it ends a word: white space, controls."""
    INVISIBLE = 2
    """Nothing at all: joiners, soft hyphens, variation selectors."""
    LETTER = 3
    """Part of a word: letters, digits and marks of scripts with spaces."""
    SINGLE = 4
    """Counts by itself: a character of a script without spaces, a symbol, an emoji."""
    SIGN = 5
    """Punctuation: ends a word, and counts only where there is nothing else."""
    APOSTROPHE = 6
    """Counts only where there is nothing else, and ends no word."""


def role_of(character: str) -> CharacterRole:
    """The role of one character of a text that was folded by `fold_case_and_width`."""
    if _ONE_UNSPACED.match(character):
        return CharacterRole.SINGLE
    if character in "'’":
        return CharacterRole.APOSTROPHE
    category = unicodedata.category(character)
    if category == "Cf" or _VARIATIONS.match(character):
        return CharacterRole.INVISIBLE
    if category[0] in "LNM":
        return CharacterRole.LETTER
    if category[0] == "P":
        return CharacterRole.SIGN
    return CharacterRole.SPACE if category in _INVISIBLE else CharacterRole.SINGLE


def compared_units(text: str) -> list[str]:
    """What counts of a text that is compared with others, in order: words, and characters of scripts without spaces.

    Case and full width are folded away; punctuation counts only in texts that hold nothing else, apostrophes do not
    divide words, and each symbol or emoji is a unit.
    """
    roles = [(character, role_of(character)) for character in fold_case_and_width(text)]
    spoken = CharacterRole.LETTER, CharacterRole.SINGLE
    if not any(role in spoken for _, role in roles):
        return [sign for sign, role in roles if role in (CharacterRole.SIGN, CharacterRole.APOSTROPHE)]
    silent = CharacterRole.INVISIBLE, CharacterRole.APOSTROPHE
    units: list[str] = []
    for role, run in groupby((pair for pair in roles if pair[1] not in silent), key=lambda pair: pair[1]):
        characters = [character for character, _ in run]
        if role in spoken:
            units += ["".join(characters)] if role == CharacterRole.LETTER else characters
    return units


def has_unspaced_script(text: str) -> bool:
    """True when the text holds characters of a script written without spaces between words."""
    return bool(_HAN.search(text) or _KANA.search(text) or _OTHER_UNSPACED.search(text))


def characters_and_words(text: str) -> list[str]:
    """The tokens of a text: characters of scripts without spaces singly, and lower-case runs of a–z and digits.

    All else separates them, letters of other scripts among it: for texts without Chinese, Japanese or the like these
    are the tokens of ROUGE as it is commonly computed (Lin 2004). Full-width letters and digits beside Chinese count
    as what they stand for.
    """
    return _TOKEN.findall(_folded(text))


def words(text: str) -> list[str]:
    """As `characters_and_words`, but Chinese in words as jieba's dictionary and model of new words know them."""
    import rjieba

    tokens: list[str] = []
    for token in _TOKEN_OR_HAN_RUN.findall(_folded(text)):
        tokens.extend([token] if token.isascii() or len(token) == 1 else rjieba.cut(token))
    return tokens


def running_tokens(text: str) -> list[str]:
    """The tokens of a text in order: words of any script, folded (NFKC, case); of scripts without spaces characters."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text.lower())
    return _ANY_TOKEN.findall(fold_case_and_width(text))


def units(text: str) -> list[str]:
    """All that a text says, in order: characters of scripts without spaces singly, words of the others, single signs.

    Signs are punctuation, emoji and the like; white space is nothing.
    Unlike `characters_and_words` it knows the words of every script, so that nothing goes uncounted. Case is folded
    away, and so is full width.
    """
    return _UNIT.findall(unicodedata.normalize("NFKC", text).casefold())


def search_terms(text: str) -> list[str]:
    """The terms by which a text is found: words of every script, and of scripts without spaces pairs and characters.

    Forms that mean the same (full width, upper case) are one term (NFKC, case folding). Of scripts without spaces
    neighbouring characters are a term, and each character is: no dictionary has every name, and ``猫`` is to find
    ``小猫``. Words are not brought to their stems.
    """
    folded = fold_case_and_width(text)
    if folded.isascii():
        return _LETTERS.findall(folded)
    terms: list[str] = []
    end = 0
    for run in _UNSPACED_RUN.finditer(folded):
        terms += _LETTERS.findall(folded[end : run.start()])
        found = run.group()
        terms += found
        terms += map("".join, pairwise(found))
        end = run.end()
    return terms + _LETTERS.findall(folded[end:])


def _folded(text: str) -> str:
    return (text.translate(_TO_HALF_WIDTH) if has_unspaced_script(text) else text).lower()


def break_near_middle(text: str) -> int:
    """Where to cut a text of two characters or more in two: behind a comma or white space near its middle, or there.

    Returns:
        The number of characters before the cut, at least 1 and fewer than all.
    """
    middle = len(text) // 2
    breaks = [found.end() for found in _MILD_BREAK.finditer(text, len(text) // 4, len(text) - len(text) // 4)]
    if inside := [place for place in breaks if 0 < place < len(text)]:
        return min(inside, key=lambda place: abs(place - middle))
    place = max(middle, 1)
    # A mark stays with its letter.
    while place < len(text) - 1 and unicodedata.category(text[place]) in _NO_WIDTH:
        place += 1
    return place


def display_width(text: str) -> int:
    """Columns the text takes on a terminal: full-width characters take two, marks and joiners none."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """The text on one line, cut to at most ``width`` terminal columns with an ellipsis."""
    line = fold(text)
    if display_width(line) <= width:
        return line
    kept, used = [], 1
    for character in line:
        used += display_width(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def around_difference(before: str, after: str, length: int) -> tuple[str, str]:
    """Two texts cut to ``length`` characters around the first place where they differ, with … for what is cut off."""
    same = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), None)
    start = max(0, (min(len(before), len(after)) if same is None else same) - length // 3)
    shown = [text[start : start + length] for text in (before, after)]
    ends = ["…" if start + length < len(text) else "" for text in (before, after)]
    head = "…" if start else ""
    return f"{head}{shown[0]}{ends[0]}", f"{head}{shown[1]}{ends[1]}"


def language_of(text: str) -> str:
    """ISO 639-1 code of one text's language, ``und`` when it has no letters.

    Scripts that belong to one language decide by themselves: that is certain, and right for texts of two
    characters. A text is Chinese when Han characters make up at least a fifth of its letters: one says as much
    as several Latin ones, and Chinese texts are full of Latin product names. The rest is asked of py3langid.
    """
    if not any(map(str.isalpha, text)):
        return "und"
    if language := language_of_script(text):
        return language
    import py3langid

    return str(py3langid.classify(text)[0])


def is_chinese(text: str) -> bool:
    """True when the text's letters are Chinese by the rule of `language_of`; False where there are none."""
    return language_of_script(text) == "zh"


def language_of_script(text: str) -> str | None:
    """The language that the script alone tells: ``zh``, ``ja`` or ``ko`` by the rule of `language_of`, else None."""
    letters = sum(map(str.isalpha, text))
    han, kana, hangul = (len(pattern.findall(text)) for pattern in (_HAN, _KANA, _HANGUL))
    others = letters - han - kana - hangul
    if kana and kana * 10 >= han:
        return "ja"
    if hangul > han:
        return "ko"
    return "zh" if letters and han * 4 >= others else None


def guess_language(texts: Sequence[str]) -> LanguageGuess:
    """The main language of a set of texts, from at most 400 of them, drawn over the whole set.

    Short Latin texts are hard to tell apart one by one, so texts of fewer than 40 characters that are not in a
    script of their own are judged together with their neighbours.
    """
    # Drawn, always the same, and not every n-th: files alternate between languages, or are sorted by them.
    drawn = sorted(random.Random(0).sample(range(len(texts)), min(_SAMPLE, len(texts))))
    sample = [text for text in (texts[index] for index in drawn) if not is_blank(text)]
    counts: Counter[str] = Counter()
    pending: list[str] = []
    for text in sample:
        if len(text) >= _LONG_ENOUGH or has_unspaced_script(text) or _HANGUL.search(text):
            counts[language_of(text)] += 1
            continue
        pending.append(text)
        if sum(map(len, pending)) >= 200:
            counts[language_of("\n".join(pending))] += len(pending)
            pending.clear()
    if pending:
        counts[language_of("\n".join(pending))] += len(pending)
    counts.pop("und", None)
    if not counts:
        return LanguageGuess("und", 0.0)
    language, count = counts.most_common(1)[0]
    return LanguageGuess(language, count / counts.total())
