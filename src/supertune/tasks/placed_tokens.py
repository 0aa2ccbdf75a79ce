"""Texts as token ids with the characters of each: as the tokenizer tells them, and sooner where there are many texts.

To ask the tokenizer for the places of its tokens, and to make numbers of what it says, takes most of the time that
tokenising does. But of most tokenizers it is known which bytes a token stands for. Where those of a text's tokens, one
behind the other, are the text, their lengths say where each stands; where they are not, the tokenizer is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TYPE_CHECKING

import numpy as np

from supertune.contracts import IntArray

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

WORTH = 4096
"""Texts that are encoded before the bytes of all tokens are looked up: half a second for a large vocabulary."""
_NONE = b"\xff"
"""What a token that is none of a text stands for: no text has this byte."""


@dataclass(frozen=True)
class Placed:
    """A text's tokens.

    Attributes:
        ids: Their ids.
        places: int64 (tokens, 2): the first character of each, and behind its last; those of several tokens that make
            one character together are the same.
    """

    ids: list[int]
    places: IntArray

    @staticmethod
    def of(encoding: Encoding) -> Placed:
        """As the tokenizer tells them."""
        places = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, 2 * len(encoding))
        return Placed(encoding.ids, places.reshape(-1, 2))


class PlacingEncoder:
    """Encodes texts without the tokens that a tokenizer puts around them.

    Args:
        raw: The tokenizer; nothing is cut or filled up.
        worth: See `WORTH`.
    """

    def __init__(self, raw: Tokenizer, worth: int = WORTH) -> None:
        self._raw, self._worth = raw, worth
        self._seen = 0
        # Such tokenizers count the space before a word to it, and say that the word begins behind it.
        trims = raw.post_processor is not None and b'"trim_offsets":true' in raw.post_processor.__getstate__()
        self._knows = not trims
        self._bytes: list[bytes] = []
        self._lengths: IntArray = np.zeros(0, np.int64)

    def encode(self, texts: Sequence[str]) -> list[Placed]:
        """Every text's tokens."""
        self._seen += len(texts)
        if not self._knows or self._seen <= self._worth:
            return list(map(Placed.of, self._raw.encode_batch(texts, add_special_tokens=False)))
        if not self._bytes:
            self._bytes = token_bytes(self._raw)
            self._lengths = np.fromiter(map(len, self._bytes), np.int64, len(self._bytes))
        ids = [encoding.ids for encoding in self._raw.encode_batch_fast(texts, add_special_tokens=False)]
        written = [text.encode() for text in texts]
        known = [b"".join(map(self._bytes.__getitem__, each)) == text for each, text in zip(ids, written, strict=True)]
        found = iter(self._placed(list(compress(ids, known)), list(compress(written, known))))
        others = [text for text, same in zip(texts, known, strict=True) if not same]
        asked = map(Placed.of, self._raw.encode_batch(others, add_special_tokens=False))
        # Where it hardly ever helps, it is left alone from now on.
        self._knows = len(others) * 2 <= len(texts)
        return [next(found if same else asked) for same in known]

    def _placed(self, ids: Sequence[list[int]], texts: Sequence[bytes]) -> list[Placed]:
        """Of texts that are the bytes of their tokens."""
        # The number of the character that each byte of the texts is of, counted through all of them.
        character = np.cumsum((np.frombuffer(b"".join(texts), np.uint8) & 0xC0) != 0x80) - 1
        counts = np.fromiter(map(len, ids), np.int64, len(ids))
        lengths = self._lengths[np.fromiter(chain.from_iterable(ids), np.int64, int(counts.sum()))]
        behind = np.cumsum(lengths)
        places = np.stack([character[behind - lengths], character[behind - 1] + 1], axis=1)
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        places -= np.repeat(np.append(character, 0)[np.cumsum(sizes) - sizes], counts)[:, None]
        bounds = np.cumsum(counts).tolist()
        return [Placed(each, places[end - len(each) : end]) for each, end in zip(ids, bounds, strict=True)]


def token_bytes(raw: Tokenizer) -> list[bytes]:
    """What every token stands for, by its id, in UTF-8; where that is not known, what no text has."""
    pieces, added = raw.get_vocab(with_added_tokens=False), raw.get_added_tokens_decoder()
    of_bytes = raw.pre_tokenizer is not None and b'"ByteLevel"' in raw.pre_tokenizer.__getstate__()
    known = {character: value for value, character in enumerate(_byte_characters())}
    found = [_NONE] * (1 + max([*pieces.values(), *added], default=-1))
    for piece, number in pieces.items():
        if of_bytes:
            values = [known.get(character) for character in piece]
            found[number] = bytes(value for value in values if value is not None) if None not in values else _NONE
        else:
            found[number] = piece.replace("▁", " ").encode()
    for number, token in added.items():
        # One that is a piece of the vocabulary as well, such as a run of spaces, stands for what that does.
        if of_bytes or token.special or token.content not in pieces:
            found[number] = token.content.encode()
    for value in range(0x100):
        # By these, characters are written that the vocabulary does not hold.
        byte = raw.token_to_id(f"<0x{value:02X}>")
        if byte is not None:
            found[byte] = bytes([value])
    return [each or _NONE for each in found]


def _byte_characters() -> list[str]:
    """The characters that stand for the bytes 0 to 255 in vocabularies of bytes: themselves where they can be seen."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(value if value in seen else next(others)) for value in range(0x100)]
