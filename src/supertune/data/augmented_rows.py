"""Which rows were made of others, and what follows: none of them is ever asked about, nor learned from beside its own.

An augmented table has three columns more. Rows keep their numbers through cleaning, shuffling and splitting, since they
are written in the rows themselves.
"""

from __future__ import annotations

ROW = "supertune_row"
"""int64: the number that a row had in its source; null for added rows."""
AUGMENTED_FROM = "supertune_augmented_from"
"""int64: `ROW` of the row that an added row was made of; null for originals."""
AUGMENTER = "supertune_augmenter"
"""Text: the name of what made an added row; null for originals."""
AUGMENT_COLUMNS = (ROW, AUGMENTED_FROM, AUGMENTER)
