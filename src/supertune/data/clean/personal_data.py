"""Personal data that has a form of its own."""

from __future__ import annotations

import os
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from supertune.data.clean.operator import TextEdit
from supertune.data.pii import KINDS, REGIONS, Pseudonyms, check_kinds, check_regions, find_pii, mask
from supertune.errors import UserError


class PersonalData(TextEdit):
    """Addresses, telephone and account numbers, keys and the like replaced by what they are, or by pseudonyms.

    Masked, an item becomes its kind (``[EMAIL]``). A pseudonym is of the same kind and shape, the same wherever the
    item stands, and follows from the item and a key alone, which is read from an environment variable and never kept.
    Names and postal addresses have no form by which they could be told, and stay: this is no promise of anonymity.
    """

    name: ClassVar[str] = "pii"
    action: Literal["mask", "pseudonyms"] = Field("mask", description="what stands in the place of an item")
    kinds: list[str] = Field(list(KINDS), description="kinds to look for")
    regions: list[str] = Field(list(REGIONS), description="countries whose numbers are known, as ISO 3166 codes")
    key_variable: str = Field("SUPERTUNE_PSEUDONYM_KEY", description="environment variable that holds the key")

    @model_validator(mode="after")
    def _can_be_done(self) -> PersonalData:
        try:
            check_kinds(self.kinds)
            check_regions(self.regions)
            if self.action == "pseudonyms":
                if self.key_variable not in os.environ:
                    raise UserError(f"pseudonyms need a key, and {self.key_variable} is not set")
                Pseudonyms(os.environ[self.key_variable])
        except UserError as error:
            raise ValueError(error.message) from error
        return self

    @cached_property
    def _pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(os.environ[self.key_variable])

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        spans = find_pii(text, kinds=self.kinds, regions=self.regions)
        if not spans:
            return text
        return mask(text, spans) if self.action == "mask" else self._pseudonyms.replace(text, spans)
