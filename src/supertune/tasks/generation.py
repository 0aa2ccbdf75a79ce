"""What a model is to write: conversations as tokens, the loss of those that are answers, and how likely they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, Head, IntArray, Layout, Outcome, Prediction, Rows
from supertune.conversation_rows import columns_needed, conversations_of
from supertune.errors import UserError
from supertune.tasks.answer_rendering import AnswerRenderer, adopt_answer_template
from supertune.tasks.chat_template import adopt_template
from supertune.tasks.conversation_parts import ConversationParts
from supertune.tasks.conversation_tokens import ConversationEncoder, TooLong, portions
from supertune.tasks.encoder_decoder import WRITTEN, second_half
from supertune.tasks.likelihoods import check_head, likelihood_outcome, summed_loss, token_likelihoods
from supertune.tasks.loss_spans import Reasoning
from supertune.tasks.rendering import Learn, Renderer, RenderingSettings, Rewritten
from supertune.tasks.text import TextTask, by_row

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from supertune.tasks.likelihoods import TokenLosses


@dataclass(frozen=True)
class WritingSettings:
    """How conversations are written, and what of them is learned.

    Attributes:
        template: Jinja text, a name, or None for the model's own; see `adopt_template`.
        template_options: Variables of the template.
        learn: See `RenderingSettings`.
        reasoning: See there.
        rewritten: See there.
        too_long: See `ConversationEncoder`.
        max_new_tokens: Tokens of an answer, at most; None until it is known.
    """

    template: str | None = None
    template_options: Mapping[str, Any] | None = None
    learn: Learn = "answers"
    reasoning: Reasoning = "keep"
    rewritten: Rewritten = "error"
    too_long: TooLong = "cut"
    max_new_tokens: int | None = None

    @property
    def rendering(self) -> RenderingSettings:
        """What of a conversation is learned."""
        return RenderingSettings(self.learn, self.reasoning, self.rewritten)


class GenerationTask(TextTask):
    """Learns to write what somebody wrote next in a conversation.

    Epochs are chosen by how likely held-out answers are, which is quick to have. What the model writes itself is read
    and judged once, when it is trained.

    Args:
        columns: How rows become conversations.
        settings: How these are written, and what of them is learned.
        stops: The tokens that end what is learned, the most frequent first; empty until they are known.
        encoder_decoder: Whether the model reads with one part and writes with another.
    """

    name: str
    answers = "generated"
    primary_metric = "loss_per_token"
    headline: tuple[str, ...] = ("chrf", "bleu", "rougeL", "run_on", "bits_per_character", "perplexity")
    written_metric: Literal["chrf", "rouge1", "f1"] | None = "chrf"
    """By which texts that were written are judged first; None where there is nothing to compare them with."""

    def __init__(
        self,
        columns: Columns,
        settings: WritingSettings | None = None,
        *,
        stops: Sequence[str] = (),
        encoder_decoder: bool = False,
    ) -> None:
        super().__init__(columns)
        self.settings = settings or WritingSettings()
        self.stops = tuple(stops)
        self.encoder_decoder = encoder_decoder
        self._minimised: Any = None
        self._losses: TokenLosses | None = None
        # Shared by all that are made of this one: a tokenizer takes its template once.
        self._renderers: dict[int, Renderer | AnswerRenderer] = {}

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> GenerationTask:
        """See `TextTask.built`."""
        given = {each.name: settings.get(each.name) for each in fields(WritingSettings)}
        return cls(columns, WritingSettings(**{name: value for name, value in given.items() if value is not None}))

    def configured(self) -> dict[str, object]:
        """What is asked, how conversations are written, and what of them is learned."""
        assert self.columns.layout is not None
        return {**asdict(self.settings), "prompt": self.columns.layout.prompt}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> GenerationTask:
        """The task as it was saved by `state`; the template is in the tokenizer that was saved with it."""
        columns = Columns(
            tuple(state["text"]),
            tuple(state["labels"]),
            answers=cls.answers,
            layout=Layout.from_state(state["layout"]),
        )
        # Runs of the first versions knew decoders alone.
        known = bool(state.get("encoder_decoder", False))
        return cls(columns, WritingSettings(**state["settings"]), stops=state["stops"], encoder_decoder=known)

    def state(self) -> dict[str, Any]:
        """Columns and layout, how conversations are written, and what ends answers."""
        known = self.columns
        assert known.layout is not None
        settings = asdict(replace(self.settings, template=None, template_options=None))
        columns = {"text": list(known.text), "labels": list(known.labels), "layout": known.layout.state()}
        return {
            **columns,
            "settings": settings,
            "stops": list(self.stops),
            "encoder_decoder": self.encoder_decoder,
        }

    def fit_state(self, rows: Rows) -> None:
        """What there is to remember is in the tokens; see `ending` and `writing`."""

    def about(self, columns: Columns) -> GenerationTask:
        """The same task for rows of another format."""
        return self._with(columns=columns)

    def ending(self, stops: Sequence[str]) -> GenerationTask:
        """The same task that knows the tokens which end answers."""
        return self._with(stops=tuple(stops))

    def writing(self, **changes: Any) -> GenerationTask:
        """The same task with other `WritingSettings`; of a template what the tokenizer has taken already stays."""
        return self._with(settings=replace(self.settings, **changes))

    def for_encoder_decoder(self) -> GenerationTask:
        """The same task for a model that reads with one part and writes with another.

        Raises:
            UserError: Nothing is asked in it, so that there is nothing to read.
        """
        if self.written_metric is None:
            raise UserError(
                f"{self.name!r} goes on with texts that nobody asked for, and an encoder-decoder answers what it reads",
                where="task.name",
                fix="choose a decoder such as gemma-270m, or a task that asks something, such as chat",
            )
        return self._with(encoder_decoder=True, _renderers={})

    def forgetting_templates(self) -> GenerationTask:
        """The same task that asks every tokenizer for its template anew, with the options there are now."""
        return self._with(_renderers={})

    def minimising(self, criterion: Any) -> GenerationTask:
        """The same task with what its training minimises.

        Args:
            criterion: (hidden states, output head, next tokens, weights, soft cap) → (summed loss, tokens).
        """
        return self._with(_minimised=criterion)

    def measuring(self, losses: TokenLosses) -> GenerationTask:
        """The same task that can tell how likely texts are.

        Args:
            losses: (hidden states, output head, next tokens, soft cap) → −ln p of each token.
        """
        return self._with(_losses=losses)

    def _with(self, **changes: Any) -> GenerationTask:
        changed = copy.copy(self)
        for name, value in changes.items():
            setattr(changed, name, value)
        return changed

    def head(self) -> Head:
        """No new one: what names the next token was pre-trained."""
        return Head("AutoModelForSeq2SeqLM" if self.encoder_decoder else "AutoModelForCausalLM", {})

    # ------------------------------------------------------------ rows as tokens

    def encoder(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> ConversationEncoder:
        """What makes tokens of conversations; the template that is used is in the tokenizer from then on.

        Raises:
            UserError: The template cannot be used; see `adopt_template`.
        """
        if id(tokenizer) not in self._renderers:
            adopt, renderer = (
                (adopt_answer_template, AnswerRenderer) if self.encoder_decoder else (adopt_template, Renderer)
            )
            template = adopt(tokenizer, self.settings.template, self.settings.template_options)
            self._renderers[id(tokenizer)] = renderer(tokenizer, template, self.settings.rendering)
        return ConversationEncoder(self._renderers[id(tokenizer)], max_length, too_long=self.settings.too_long)

    def token_columns(self, rows: Rows) -> tuple[str, ...]:
        """Those that conversations are made of."""
        return columns_needed(self.columns, rows.column_names)

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """How rows become conversations, how these are written, and what of them is learned."""
        assert self.columns.layout is not None
        renderer = self.encoder(tokenizer, 1).renderer
        return [self.columns.layout.state(), renderer.identity, self.settings.too_long]

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Every conversation's items, as `ConversationEncoder.batches` has them.

        Rows that cannot be learned have none, and are counted in the last piece's notes (`RenderingCounts`).
        """
        yield from self.encoder(tokenizer, max_length).batches(conversations_of(rows, self.columns))

    def apart(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> ConversationParts:
        """Most of the work is Python's, one row after the other."""
        renderer = self.encoder(tokenizer, max_length).renderer
        return ConversationParts(renderer, self.columns, max_length, self.settings.too_long)

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """How many tokens each row's longest item needs; 0 for rows that cannot be learned."""
        encoder = self.encoder(tokenizer, max_length)
        for conversations in portions(conversations_of(rows, self.columns)):
            yield encoder.lengths(conversations)

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """Nothing beside the tokens."""
        return {}

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Every item has tokens to learn: what has none is no item."""
        return np.ones(len(features), bool)

    # ------------------------------------------------------------ what is learned

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed weighted loss of the tokens to be learned, and how many they are."""
        assert self._minimised is not None
        return summed_loss(model, batch, self._minimised)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float (items, tokens): −ln p of each token that is to be learned; 0 for others.

        Where nobody says, of all; of an encoder–decoder those of the second half, of which the first is read.
        """
        assert self._losses is not None
        if "weights" not in batch:
            learned = second_half(batch) if self.encoder_decoder else batch["attention_mask"]
            batch = {**batch, "weights": learned.float()} | ({WRITTEN: learned} if self.encoder_decoder else {})
        return token_likelihoods(model, batch, self._losses)

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Float (items,): −ln p of all of an item's tokens together."""
        return self.forward(model, batch).double().sum(dim=1)

    def check_model(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], where: str) -> None:
        """Check that the model makes its logits in a way that is known here; see `check_head`.

        Raises:
            UserError: It does not.
        """
        assert self._losses is not None
        check_head(model, batch, self._losses, where=where)

    # ------------------------------------------------------------ what comes out

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """−ln p of every row's answers, and of how many tokens and characters they are."""
        return likelihood_outcome(*_summed(outputs, features))

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """Mean −ln p of each row's tokens: what the model itself writes is not known from likelihoods."""
        found = self.outcome(outputs, features)
        means = found.outputs / np.maximum(found.targets[:, 0], 1)
        rows = np.unique(features.rows).tolist()
        return [Prediction(row, None, more={"loss_per_token": mean}) for row, mean in zip(rows, means, strict=True)]


def _summed(outputs: NDArray[Any], features: Features) -> tuple[NDArray[Any], Features]:
    """Of rows that are several items, the items as one, in row order."""
    rows, counts = np.unique(features.rows, return_counts=True)
    order = np.argsort(features.rows, kind="stable")
    if len(rows) == len(features):
        return outputs[order], features.take(order)
    means, _ = by_row(np.asarray(outputs, np.float64), features)
    ordered = features.take(order)
    ends = np.cumsum(counts)
    offsets = np.concatenate([np.zeros(1, np.int64), ordered.offsets[ends]])
    full = np.add.reduceat(ordered.full_lengths, ends - counts)
    return means * counts, replace(ordered, offsets=offsets, rows=rows, full_lengths=full)


class ChatTask(GenerationTask):
    """Answers anything."""

    name = "chat"


class SummarizationTask(GenerationTask):
    """Sums a text up in its own words."""

    name = "summarization"
    written_metric = "rouge1"
    headline = ("rouge1", "rouge2", "rougeL", "run_on", "bits_per_character", "perplexity")


class TranslationTask(GenerationTask):
    """Says the same in another language."""

    name = "translation"
    headline = ("chrf", "bleu", "run_on", "bits_per_character", "perplexity")


class GenerativeQaTask(GenerationTask):
    """Answers questions in its own words, with or without a text to find the answer in."""

    name = "generative-qa"
    written_metric = "f1"
    headline = ("exact_match", "f1", "exact_match_cmrc", "f1_cmrc", "run_on", "bits_per_character", "perplexity")


class PlainTextTask(GenerationTask):
    """Goes on with texts."""

    name = "text"
    written_metric = None
    headline = ("bits_per_character", "loss_per_token", "perplexity")
