"""Numbers that follow from a key and an item, and from nothing else."""

from __future__ import annotations

import hashlib
import hmac

DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without I and O, as on number plates."""


class Draw:
    """What looks drawn by chance, and is the same for the same key, kind and item in every process.

    Blocks of HMAC-SHA256 (RFC 2104) of kind, item and a counter under the key, read as one long number.
    """

    def __init__(self, key: bytes, kind: str, normal: str) -> None:
        self._key = key
        self._message = f"{kind}\0{normal}".encode("utf-8", "surrogatepass")
        self._counter = 0

    def _block(self) -> int:
        self._counter += 1
        message = self._message + b"\0" + self._counter.to_bytes(4, "big")
        return int.from_bytes(hmac.new(self._key, message, hashlib.sha256).digest(), "big")

    def below(self, limit: int) -> int:
        """A number from 0 up to, not including, ``limit``, which is at most 2**128."""
        return self._block() % limit

    def text(self, length: int, alphabet: str = DIGITS) -> str:
        """So many characters of an alphabet."""
        number = 0
        drawn: list[str] = []
        for place in range(length):
            # 24 characters of at most 36 letters take 124 of the 256 bits: what is left over shows in no share.
            if place % 24 == 0:
                number = self._block()
            number, digit = divmod(number, len(alphabet))
            drawn.append(alphabet[digit])
        return "".join(drawn)

    def hexadecimal(self, length: int) -> str:
        """So many hexadecimal digits."""
        return self.text(length, "0123456789abcdef")

    def like(self, shape: str) -> str:
        """A text of the same shape: a digit for each digit, a capital for each letter, all else as it is."""
        drawn = [
            self.text(1, DIGITS if character.isdigit() else LETTERS) if character.isalnum() else character
            for character in shape
        ]
        return "".join(drawn)
