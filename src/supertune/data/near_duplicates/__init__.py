"""Texts that are nearly the same: found among millions, compared exactly, gathered in clusters."""

from __future__ import annotations

from supertune.data.near_duplicates.clusters import ALONE, NearDuplicates
from supertune.data.near_duplicates.find import THRESHOLD, Texts, near_duplicates
from supertune.data.near_duplicates.keep import Keep, disputed_clusters, surplus_rows
from supertune.data.near_duplicates.shingling import NGRAM, jaccard, shingles

__all__ = [
    "ALONE",
    "NGRAM",
    "THRESHOLD",
    "Keep",
    "NearDuplicates",
    "Texts",
    "disputed_clusters",
    "jaccard",
    "near_duplicates",
    "shingles",
    "surplus_rows",
]
