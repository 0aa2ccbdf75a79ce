"""What of a text is compared: its shingles, as sets of tuples for people and as arrays of hashes for millions of rows.

Broder 1997, "On the resemblance and containment of documents", calls the runs of n neighbouring units of a text its
shingles. A unit is what `supertune.language.compared_units` says: a word, or a character of a script without spaces,
so that Chinese is compared by its characters, English by its words, and mixed texts by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.data.near_duplicates.characters import CharacterTables, CodePoints, Roles, character_tables
from supertune.language import CharacterRole, compared_units, fold_case_and_width

NGRAM = 2
"""Units of a shingle. Larger ones find hardly any copy of a short text: one other word in it changes n of them."""

Hashes = NDArray[np.uint64]
_EDGE = np.uint64(0x9E3779B97F4A7C15)
_SEED = 0x51AB
# So that the arrays stay in the processor's cache.
_AT_ONCE = 4096
_SPOKEN = np.isin(np.arange(8), [CharacterRole.LETTER, CharacterRole.SINGLE])


def shingles(text: str, ngram: int = NGRAM) -> frozenset[tuple[str, ...]]:
    """The set that is compared of a text: every run of ``ngram`` units, with ``ngram`` - 1 empty ones at both ends.

    A text of one unit so has ``ngram`` shingles of its own, and no two different short texts are the same.
    Nothing for a blank text. How often a shingle occurs makes no difference.
    """
    units = compared_units(text)
    edge = [""] * (ngram - 1)
    whole = [*edge, *units, *edge] if units else []
    return frozenset(tuple(whole[start : start + ngram]) for start in range(len(whole) - ngram + 1))


def jaccard(one: str, other: str, ngram: int = NGRAM) -> float:
    """Shingles that both texts have as a share of those that either has, 0 to 1; 0 where both are blank."""
    first, second = shingles(one, ngram), shingles(other, ngram)
    return len(first & second) / max(len(first | second), 1)


@dataclass(frozen=True)
class ShingleHashes:
    """The shingles of a batch of texts.

    Attributes:
        hashes: uint64 (shingles,): a number for each, text after text.
        offsets: int64 (texts + 1,): where those of each text begin; none for a blank one.
    """

    hashes: Hashes
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> IntArray:
        """int64 (texts,): shingles of each text."""
        return np.diff(self.offsets)


def shingle_hashes(texts: Sequence[str], ngram: int = NGRAM) -> ShingleHashes:
    """The shingles of every text as numbers of 64 bits, with repetitions, in the order of the text.

    The same as `shingles`, but for two different shingles getting the same number: of a million different ones
    that happens to some pair once in 30 million times.
    """
    pieces = [_piece(texts[start : start + _AT_ONCE], ngram) for start in range(0, len(texts), _AT_ONCE)]
    if len(pieces) == 1:
        return pieces[0]
    hashes = np.concatenate([np.zeros(0, np.uint64), *(piece.hashes for piece in pieces)])
    counts = np.concatenate([np.zeros(0, np.int64), *(piece.counts for piece in pieces)])
    return ShingleHashes(hashes, np.append(0, np.cumsum(counts)))


def _piece(texts: Sequence[str], ngram: int) -> ShingleHashes:
    raw = _joined(texts)
    tables = character_tables()
    roles = tables.roles_of(raw)
    rows = _to_fold_whole(tables, raw, roles)
    whole = _hashed(raw, tables.folded[raw], roles, ngram)
    if not len(rows):
        return whole
    folded = _joined([fold_case_and_width(texts[row]) for row in rows.tolist()])
    return _with_others(whole, rows, _hashed(folded, folded, tables.roles_of(folded), ngram))


def _to_fold_whole(tables: CharacterTables, raw: CodePoints, roles: Roles) -> IntArray:
    """The texts, ascending, that are not the same folded character by character."""
    entangled = np.flatnonzero(tables.entangled[raw])
    several = np.flatnonzero(tables.several_signs[raw])
    if not len(entangled) and not len(several):
        return entangled
    borders = np.flatnonzero(raw == 0)
    rows = np.unique(np.searchsorted(borders, entangled))
    maybe = np.setdiff1d(np.searchsorted(borders, several), rows)
    begin = [int(borders[row - 1]) + 1 if row else 0 for row in maybe.tolist()]
    silent = [not _SPOKEN[roles[start:stop]].any() for start, stop in zip(begin, borders[maybe].tolist(), strict=True)]
    return np.union1d(rows, maybe[np.array(silent, bool)])


def _hashed(raw: CodePoints, codes: CodePoints, roles: Roles, ngram: int) -> ShingleHashes:
    """The shingles of texts, from their characters as they are and folded; may change ``roles``."""
    borders = np.flatnonzero(raw == 0)
    units, offsets = _units(raw, codes, roles)
    if _speak_signs(roles, borders, np.diff(offsets) == 0):
        units, offsets = _units(raw, codes, roles)
    return _runs(units, offsets, ngram)


def _with_others(whole: ShingleHashes, rows: IntArray, others: ShingleHashes) -> ShingleHashes:
    """The shingles of all texts, those of some texts replaced."""
    counts = whole.counts
    replaced = np.zeros(len(whole), bool)
    replaced[rows] = True
    new_counts = counts.copy()
    new_counts[rows] = others.counts
    hashes = np.empty(int(new_counts.sum()), np.uint64)
    is_new = np.repeat(replaced, new_counts)
    hashes[is_new] = others.hashes
    hashes[~is_new] = whole.hashes[~np.repeat(replaced, counts)]
    return ShingleHashes(hashes, np.append(0, np.cumsum(new_counts)))


def _joined(texts: Sequence[str]) -> CodePoints:
    """The code points of all texts, a 0 behind each."""
    whole = "\0".join([*texts, ""])
    if whole.count("\0") != len(texts):
        whole = "\0".join([*(text.replace("\0", " ") for text in texts), ""])
    return np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)


def _speak_signs(roles: Roles, borders: IntArray, without: NDArray[np.bool_]) -> bool:
    """In texts without units, signs count as such: changes their roles, and says whether there are any."""
    changed = False
    starts = np.append(0, borders[:-1] + 1) if len(borders) else borders
    for row in np.flatnonzero(without & (starts < borders)).tolist():
        own = roles[starts[row] : borders[row]]
        signs = (own == CharacterRole.SIGN) | (own == CharacterRole.APOSTROPHE)
        own[signs] = CharacterRole.SINGLE
        changed = changed or bool(signs.any())
    return changed


def _units(raw: CodePoints, codes: CodePoints, roles: Roles) -> tuple[Hashes, IntArray]:
    """A number for every unit, and where the units of each text begin.

    A word is the sum of its characters times a random number for each place (multilinear hashing: Carter and Wegman
    1979), modulo 2^64, in which whole numbers turn over without a word.
    """
    ends = np.flatnonzero(raw == 0)
    letter = roles == CharacterRole.LETTER
    spoken = letter | (roles == CharacterRole.SINGLE)
    goes_on = letter.copy()
    _look_through(goes_on, np.flatnonzero((roles == CharacterRole.INVISIBLE) | (roles == CharacterRole.APOSTROPHE)))
    begins = spoken.copy()
    begins[1:] &= ~(letter[1:] & goes_on[:-1])
    inside = np.flatnonzero(spoken)
    firsts = np.flatnonzero(begins[inside])
    if not len(firsts):
        return np.zeros(0, np.uint64), np.zeros(len(ends) + 1, np.int64)
    lengths = np.diff(firsts, append=len(inside))
    places = np.arange(len(inside)) - np.repeat(firsts, lengths)
    factors = _factors(1 << int(lengths.max()).bit_length())
    values = codes[inside].astype(np.uint64)
    values += np.uint64(1)
    values *= factors[places]
    return _stirred(np.add.reduceat(values, firsts)), np.append(0, np.searchsorted(inside[firsts], ends))


def _look_through(letter: NDArray[np.bool_], silent: IntArray) -> None:
    """Characters that are nothing at all count as a letter where one stands before them: a word goes on behind them."""
    if not len(silent):
        return
    first = np.diff(silent, prepend=-2) != 1
    before = silent[first] - 1
    value = letter[before] & (before >= 0)
    letter[silent] = value[np.cumsum(first) - 1]


def _runs(units: Hashes, offsets: IntArray, ngram: int) -> ShingleHashes:
    """A number for every run of so many units, over the edges of each text."""
    counts = np.diff(offsets)
    spoken = counts > 0
    edge = ngram - 1
    # The edge behind a text is the one before the next.
    padded = np.full(len(units) + edge * (int(spoken.sum()) + 1), _EDGE, np.uint64)
    shift = edge * np.cumsum(spoken)
    padded[np.arange(len(units)) + np.repeat(shift, counts)] = units
    total = len(padded) - edge
    factors = _factors(ngram)
    runs = padded[:total] * factors[0]
    for place in range(1, ngram):
        runs += padded[place : total + place] * factors[place]
    own = counts + edge * spoken
    return ShingleHashes(_stirred(runs), np.append(0, np.cumsum(own)))


def _stirred(values: Hashes) -> Hashes:
    """Every bit of a number spread over all of it (the last steps of SplitMix64, Steele et al. 2014)."""
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


@lru_cache(maxsize=32)
def _factors(count: int) -> Hashes:
    """Odd random numbers, the same in every process; the first of a longer list are those of a shorter one."""
    drawn: Hashes = np.random.PCG64(_SEED).random_raw(count) | np.uint64(1)
    return drawn
