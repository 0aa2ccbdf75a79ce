"""Bodies unpacked as they come, and no further than allowed: a gzip bomb is never held."""

from __future__ import annotations

import zlib

from supertune.data.crawl.problems import Problem

ACCEPTED = "gzip, deflate"


class Unpacker:
    """Takes a body in pieces.

    Args:
        encoding: The Content-Encoding header.
        largest: Bytes, unpacked.

    Raises:
        Problem: ``content-encoding``: packed in a way that was not asked for.
    """

    def __init__(self, encoding: str, largest: int) -> None:
        names = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
        if len(names) > 1 or (names and names[0] not in ("gzip", "x-gzip", "deflate")):
            raise Problem("content-encoding", f"{encoding[:80]}, which was not asked for")
        # 47: gzip or zlib, by the first bytes.
        self._inflating = zlib.decompressobj(47) if names else None
        self._may_be_bare = names == ["deflate"]
        self._packed = bool(names)
        self._largest = largest
        self._parts: list[bytes] = []
        self.size = 0

    def feed(self, piece: bytes) -> None:
        """Take a piece.

        Raises:
            Problem: ``too-large`` or ``content-encoding``.
        """
        if not self._packed:
            self._take(piece)
            return
        while piece:
            if self._inflating is None:
                # Behind the end of a gzip stream another may follow; anything else is padding.
                if not piece.startswith(b"\x1f\x8b"):
                    return
                self._inflating = zlib.decompressobj(47)
            piece = self._inflate(self._inflating, piece)

    def _inflate(self, inflating: zlib._Decompress, piece: bytes) -> bytes:
        try:
            self._take(inflating.decompress(piece, self._largest + 1 - self.size))
        except zlib.error as error:
            if not self._may_be_bare or self.size:
                raise Problem("content-encoding", f"is not packed as it says ({error})") from error
            # Some servers call bare deflate data what others call zlib.
            self._may_be_bare, self._inflating = False, zlib.decompressobj(-15)
            return piece
        self._may_be_bare = False
        if inflating.eof:
            self._inflating = None
            return inflating.unused_data
        return inflating.unconsumed_tail

    def _take(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self._largest:
            raise Problem("too-large", f"more than {self._largest:,} bytes unpacked")
        self._parts.append(part)

    def body(self) -> bytes:
        """All of it; a packed body that ends early is a fault.

        Raises:
            Problem: ``content-encoding``.
        """
        if self._packed and self._inflating is not None and self.size:
            raise Problem("content-encoding", "ends in the middle of what was packed", temporary=True)
        return b"".join(self._parts)
