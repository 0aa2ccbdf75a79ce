"""Consistent replacements: the same item becomes the same thing everywhere; without the key nobody can tell it back."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from supertune.data.pii.drawing import Draw
from supertune.data.pii.masking import replaced
from supertune.data.pii.registry import KINDS
from supertune.data.pii.spans import PiiSpan
from supertune.errors import UserError

_SHORTEST = 16


@dataclass(frozen=True)
class Pseudonyms:
    """Replacements that follow from an item and a key alone: not from the order of rows, nor from who asks.

    Each is of the kind and shape of what it replaces, and evidently none: no numbering plan, issuer or province has it.
    A number in two notations becomes the same. Items are few and guessable (all mobile numbers can be tried in an
    hour), so whoever has the key has the items: keep it secret, or forget it.

    Attributes:
        key: 16 bytes of UTF-8 or more.
    """

    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key.encode("utf-8", "surrogatepass")) < _SHORTEST:
            raise UserError(
                f"a key for pseudonyms has {_SHORTEST} bytes or more; this one has {len(self.key)} characters",
                fix='make one: python -c "import secrets; print(secrets.token_hex(32))"',
            )

    @staticmethod
    def with_new_key() -> Pseudonyms:
        """With a key drawn by the operating system."""
        return Pseudonyms(secrets.token_hex(32))

    def of(self, span: PiiSpan) -> str:
        """What stands for an item."""
        draw = Draw(self.key.encode("utf-8", "surrogatepass"), span.kind, span.normal)
        return KINDS[span.kind].pseudonym(span.normal, draw)

    def replace(self, text: str, spans: Sequence[PiiSpan]) -> str:
        """The text with its pseudonym for each item, all else as it is.

        Raises:
            ValueError: The spans do not ascend, overlap, or are not of this text.
        """
        return replaced(text, spans, self.of)
