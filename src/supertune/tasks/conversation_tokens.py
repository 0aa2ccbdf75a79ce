"""Conversations as token ids with how much each token counts in the loss; what was cut or left out, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features
from supertune.conversations import Conversation
from supertune.tasks.control_tokens import careful_tokenizer
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.rendering import Rendered, Renderer
from supertune.tasks.rendering_counts import RenderingCounts

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from supertune.tasks.answer_rendering import AnswerRenderer

TooLong = Literal["error", "drop", "cut"]
Fate = Literal["learned", "dropped", "silent"]
"""What becomes of an item: it is learned, left out as too long, or left out because nothing of it is left to learn."""

_CONVERSATIONS = 1024
_CHARACTERS = 1_000_000
"""What is rendered and tokenised at once."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text.

    Attributes:
        ids: Their ids.
        weights: How much each counts in the loss; 0 for the first where nothing predicts it.
        characters: How many characters of the text each adds to those before it, of those that are learned: none for
            control tokens, and for all but the first of several tokens that make one character.
        offsets: Where in the text each stands, but for those that surround a plain text.
        reading: Those of what an encoder reads before, none of which is learned; None where there is no encoder.
    """

    ids: list[int]
    weights: NDArray[np.float32]
    characters: NDArray[np.uint16]
    offsets: Encoding
    reading: Tokens | None = None

    @property
    def longest(self) -> int:
        """How many tokens a model reads or writes at once: those of the longer side where there are two."""
        return max(len(self.ids), len(self.reading.ids) if self.reading is not None else 0)


class ConversationEncoder:
    """Makes tokens of conversations.

    Args:
        renderer: How they are written, and what of them is learned.
        max_length: Most tokens of an item; of an encoder and of its decoder, each.
        too_long: What becomes of longer ones: ``cut`` keeps the beginning, ``drop`` leaves the row out, and ``error``
            as well, so that `RenderingCounts.refuse` refuses.
    """

    def __init__(self, renderer: Renderer | AnswerRenderer, max_length: int, *, too_long: TooLong = "cut") -> None:
        self.renderer, self.max_length, self.too_long = renderer, max_length, too_long
        self.counts = RenderingCounts(max_length, too_long)
        self._careful: Tokenizer | None = None
        ids = list(renderer.control.ids.values())
        # A table: models have thousands of them, and texts are many.
        self._control = np.zeros(max(ids, default=-1) + 1, np.bool_)
        self._control[ids] = True

    def batches(self, conversations: Iterable[Conversation]) -> Iterator[Features]:
        """The conversations' items in order, a piece at a time; none with targets, the last empty but for its notes.

        ``tokens`` are ``input_ids`` int32, ``weights`` float32, 0 for what is not learned and for each item's first
        token, and ``characters`` uint16 (`Tokens.characters`). Of an encoder–decoder an item is what is read and then
        what is written, and ``written`` uint8 is 1 for the latter. ``rows`` counts the conversations. Those that cannot
        be learned have no item: see `counts`, whose summary is the last piece's ``notes``.
        """
        portion: list[Conversation] = []
        start = characters = 0
        for conversation in conversations:
            portion.append(conversation)
            characters += sum(len(message.content) for message in conversation.messages)
            if len(portion) == _CONVERSATIONS or characters >= _CHARACTERS:
                yield self.encode(portion, start)
                start += len(portion)
                portion, characters = [], 0
        if portion:
            yield self.encode(portion, start)
        yield replace(self.encode([]), notes=self.counts.summary())

    def encode(self, conversations: Sequence[Conversation], first: int = 0) -> Features:
        """A few conversations' items at once; ``first`` is the number of the first of them."""
        texts: list[Rendered] = []
        rows: list[int] = []
        for row, conversation in enumerate(conversations, start=first):
            try:
                found = self.renderer.render(conversation)
            except RowProblemError as problem:
                self.counts.problem(row, problem)
                continue
            texts += found
            rows += [row] * len(found)
        self.counts.rows += len(conversations)
        return self._features(texts, rows, self.tokens(texts))

    def tokens(self, texts: Sequence[Rendered]) -> list[Tokens]:
        """Each text's tokens, none cut."""
        found = self._tokens(texts)
        readings = [each.reading for each in texts if each.reading is not None]
        if not readings:
            return found
        read = iter(self._tokens(readings))
        return [
            one if each.reading is None else replace(one, reading=next(read))
            for one, each in zip(found, texts, strict=True)
        ]

    def _tokens(self, texts: Sequence[Rendered]) -> list[Tokens]:
        raw = self.renderer.tokenizer.backend_tokenizer
        raw.no_truncation()
        raw.no_padding()
        raw.encode_special_tokens = False
        # The ends of a plain text are put there as ids: one that begins every text with a space does so there.
        inner = [each.text[len(each.surrounds[0]) : len(each.text) - len(each.surrounds[1])] for each in texts]
        encodings: list[Encoding] = raw.encode_batch(inner, add_special_tokens=False)
        for place, each in enumerate(texts):
            if each.typed:
                shift = len(each.surrounds[0])
                typed = [(begin - shift, end - shift) for begin, end in each.typed]
                secret = self.renderer.control.secret(inner[place], typed)
                encodings[place] = self._careful_tokenizer().encode(secret, add_special_tokens=False)
        found = []
        for each, encoding in zip(texts, encodings, strict=True):
            before, after = ([self._id(token)] if token else [] for token in each.surrounds)
            everything = [*before, *encoding.ids, *after]
            weights = np.zeros(len(everything), np.float32)
            for span in each.spans:
                shift = len(each.surrounds[0])
                begin, end = _token_span(encoding, max(span.begin - shift, 0), span.end - shift)
                ends = after and span.end == len(each.text)
                weights[len(before) + begin : len(everything) if ends else len(before) + end] = span.weight
            if each.reading is None:
                # Nothing predicts it.
                weights[:1] = 0
            elif before and each.spans and not each.spans[0].begin:
                # A decoder is given a token of its own to begin with, and writes this one.
                weights[0] = each.spans[0].weight
            added = self._added(encoding, everything, weights, first=len(before))
            found.append(Tokens(everything, weights, added, encoding))
        return found

    def fate(self, tokens: Tokens) -> Fate:
        """What becomes of an item with these tokens."""
        if tokens.longest > self.max_length and self.too_long != "cut":
            return "dropped"
        return "learned" if tokens.weights[: self.max_length].any() else "silent"

    def _added(
        self, encoding: Encoding, ids: Sequence[int], weights: NDArray[np.float32], *, first: int
    ) -> NDArray[np.uint16]:
        """`Tokens.characters`; the encoding's tokens begin at ``first`` among ``ids``."""
        added = np.zeros(len(ids), np.uint16)
        places = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        if len(places):
            reached = np.concatenate([[0], np.maximum.accumulate(places[:-1, 1])])
            added[first : first + len(places)] = np.maximum(places[:, 1] - np.maximum(places[:, 0], reached), 0)
        # A character that several tokens make together is counted with the first; one that is not learned, not at all.
        numbers = np.asarray(ids, np.int64)
        low = numbers < len(self._control)
        added[low] *= ~self._control[numbers[low]]
        added[weights == 0] = 0
        return added

    def _features(self, texts: Sequence[Rendered], rows: Sequence[int], tokens: Sequence[Tokens]) -> Features:
        ids: list[int] = []
        weights: list[NDArray[np.float32]] = []
        characters: list[NDArray[np.uint16]] = []
        lengths, full_lengths, kept_rows, reads = [], [], [], []
        for row, each, text in zip(rows, tokens, texts, strict=True):
            kept, full = min(len(each.ids), self.max_length), each.longest
            fate = self.fate(each)
            if fate == "dropped":
                self.counts.too_long(row, full)
                continue
            if full > self.max_length:
                self.counts.cut(row, lost=bool(each.weights[kept:].any()))
            if fate == "silent":
                self.counts.silent(row)
                continue
            shown = each.weights[:kept]
            self.counts.learned(row, text, self._stops(text, each.ids[:kept], shown))
            read = _shortened(each.reading.ids, self.max_length) if each.reading is not None else []
            ids += read + each.ids[:kept]
            weights += [np.zeros(len(read), np.float32), shown]
            characters += [np.zeros(len(read), np.uint16), each.characters[:kept]]
            lengths.append(len(read) + kept)
            reads.append(len(read))
            full_lengths.append(full)
            kept_rows.append(row)
        found: dict[str, NDArray[Any]] = {
            "input_ids": np.array(ids, np.int32),
            "weights": np.concatenate(weights) if weights else np.zeros(0, np.float32),
            "characters": np.concatenate(characters) if characters else np.zeros(0, np.uint16),
        }
        if self.renderer.encoder_decoder:
            sides = np.stack([reads, np.subtract(lengths, reads)], axis=1).ravel().astype(np.int64)
            found["written"] = np.repeat(np.tile(np.array([0, 1], np.uint8), len(lengths)), sides)
        return Features(
            tokens=found,
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))]),
            targets={},
            rows=np.array(kept_rows, np.int64),
            full_lengths=np.array(full_lengths, np.int64),
        )

    def _stops(self, text: Rendered, ids: Sequence[int], weights: NDArray[np.float32]) -> Counter[str]:
        """How often each token that ends an answer is really learned, after cutting."""
        found: Counter[str] = Counter()
        for stop in set(text.stops):
            wanted = self._id(stop)
            place = -1
            for _ in range(ids.count(wanted)):
                place = ids.index(wanted, place + 1)
                found[stop] += bool(weights[place])
        return +found

    def _id(self, token: str) -> int:
        return int(self.renderer.tokenizer.backend_tokenizer.token_to_id(token))

    def _careful_tokenizer(self) -> Tokenizer:
        if self._careful is None:
            raw = self.renderer.tokenizer.backend_tokenizer
            self._careful = careful_tokenizer(raw, self.renderer.control.ids)
        return self._careful


def prompt_tokens(encoder: ConversationEncoder, conversations: Sequence[Conversation]) -> list[NDArray[np.int32]]:
    """What the model (its encoder, if it has one) is given to answer each, int32 (tokens,); as what it learned from.

    Raises:
        RowProblemError: The template refuses one.
    """
    prompts = [encoder.renderer.prompt(conversation) for conversation in conversations]
    return [np.array(each.ids, np.int32) for each in encoder.tokens(prompts)]


def _shortened(ids: list[int], most: int) -> list[int]:
    """What an encoder reads of too long a text: its beginning, and the token that ends all texts."""
    return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def _token_span(encoding: Encoding, begin: int, end: int) -> tuple[int, int]:
    """The tokens that lie wholly within some characters: first, and behind the last; those that straddle are out."""
    count = len(encoding)
    first = _from_character(encoding, begin, end)
    if first is None:
        return 0, 0
    while first < count and _characters(encoding, first)[0] < begin:
        first += 1
    behind = _from_character(encoding, end, None)
    behind = count if behind is None else behind
    while behind > first and _characters(encoding, behind - 1)[1] > end:
        behind -= 1
    return first, behind


def _characters(encoding: Encoding, token: int) -> tuple[int, int]:
    """First character of a token, and behind its last; (0, 0) where it has none, as its offsets say too."""
    return encoding.token_to_chars(token) or (0, 0)


def _from_character(encoding: Encoding, place: int, end: int | None) -> int | None:
    """The first token of the first character from a place on that is in one; None where none is (before ``end``)."""
    limit = end if end is not None else _characters(encoding, len(encoding) - 1)[1] if len(encoding) else 0
    while place < limit:
        token: int | None = encoding.char_to_token(place)
        if token is not None:
            return token
        place += 1
    return None


def text_pieces(text: Rendered, tokens: Tokens) -> list[tuple[str, float, int]]:
    """A text in pieces, none less than a character: each with the largest weight of its tokens, and its first token.

    Joined, they are the text: characters in no token (white space that a tokenizer drops) go with what follows. What an
    encoder reads (``text.reading``, ``tokens.reading``) is a text of its own.
    """
    before, after = text.surrounds
    shift = len(before)
    places: list[tuple[int, int]] = [(begin + shift, end + shift) for begin, end in tokens.offsets.offsets]
    places = [*([(0, shift)] if before else []), *places]
    places += [(len(text.text) - len(after), len(text.text))] if after else []
    pieces: list[tuple[str, float, int]] = []
    reached = 0
    for number, ((begin, end), weight) in enumerate(zip(places, tokens.weights.tolist(), strict=True)):
        if pieces and (begin < reached or end <= reached):
            said, heavier, first = pieces.pop()
            pieces.append((said + text.text[reached : max(reached, end)], max(heavier, weight), first))
        else:
            pieces.append((text.text[reached:end], weight, number))
        reached = max(reached, end)
    if reached < len(text.text):
        pieces.append((text.text[reached:], 0.0, len(places)))
    return pieces
