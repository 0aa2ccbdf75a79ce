"""Repairs texts that were read in another encoding than they were written in."""

from __future__ import annotations

import re
from typing import ClassVar

from supertune.data.clean.operator import TextEdit

# What GB 2312 holds in its rows of punctuation and common characters (0xA1-0xA3, 0xB0-0xD7), each byte as Latin-1 or
# Windows-1252 shows it: such a pair begins with a sign or a capital letter, so no word of a Western language has two.
_LEADS = "".join(map(chr, [*range(0xA1, 0xA4), *range(0xB0, 0xD8)]))
_TRAILS = "".join(map(chr, range(0xA1, 0xFF)))
_GB_AS_LATIN = re.compile(f"(?:[{_LEADS}][{_TRAILS}]){{2,}}")
# All that bytes above 127 look like in these encodings.
_WESTERN_RUN = re.compile("[\x80-\xff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]{4,}")
_RUN = re.compile(r"[^\x00-\x7f]{2,}")
_CHINESE = re.compile(
    r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef\u2018-\u201d\u2014\u2026\u00b7\U0001f300-\U0001faff\ufe0f]+"
)
_PUNCTUATION = re.compile(r"([\u3001-\u303f\uff01-\uff0f\uff1a-\uff20]+)")
_HAN = re.compile(r"[\u4e00-\u9fff]")


class Encoding(TextEdit):
    """Texts read in the wrong encoding, read again in the right one.

    UTF-8 that was read as a Western, Cyrillic or Greek encoding is found by ftfy (Speer 2019), of whose repairs only
    this one is used: punctuation, full width and quotation marks stay. It knows no Chinese encodings, so two of their
    mistakes are found here: UTF-8 read as GBK (``浣犲ソ`` for 你好) and GBK read as Latin-1 (``ÄãºÃ``). A run of
    characters is taken back only where its bytes are valid in the other encoding and give nothing but common Chinese.
    What was lost when the mistake was made (``锟斤拷``, ``�``) cannot come back; see ``damaged``.
    """

    name: ClassVar[str] = "encoding"

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if text.isascii():
            return text
        import ftfy.badness

        text = _WESTERN_RUN.sub(_read_as_gb, text)
        # What fix_encoding asks first, without the explanation that it makes of the answer.
        if ftfy.badness.is_bad(text):
            text = str(ftfy.fix_encoding(text))
        return _RUN.sub(_read_as_utf8, text)


def _read_as_utf8(run: re.Match[str]) -> str:
    """A run of characters whose GBK bytes are UTF-8, as that, or those parts between punctuation that are."""
    text = run.group()
    found = _as_utf8(text)
    if found is None:
        found = "".join(_as_utf8(part) or part for part in _PUNCTUATION.split(text))
    return found


def _as_utf8(text: str) -> str | None:
    try:
        found = text.encode("gbk").decode("utf-8")
    except UnicodeError:
        return None
    return found if _CHINESE.fullmatch(found) and _HAN.search(found) else None


def _read_as_gb(run: re.Match[str]) -> str:
    """A run of characters whose bytes are GB 2312 and not UTF-8, as that; otherwise the run."""
    text = run.group()
    if not _GB_AS_LATIN.fullmatch(text):
        return text
    written = text.encode("latin-1")
    try:
        written.decode("utf-8")
    except UnicodeDecodeError:
        found = written.decode("gb2312", "replace")
        return found if "\ufffd" not in found and len(_HAN.findall(found)) >= 2 else text
    return text
