"""Texts for many prompts, and one text as it comes."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.generate.decoding import Decoding, Written
from supertune.generate.padding import tried
from supertune.generate.prompts import batches, fitted, most_tokens, room_for
from supertune.generate.reading import Context, Read
from supertune.generate.settings import Generated, GenerationSettings
from supertune.generate.sharing import read_once, sharing
from supertune.generate.starting import Writer
from supertune.generate.stopping import Decode, Speech, Stops
from supertune.memory import out_of_memory

Progress = Callable[[int, int], None]
"""Called after every step with the rows that are done and the tokens written so far; what it raises ends it all.

A row is counted as done when it leaves its batch, a few steps after its end."""

_STEPS = 16
"""Steps after which rows that have ended leave their batch."""


def generate(
    model: Any,
    prompts: Sequence[Any],
    settings: GenerationSettings,
    *,
    decode: Decode,
    progress: Progress | None = None,
) -> list[Generated]:
    """A text for each prompt, in their order.

    Prompts of like length are written on side by side, as many as the free memory holds, and fewer where it runs out
    all the same. In 32 bits each gets the text that it would get alone, whatever it shares a batch with; where a
    model cannot be given padding without changing what it says, only prompts of equal length share one. What many
    prompts begin with (a long instruction, the same examples) is read once, where the model keeps what it reads.

    Args:
        model: Any causal language model of transformers, or one with an encoder and a decoder; with a peft adapter,
            prompt and prefix tuning of decoders among them.
        prompts: Token ids of each, as arrays or lists of integers, special tokens among them.
        settings: How to write.
        decode: From tokens to text, e.g. the tokenizer's ``decode`` without special tokens.
        progress: See `Progress`.

    Raises:
        UserError: A prompt cannot be used, see `fitted`, or not even one row fits into memory.
    """
    if not len(prompts):
        return []
    writer = Writer(model)
    ids, cut = fitted(prompts, writer.body, settings, writer.extra)
    stops = _stops(writer, settings, decode)
    found: dict[int, Written] = {}
    tokens = beside = 0

    def stepped(live: int) -> None:
        nonlocal tokens
        tokens += live
        if progress:
            progress(len(found) + max(beside - live, 0), tokens)

    with evaluating(writer.body):
        waiting = _planned(writer, ids, settings)
        while waiting:
            batch = waiting.pop(0)
            wanted, beside = [ids[row] for row in batch.rows], len(batch.rows)
            seed = (settings.seed, int(batch.rows[0]))
            try:
                written = _written(Decoding(writer, wanted, stops, settings, seed, stepped, batch.read))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if beside == 1:
                    raise UserError(
                        f"there is not enough memory to write {settings.max_new_tokens} tokens after a prompt of "
                        f"{len(wanted[0])}",
                        fix="shorten the prompt, or ask for fewer new tokens",
                    ) from error
                waiting = _halved([batch, *waiting], beside // 2)
                written = {}
            if not written:
                _freed()
            found |= {int(batch.rows[place]): one for place, one in written.items()}
        if progress:
            progress(len(found), tokens)
    return [_generated(found[row], stops, cut[row]) for row in range(len(ids))]


def stream(
    model: Any,
    prompt: Any,
    settings: GenerationSettings,
    *,
    decode: Decode,
    done: Callable[[Generated], None] | None = None,
    context: Context | None = None,
) -> Iterator[str]:
    """One text as it is written, in pieces that end between characters; close the iterator to stop.

    What may be the beginning of a stop string is held back until it is known to be none.

    Args:
        model: See `generate`.
        prompt: Its token ids.
        settings: How to write; without beams, which know what they say only at the end.
        decode: See `generate`.
        done: Gets the whole, when the text has come to its end.
        context: What the same model has read and written before: what the prompt begins with of it is not read again.
            Afterwards it holds this text, however far it came.

    Raises:
        UserError: See `generate`; or beams are asked for.
    """
    if settings.beams > 1:
        raise UserError("beams cannot be told as they come", where="beams", fix="leave them out")
    writer = Writer(model)
    (ids,), (cut,) = fitted([prompt], writer.body, settings, writer.extra)
    stops = _stops(writer, settings, decode)
    return _told(writer, ids, cut, stops, settings, done, context if settings.use_cache else None)


def prompt_room(model: Any, settings: GenerationSettings) -> int | None:
    """How many tokens a prompt may have to leave room for what is written; None where there is no limit.

    Args:
        model: See `generate`.
        settings: How to write.

    Raises:
        UserError: There is no room for any.
    """
    writer = Writer(model)
    return room_for(writer.body, settings, writer.extra)


def _told(
    writer: Writer,
    ids: Sequence[int],
    cut: int,
    stops: Stops,
    settings: GenerationSettings,
    done: Callable[[Generated], None] | None,
    context: Context | None,
) -> Iterator[str]:
    speech, held, count = Speech(stops.decode), "", 0
    known = context.known(writer.body, ids) if context else None
    with evaluating(writer.body):
        decoding = Decoding(
            *(writer, [ids], stops, settings, (settings.seed, 0), lambda _: None, known), recording=context is not None
        )
    try:
        while not decoding.written:
            with evaluating(writer.body):
                decoding.advance(1)
            tokens = decoding.written[0][0] if decoding.written else decoding.new[0]
            ended = decoding.written[0][1] if decoding.written else None
            said = tokens[count : len(tokens) - (ended == "stop")]
            count = len(tokens)
            held += "".join(map(speech.add, said))
            if ended is not None:
                held = stops.before(held + speech.rest())
            keep = 0 if ended is not None else stops.may_go_on(held)
            piece, held = held[: len(held) - keep], held[len(held) - keep :]
            if piece:
                yield piece
    finally:
        # However far it came: whoever stops the text closes the iterator.
        if context:
            context.keep(writer.body, decoding.read)
    if done:
        done(_generated(decoding.written[0], stops, cut))


def _written(decoding: Decoding) -> dict[int, Written]:
    while len(decoding.new):
        decoding.advance(_STEPS)
    return decoding.written


@dataclass(frozen=True)
class _Batch:
    """Prompts that are written on side by side.

    Attributes:
        rows: int64 (rows,): their numbers.
        read: What they all begin with, if it has been read.
    """

    rows: IntArray
    read: Read | None


def _planned(writer: Writer, ids: Sequence[Sequence[int]], settings: GenerationSettings) -> list[_Batch]:
    """The batches of those that share their beginning, then of the others."""
    new = settings.max_new_tokens
    alike, tokens = sharing(ids, new) if settings.use_cache else (np.zeros(0, np.int64), 0)
    begun = read_once(writer, ids[alike[0]][:tokens]) if tokens else None
    everyone = np.arange(len(ids))
    groups = [(alike, begun), (np.setdiff1d(everyone, alike), None)] if begun else [(everyone, None)]
    planned = []
    for rows, read in groups:
        if not len(rows):
            continue
        some = [ids[row] for row in rows]
        lengths = np.array([len(one) for one in some], np.int64)
        found = tried(writer, some, read)
        known = len(found.read.ids) if found.read else 0
        room = most_tokens(writer.body, settings.beams, int(lengths.max()) + writer.extra, new, known)
        planned += [
            _Batch(rows[places], found.read)
            for places in batches(lengths, settings.most_rows, room, new, equal=found.equal)
        ]
    return planned


def _halved(waiting: Sequence[_Batch], most: int) -> list[_Batch]:
    """Batches of at most ``most`` rows."""
    return [
        _Batch(batch.rows[start : start + most], batch.read)
        for batch in waiting
        for start in range(0, len(batch.rows), most)
    ]


def _freed() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _stops(writer: Writer, settings: GenerationSettings, decode: Decode) -> Stops:
    ids: Any = settings.stop_ids
    if ids is None:
        ids = writer.body.generation_config.eos_token_id
        ids = () if ids is None else ids
        ids = (ids,) if isinstance(ids, int) else ids
    return Stops(frozenset(ids), settings.stop_strings, decode)


def _generated(written: Written, stops: Stops, cut: int) -> Generated:
    ids, ended, log_probability = written
    return Generated(np.array(ids, np.int32), stops.text(ids, ended), ended, log_probability, cut)


@contextlib.contextmanager
def evaluating(body: Any) -> Iterator[None]:
    """Without dropout while the block lasts."""
    training = [module for module in body.modules() if module.training]
    body.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
