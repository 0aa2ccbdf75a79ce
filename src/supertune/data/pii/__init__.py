"""Personal data in texts that have a form of their own: find it, mask it, or put pseudonyms in its place.

What each kind is verified by, what is not found, and how much is: docs/personal-data.md.
"""

from __future__ import annotations

from supertune.data.pii.finding import find_pii
from supertune.data.pii.masking import mask, shape
from supertune.data.pii.pseudonyms import Pseudonyms
from supertune.data.pii.registry import KINDS, REGIONS, check_kinds, check_regions
from supertune.data.pii.spans import CERTAINTY, Kind, PiiSpan, Verified

__all__ = [
    "CERTAINTY",
    "KINDS",
    "REGIONS",
    "Kind",
    "PiiSpan",
    "Pseudonyms",
    "Verified",
    "check_kinds",
    "check_regions",
    "find_pii",
    "mask",
    "shape",
]
