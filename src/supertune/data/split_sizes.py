"""How large splits are to be, as people say it: a share or a number of rows."""

from __future__ import annotations

import math

from supertune.errors import UserError

_MOST = 0.9
"""Share of the rows that all held-out splits together may take."""


def shares_of(rows: int, validation: float, test: float) -> tuple[float, float, float]:
    """Shares of train, validation and test of so many rows.

    Args:
        rows: Rows there are.
        validation: Below 1 a share, from 1 on a number of rows; 0 for none.
        test: Likewise.

    Raises:
        UserError: A size is none, or too little is left to learn from.
    """
    held_out = [_share(rows, validation, "--validation-size"), _share(rows, test, "--test-size")]
    if sum(held_out) > _MOST:
        told = f"{held_out[0]:.0%} and {held_out[1]:.0%} of {rows:,} rows"
        what = f"{told} for validation and test leave less than a tenth to learn from"
        raise UserError(what, where="--validation-size, --test-size", fix="make them smaller")
    return 1 - sum(held_out), held_out[0], held_out[1]


def _share(rows: int, size: float, where: str) -> float:
    if not math.isfinite(size) or size < 0 or (size >= 1 and size != int(size)):
        raise UserError(f"{size:g} is neither a share nor a number of rows", where=where, fix="e.g. 0.1, or 500")
    if size > rows:
        raise UserError(f"{size:,.0f} rows are more than the {rows:,} there are", where=where, fix="choose fewer")
    return size if size < 1 else size / rows
