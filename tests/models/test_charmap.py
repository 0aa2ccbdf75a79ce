from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from supertune.models.charmap import LONGEST_GRAPHEME, compile_charmap, composed_spellings

_TEXT = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=1)


def _shortest_key(compiled: bytes, text: bytes) -> str | None:
    """What the shortest key that ``text`` begins with becomes, read as the format is documented."""
    (size,) = struct.unpack_from("<I", compiled)
    units = np.frombuffer(compiled, "<u4", size // 4, 4).tolist()
    strings = compiled[4 + size :]
    position = units[0] >> 10
    for byte in text:
        position ^= byte
        unit = units[position]
        if unit & 0x800000FF != byte:
            return None
        position ^= unit >> 10 << (8 if unit & 0x200 else 0)
        if unit & 0x100:
            start = units[position] & 0x7FFFFFFF
            return strings[start : strings.index(b"\0", start)].decode()
    return None


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(_TEXT, st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=4), max_size=60)
)
def test_every_character_becomes_what_the_map_says_and_others_stay(replacements: dict[str, str]) -> None:
    compiled = compile_charmap(replacements)
    assert compile_charmap(replacements) == compiled
    for character, replacement in replacements.items():
        assert _shortest_key(compiled, character.encode()) == replacement
    for character in "aé中😀ｱ":
        if character not in replacements:
            assert _shortest_key(compiled, character.encode()) is None


def test_the_tokenizers_library_reads_it() -> None:
    normalizer = normalizers.Precompiled(compile_charmap({"Ａ": "A", "\u3000": " ", "\x07": "", "①": "1"}))
    assert normalizer.normalize_str("Ａ\u3000b\x07① e\u0301 中文，") == "A b1 é 中文，"


def test_letters_spelled_in_several_characters_are_composed() -> None:
    spellings = composed_spellings({"\u0340": "\u0300"})
    assert spellings["e\u0301"] == "é"
    # A mark with a twin of its own: both spell the same letter.
    assert spellings["a\u0300"] == spellings["a\u0340"] == "à"
    assert max(len(spelling.encode()) for spelling in spellings) <= LONGEST_GRAPHEME
