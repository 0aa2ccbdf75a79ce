"""Conversations as token ids with how much each token counts in the loss; what was cut or left out, counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, IntArray
from supertune.conversations import Conversation
from supertune.tasks.control_tokens import careful_tokenizer
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.placed_tokens import Placed, PlacingEncoder
from supertune.tasks.rendering import Rendered, Renderer
from supertune.tasks.rendering_counts import RenderingCounts
from supertune.tasks.token_places import TokenPlaces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

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
        places: Where in the text each stands (`Placed.places`), but for those that surround a plain text.
        reading: Those of what an encoder reads before, none of which is learned; None where there is no encoder.
    """

    ids: list[int]
    weights: NDArray[np.float32]
    characters: NDArray[np.uint16]
    places: IntArray
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
        self._placing = PlacingEncoder(renderer.tokenizer.backend_tokenizer)
        self._ids: dict[str, int] = {}
        ids = list(renderer.control.ids.values())
        # A table: models have thousands of them, and texts are many. Its last place is for all other tokens.
        self._control = np.zeros(max(ids, default=-1) + 2, np.bool_)
        self._control[ids] = True

    def batches(self, conversations: Iterable[Conversation]) -> Iterator[Features]:
        """The conversations' items in order, a piece at a time; none with targets, the last empty but for its notes.

        ``tokens`` are ``input_ids`` int32, ``weights`` float32, 0 for what is not learned and for each item's first
        token, and ``characters`` uint16 (`Tokens.characters`). Of an encoder–decoder an item is what is read and then
        what is written, and ``written`` uint8 is 1 for the latter. ``rows`` counts the conversations. Those that cannot
        be learned have no item: see `counts`, whose summary is the last piece's ``notes``.
        """
        # The tokenizer lets go of the interpreter: what comes next is read and rendered while it works.
        with ThreadPoolExecutor(1) as beside:
            waiting: tuple[list[Rendered], list[int], Future[list[Tokens]]] | None = None
            start = 0
            for portion in portions(conversations):
                texts, rows = self._rendered(portion, start)
                begun = beside.submit(self.tokens, texts)
                start += len(portion)
                if waiting is not None:
                    yield self._features(waiting[0], waiting[1], waiting[2].result())
                waiting = texts, rows, begun
            if waiting is not None:
                yield self._features(waiting[0], waiting[1], waiting[2].result())
        yield replace(self.encode([]), notes=self.counts.summary())

    def encode(self, conversations: Sequence[Conversation], first: int = 0) -> Features:
        """A few conversations' items at once; ``first`` is the number of the first of them."""
        texts, rows = self._rendered(conversations, first)
        return self._features(texts, rows, self.tokens(texts))

    def _rendered(self, conversations: Sequence[Conversation], first: int) -> tuple[list[Rendered], list[int]]:
        """The conversations' texts, and of which row each is."""
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
        return texts, rows

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

    def lengths(self, conversations: Sequence[Conversation]) -> IntArray:
        """Int64 (conversations,): tokens of each one's longest item, none cut; 0 for those that cannot be learned."""
        found = np.zeros(len(conversations), np.int64)
        texts: list[Rendered] = []
        rows: list[int] = []
        for row, conversation in enumerate(conversations):
            with contextlib.suppress(RowProblemError):
                texts += self.renderer.render(conversation)
                rows += [row] * (len(texts) - len(rows))
        np.maximum.at(found, np.array(rows, np.int64), [tokens.longest for tokens in self.tokens(texts)])
        return found

    def _tokens(self, texts: Sequence[Rendered]) -> list[Tokens]:
        encoded = self._encoded(texts)
        places = TokenPlaces(encoded)
        weights = self._weights(texts, places)
        # A character that several tokens make together is counted with the first; one that is not learned, not at all.
        ids = np.fromiter(chain.from_iterable(each.ids for each in encoded), np.int64, len(weights))
        steering = self._control[np.minimum(ids, len(self._control) - 1)]
        characters = np.where((weights != 0) & ~steering, places.added(), 0).astype(np.uint16)
        found = []
        for number, (text, each) in enumerate(zip(texts, encoded, strict=True)):
            part = slice(places.firsts[number], places.firsts[number + 1])
            tokens = Tokens(each.ids, weights[part], characters[part], each.places)
            found.append(self._surrounded(text, tokens) if any(text.surrounds) else tokens)
        return found

    def _encoded(self, texts: Sequence[Rendered]) -> list[Placed]:
        raw = self.renderer.tokenizer.backend_tokenizer
        raw.no_truncation()
        raw.no_padding()
        raw.encode_special_tokens = False
        # The ends of a plain text are put there as ids: one that begins every text with a space does so there.
        inner = [each.text[len(each.surrounds[0]) : len(each.text) - len(each.surrounds[1])] for each in texts]
        found = self._placing.encode(inner)
        for place, each in enumerate(texts):
            if each.typed:
                shift = len(each.surrounds[0])
                typed = [(begin - shift, end - shift) for begin, end in each.typed]
                secret = self.renderer.control.secret(inner[place], typed)
                found[place] = Placed.of(self._careful_tokenizer().encode(secret, add_special_tokens=False))
        return found

    def _weights(self, texts: Sequence[Rendered], places: TokenPlaces) -> NDArray[np.float32]:
        """How much each token of the texts counts, all in one; what surrounds them is not among these."""
        weights = np.zeros(places.firsts[-1], np.float32)
        spans = [
            (number, max(span.begin - shift, 0), span.end - shift, span.weight)
            for number, each in enumerate(texts)
            for shift in (len(each.surrounds[0]),)
            for span in each.spans
        ]
        within = places.within(*np.array([span[:3] for span in spans], np.int64).reshape(-1, 3).T)
        for first, behind, (*_, weight) in zip(*(each.tolist() for each in within), spans, strict=True):
            weights[first:behind] = weight
        for number, each in enumerate(texts):
            if each.reading is None and not each.surrounds[0]:
                # Nothing predicts the first of all.
                weights[places.firsts[number] : places.firsts[number + 1]][:1] = 0
        return weights

    def _surrounded(self, text: Rendered, tokens: Tokens) -> Tokens:
        """With the tokens that stand before and after a text without being looked for in it."""
        before, after = ([self._id(token)] if token else [] for token in text.surrounds)
        weights = np.concatenate([np.zeros(len(before)), tokens.weights, np.zeros(len(after))]).astype(np.float32)
        if after and text.spans and text.spans[-1].end == len(text.text):
            weights[-1] = text.spans[-1].weight
        if text.reading is not None and before and text.spans and not text.spans[0].begin:
            # A decoder is given a token of its own to begin with, and writes this one.
            weights[0] = text.spans[0].weight
        none = [np.zeros(len(each), np.uint16) for each in (before, after)]
        characters = np.concatenate([none[0], tokens.characters, none[1]])
        return replace(tokens, ids=[*before, *tokens.ids, *after], weights=weights, characters=characters)

    def fate(self, tokens: Tokens) -> Fate:
        """What becomes of an item with these tokens."""
        if tokens.longest > self.max_length and self.too_long != "cut":
            return "dropped"
        return "learned" if np.count_nonzero(tokens.weights[: self.max_length]) else "silent"

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
                self.counts.cut(row, full, lost=bool(each.weights[kept:].any()))
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

    def _stops(self, text: Rendered, ids: list[int], weights: NDArray[np.float32]) -> dict[str, int]:
        """How often each token that ends an answer is really learned, after cutting."""
        found: dict[str, int] = {}
        for stop in dict.fromkeys(text.stops):
            wanted, place, learned = self._id(stop), -1, 0
            for _ in range(ids.count(wanted)):
                place = ids.index(wanted, place + 1)
                learned += bool(weights[place])
            if learned:
                found[stop] = learned
        return found

    def _id(self, token: str) -> int:
        if token not in self._ids:
            self._ids[token] = int(self.renderer.tokenizer.backend_tokenizer.token_to_id(token))
        return self._ids[token]

    def _careful_tokenizer(self) -> Tokenizer:
        if self._careful is None:
            raw = self.renderer.tokenizer.backend_tokenizer
            self._careful = careful_tokenizer(raw, self.renderer.control.ids)
        return self._careful


def portions(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """As many as are rendered and tokenised at once."""
    portion: list[Conversation] = []
    characters = 0
    for conversation in conversations:
        portion.append(conversation)
        characters += sum(len(message.content) for message in conversation.messages)
        if len(portion) == _CONVERSATIONS or characters >= _CHARACTERS:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


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


def text_pieces(text: Rendered, tokens: Tokens) -> list[tuple[str, float, int]]:
    """A text in pieces, none less than a character: each with the largest weight of its tokens, and its first token.

    Joined, they are the text: characters in no token (white space that a tokenizer drops) go with what follows. What an
    encoder reads (``text.reading``, ``tokens.reading``) is a text of its own.
    """
    before, after = text.surrounds
    shift = len(before)
    places: list[tuple[int, int]] = [(begin + shift, end + shift) for begin, end in tokens.places.tolist()]
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
