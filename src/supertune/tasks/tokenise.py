"""Texts as token ids: those that calling the tokenizer gives, in less time and with each text tokenised once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, IntArray, Rows
from supertune.files import sha256_bytes
from supertune.language import join_fields

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ENCODING_VERSION = 1
"""Counts up when the same texts would become other tokens; kept tokens are then not used again."""

_TEXTS = 1024
_CHARACTERS = 1_000_000
"""What is handed to the tokenizer at once: it is no faster with more, and a token takes 100 bytes on the way."""


@dataclass(frozen=True)
class _Tokens:
    """Tokens of several texts: ids int32 (tokens kept,), and how many each text has now and had before it was cut.

    ``types`` int8 (tokens kept,) says which text of a pair a token is of, for models that want to know.
    """

    ids: NDArray[np.int32]
    lengths: IntArray
    full_lengths: IntArray
    types: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class _Frame:
    """How many special tokens a tokenizer puts before and after every text."""

    before: int
    after: int


def token_batches(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[Features]:
    """The text columns as ``input_ids``, cut to ``max_length``, one item per row, without targets.

    Several columns are joined to one text; those of a pair become one item of two texts, of which the longer is cut
    until both fit, with ``token_type_ids`` where the model wants them. A tokenizer that puts nothing between the two
    (a decoder's) gets them joined. Symmetric pairs become two items, one for each order, one after the other. Comes in
    pieces of at most 1,024 rows, so that nothing but the result need grow with the rows; at least one piece.
    """
    tokenise = _tokeniser(columns, tokenizer)
    orders = 2 if columns.symmetric else 1
    start = 0
    for texts in text_portions(rows, columns):
        both = [order for pair in texts for order in (pair, pair[::-1])] if columns.symmetric else texts
        found = tokenise(both, max_length)
        yield Features(
            tokens={"input_ids": found.ids, **({} if found.types is None else {"token_type_ids": found.types})},
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(found.lengths)]),
            targets={},
            rows=np.repeat(np.arange(start, start + len(texts), dtype=np.int64), orders),
            full_lengths=found.full_lengths,
        )
        start += len(texts)


def text_tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> Features:
    """Texts as ``input_ids``, cut to ``max_length``, one item per text, without targets; ``rows`` counts the texts.

    Comes at once: the caller takes care that the texts are not too many.
    """
    found = _tokenise(texts, tokenizer, max_length, _frame(tokenizer))
    return Features(
        tokens={"input_ids": found.ids},
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(found.lengths)]),
        targets={},
        rows=np.arange(len(texts), dtype=np.int64),
        full_lengths=found.full_lengths,
    )


def pair_tokens(
    pairs: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> Features:
    """As `text_tokens`, of pairs of texts, of which the longer is cut until both fit."""
    found = _tokeniser(Columns(("one", "other"), pair=True), tokenizer)(pairs, max_length)
    return Features(
        tokens={"input_ids": found.ids, **({} if found.types is None else {"token_type_ids": found.types})},
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(found.lengths)]),
        targets={},
        rows=np.arange(len(pairs), dtype=np.int64),
        full_lengths=found.full_lengths,
    )


def token_lengths(rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase) -> Iterator[IntArray]:
    """Number of tokens of each row's text or pair, special tokens included, nothing cut; one array per batch."""
    tokenise = _tokeniser(columns, tokenizer)
    for texts in text_portions(rows, columns):
        yield tokenise(texts, None).full_lengths


def joined(pieces: Iterable[Features], progress: Callable[[int], None] | None = None) -> Features:
    """Pieces of features without targets, one after the other, as one; at least one piece.

    Memory is that of the result: the arrays grow in place.

    Args:
        pieces: As from `token_batches`.
        progress: Called after each with the number of rows so far.
    """
    grown: dict[str, bytearray] = {}
    kinds: dict[str, np.dtype[Any]] = {}
    offsets, rows, full_lengths = bytearray(bytes(8)), bytearray(), bytearray()
    total, notes = 0, None
    for piece in pieces:
        notes = piece.notes
        for name, values in piece.tokens.items():
            kinds[name] = values.dtype
            grown.setdefault(name, bytearray())
            grown[name] += values.data
        offsets += (piece.offsets[1:] + total).data
        rows += piece.rows.data
        full_lengths += piece.full_lengths.data
        total += int(piece.offsets[-1])
        if progress is not None and len(piece):
            progress(int(piece.rows[-1]) + 1)
    return Features(
        tokens={name: np.frombuffer(content, kinds[name]) for name, content in grown.items()},
        offsets=np.frombuffer(offsets, np.int64),
        targets={},
        rows=np.frombuffer(rows, np.int64),
        full_lengths=np.frombuffer(full_lengths, np.int64),
        notes=notes,
    )


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hex SHA-256 of all that decides which tokens a text becomes, the libraries' versions included."""
    import tokenizers
    import transformers

    _uncut(tokenizer)
    settings = {
        "encoding": ENCODING_VERSION,
        "tokenizers": tokenizers.__version__,
        "transformers": transformers.__version__,
        "class": type(tokenizer).__qualname__,
        "truncation_side": tokenizer.truncation_side,
        "inputs": list(tokenizer.model_input_names),
        "split_special_tokens": tokenizer.split_special_tokens,
    }
    return sha256_bytes(json.dumps(settings).encode(), tokenizer.backend_tokenizer.to_str().encode())


def text_portions(rows: Rows, columns: Columns) -> Iterator[list[tuple[str, ...]]]:
    """The rows' texts in lists of at most 1,024, and of about a million characters unless one text has more."""
    portion: list[tuple[str, ...]] = []
    characters = 0
    for batch in rows.batches(columns=columns.text):
        for fields in zip(*(batch[name] for name in columns.text), strict=True):
            texts = tuple(join_fields([field]) for field in fields) if columns.pair else (join_fields(fields),)
            portion.append(texts)
            characters += sum(map(len, texts))
            if len(portion) == _TEXTS or characters >= _CHARACTERS:
                yield portion
                portion, characters = [], 0
    if portion or not len(rows):
        yield portion


def _tokeniser(
    columns: Columns, tokenizer: PreTrainedTokenizerBase
) -> Callable[[Sequence[tuple[str, ...]], int | None], _Tokens]:
    """What makes tokens of a portion: (one text or two for each row, most tokens) → tokens."""
    frame = _frame(tokenizer)
    if columns.pair and parts_pairs(tokenizer):
        return lambda texts, most: _called(texts, tokenizer, most)
    return lambda texts, most: _tokenise([join_fields(each) for each in texts], tokenizer, most, frame)


def parts_pairs(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer puts something between two texts, by which a model can tell where the second begins.

    A second beginning of a text (``<bos> a <bos> b``), which decoders' tokenizers write, is nothing a model has seen.
    """
    _uncut(tokenizer)
    alone, both = (tokenizer(*texts)["input_ids"] for texts in (("a",), ("a", "a")))
    more = Counter(both) - Counter(alone)
    words = set(tokenizer("a", add_special_tokens=False)["input_ids"])
    return bool(set(more) - words - {tokenizer.bos_token_id})


def _uncut(tokenizer: PreTrainedTokenizerBase) -> None:
    """Undo what an earlier call with truncation or padding left switched on in the raw tokenizer."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()


def _frame(tokenizer: PreTrainedTokenizerBase) -> _Frame | None:
    """What surrounds every text, or None where the tokenizer's class does more than its raw tokenizer."""
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

    kind = type(tokenizer)
    plain = (
        isinstance(tokenizer, PreTrainedTokenizerFast)
        and kind.__call__ is PreTrainedTokenizerBase.__call__
        and kind._encode_plus is PreTrainedTokenizerFast._encode_plus
        and not hasattr(tokenizer, "_switch_to_input_mode")
    )
    if not plain:
        return None
    _uncut(tokenizer)
    special = tokenizer.backend_tokenizer.encode("a").special_tokens_mask
    if 0 not in special:
        return None
    frame = _Frame(special.index(0), special[::-1].index(0))
    known = sum(special) == frame.before + frame.after == tokenizer.num_special_tokens_to_add()
    return frame if known else None


def _tokenise(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int | None, frame: _Frame | None
) -> _Tokens:
    if not texts:
        return _Tokens(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    if frame is None or (max_length is not None and max_length <= frame.before + frame.after):
        return _called([(text,) for text in texts], tokenizer, max_length)
    _uncut(tokenizer)
    raw = tokenizer.backend_tokenizer
    raw.encode_special_tokens = tokenizer.split_special_tokens
    # The fast form leaves out the positions of characters; the ids are the same.
    encodings = raw.encode_batch_fast(texts)
    full = np.fromiter(map(len, encodings), np.int64, len(encodings))
    flat: list[int] = []
    for encoding in encodings:
        ids = encoding.ids
        flat += ids if max_length is None else _cut(ids, max_length, frame, tokenizer.truncation_side)
    lengths = full if max_length is None else np.minimum(full, max_length)
    return _Tokens(np.array(flat, np.int32), lengths, full)


def _cut(ids: list[int], max_length: int, frame: _Frame, side: str) -> list[int]:
    """The ids cut as tokenizers cut: the special tokens stay, and the text loses its end (or its beginning)."""
    if len(ids) <= max_length:
        return ids
    end = len(ids) - frame.after
    room = max_length - frame.before - frame.after
    begin = frame.before if side == "right" else end - room
    return ids[: frame.before] + ids[begin : begin + room] + ids[end:]


def _called(texts: Sequence[tuple[str, ...]], tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> _Tokens:
    """By calling the tokenizer, whatever its class does; texts that may have been cut are tokenised twice."""
    if not texts:
        return _Tokens(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    called = _call(texts, tokenizer, max_length)
    pieces = called["input_ids"]
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    full = lengths.copy()
    if max_length is not None:
        # Only texts that fill the window can have been cut.
        reached = np.flatnonzero(lengths >= max_length).tolist()
        if reached:
            uncut = _call([texts[index] for index in reached], tokenizer, None)["input_ids"]
            full[reached] = [len(ids) for ids in uncut]
    flat = np.array([token for ids in pieces for token in ids], np.int32)
    types = called.get("token_type_ids")
    flat_types = None if types is None else np.array([kind for kinds in types for kind in kinds], np.int8)
    return _Tokens(flat, lengths, full, flat_types)


def _call(
    texts: Sequence[tuple[str, ...]], tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> Mapping[str, list[list[int]]]:
    pairs = len(texts[0]) > 1
    called: Mapping[str, list[list[int]]] = tokenizer(
        *(list(side) for side in zip(*texts, strict=True)),
        # Of a pair the longer side loses a token at a time; of one text its end.
        truncation=max_length is not None,
        max_length=max_length,
        return_attention_mask=False,
        return_token_type_ids=pairs and "token_type_ids" in tokenizer.model_input_names,
        verbose=False,
    )
    return called
