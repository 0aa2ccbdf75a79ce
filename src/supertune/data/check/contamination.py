"""Held-out answers that stand in what is learned from: who has read them need not know how to write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Finding, IntArray
from supertune.conversation_rows import said
from supertune.conversations import Conversation
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent
from supertune.data.conversation_columns import conversations_in
from supertune.data.table import Table
from supertune.language import fold, has_unspaced_script, running_tokens

NEAR = 0.7
"""Share of an answer's runs of tokens that stand in training rows from which it counts as found there (Chowdhery et al.
2022, section 8: 70 % of the 8-grams)."""
_WORDS, _CHARACTERS = 8, 13
"""Tokens of a run: words, or characters of scripts without spaces, of which a Chinese word has 1.6."""
_HELD_OUT = ("validation", "test")
_BASE = 0x9E3779B97F4A7C15
_TABLE_BITS = 24
_SHIFT = np.uint64(64 - _TABLE_BITS)
Hashes = NDArray[np.uint64]


def check_contamination(check_input: CheckInput) -> list[Finding]:
    """Find held-out answers that training rows hold, word by word or nearly so, in an answer or anywhere else.

    Short ones are not judged (fewer than 8 words or 13 characters): ``Yes.`` is the answer to many questions. Nor is
    what stands in the question itself, which is known anyway.
    """
    if check_input.columns.answers != "generated":
        return []
    findings = []
    for split, found in contaminated_rows(check_input.splits, check_input.columns).items():
        if not (count := len(found.rows)):
            continue
        total = len(check_input.splits[split])
        be = "is" if count == 1 else "are"
        findings.append(
            Finding(
                check="contamination",
                severity="error" if more_than_one_in_twenty(count, total) else "warning",
                split=split,
                rows=check_input.row_numbers(split, found.rows),
                message=f"{counted(count, f'answer in {split}', f'answers in {split}')} ({percent(count, total)}) {be} "
                f"known from training rows: {found.exact:,} word by word, {count - found.exact:,} nearly so",
                fix=f"remove these rows from {split}, or those that hold their answers from train",
            )
        )
    return findings


@dataclass(frozen=True)
class Contaminated:
    """Held-out rows whose answers are known.

    Attributes:
        rows: int64, ascending indices into the split's table.
        exact: How many of them are the same, folded, as an answer in training rows.
    """

    rows: IntArray
    exact: int


def contaminated_rows(splits: Mapping[str, Table], columns: Columns) -> dict[str, Contaminated]:
    """Held-out rows whose answers stand in the rows of ``train``.

    Only of held-out answers runs of tokens are kept, 8 bytes each; training rows stream by.

    Returns:
        ``validation`` and ``test``, as far as they are among the splits; nothing without ``train``.
    """
    if "train" not in splits:
        return {}
    held = {split: _Held.of(splits[split], columns) for split in _HELD_OUT if split in splits}
    answers = {digest for part in held.values() for digest in part.digests if digest is not None}
    runs = {size: _Runs(np.unique(_all_runs(held.values(), size))) for size in (_WORDS, _CHARACTERS)}
    if not any(len(known.hashes) for known in runs.values()) and not answers:
        return {split: Contaminated(np.zeros(0, np.int64), 0) for split in held}
    found: set[bytes] = set()
    for conversation in conversations_in(splits["train"], columns):
        found.update(answers & {_digest(answer) for answer in _answers(conversation)})
        tokens = _hashes(running_tokens(said(conversation.messages)))
        for size, known in runs.items():
            known.see(_runs(tokens, size))
    return {split: part.known(found, runs) for split, part in held.items()}


@dataclass
class _Runs:
    """Runs of tokens of held-out answers, and which of them training rows have."""

    hashes: Hashes
    seen: NDArray[np.bool_] = field(init=False)
    _may_be: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = np.zeros(len(self.hashes), bool)
        # Nearly all runs of training rows are none of these: one look into a table says so.
        self._may_be = np.zeros(1 << _TABLE_BITS, bool)
        self._may_be[self.hashes >> _SHIFT] = True

    def see(self, runs: Hashes) -> None:
        """Runs of a training row."""
        if not len(self.hashes):
            return
        runs = runs[self._may_be[runs >> _SHIFT]]
        if len(runs):
            places = self._places(runs)
            self.seen[places[self.hashes[places] == runs]] = True

    def share(self, runs: Hashes) -> float:
        """How many of an answer's runs training rows have."""
        return float(self.seen[self._places(runs)].mean())

    def _places(self, runs: Hashes) -> IntArray:
        return np.minimum(np.searchsorted(self.hashes, runs), len(self.hashes) - 1)


@dataclass(frozen=True)
class _Held:
    """Held-out answers: a digest of each that is long enough, the size of its runs, and the runs."""

    digests: Sequence[bytes | None]
    runs: Sequence[tuple[int, Hashes]]

    @staticmethod
    def of(table: Table, columns: Columns) -> _Held:
        digests: list[bytes | None] = []
        runs: list[tuple[int, Hashes]] = []
        for conversation in conversations_in(table, columns):
            answer = "\n".join(_answers(conversation))
            size = _CHARACTERS if has_unspaced_script(answer) else _WORDS
            own = _runs(_hashes(running_tokens(answer)), size)
            asked = [message for message in conversation.messages if message.role != "assistant"]
            own = np.setdiff1d(own, _runs(_hashes(running_tokens(said(asked))), size))
            runs.append((size, own))
            digests.append(_digest(answer) if len(own) else None)
        return _Held(digests, runs)

    def known(self, found: set[bytes], runs: Mapping[int, _Runs]) -> Contaminated:
        rows, exact = [], 0
        for row, (digest, (size, own)) in enumerate(zip(self.digests, self.runs, strict=True)):
            if digest is None:
                continue
            same = digest in found
            if same or runs[size].share(own) >= NEAR:
                rows.append(row)
                exact += same
        return Contaminated(np.array(rows, np.int64), exact)


def _all_runs(held: Iterable[_Held], size: int) -> Hashes:
    return np.concatenate([np.zeros(0, np.uint64), *(runs for part in held for own, runs in part.runs if own == size)])


def _answers(conversation: Conversation) -> Iterator[str]:
    return (message.content for message in conversation.messages if message.role == "assistant")


def _digest(text: str) -> bytes:
    return blake2b(fold(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _hashes(tokens: Sequence[str]) -> Hashes:
    return np.fromiter(map(hash, tokens), np.int64, len(tokens)).view(np.uint64)


def _runs(tokens: Hashes, size: int) -> Hashes:
    """A number for every run of so many tokens, the same for the same run.

    Run i is the polynomial sum over k of token i + k times base to the k, modulo 2^64 (Karp and Rabin 1987), as a
    difference of two running sums. Whole numbers of 64 bits turn over in arrays without a word.
    """
    count = len(tokens) - size + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    # Powers of two of them, so that few lengths are computed.
    powers, inverse = _powers(1 << len(tokens).bit_length())
    sums = np.zeros(len(tokens) + 1, np.uint64)
    np.cumsum(tokens * powers[: len(tokens)], out=sums[1:])
    return (sums[size:] - sums[:count]) * inverse[:count]


@lru_cache(maxsize=32)
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Powers of the base, from the zeroth on, and of what it is undone by."""
    both = []
    for base in (_BASE, pow(_BASE, -1, 2**64)):
        factors = np.full(count, base, np.uint64)
        factors[0] = 1
        both.append(np.multiply.accumulate(factors))
    return both[0], both[1]
