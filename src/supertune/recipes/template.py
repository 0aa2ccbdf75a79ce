"""What is settled of texts to be written before training: the template, what ends answers, how long they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.console import Console
from supertune.contracts import Features, IntArray, Task
from supertune.conversations import Conversation
from supertune.data import Table, conversations_in
from supertune.errors import UserError
from supertune.models import ModelSource, load_configuration
from supertune.recipes.row_counts import counts_of
from supertune.recipes.start import Start
from supertune.strategies import looks_back_only
from supertune.tasks import ConversationEncoder, GenerationTask, probed, stop_generation, stop_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PROBED = 200
"""Rows, spread over all, by which it is found what the template does."""
_FEWEST_TOKENS, _MOST_TOKENS = 16, 1024
_LONG = 0.99
"""Share of the training answers that fit into what is written at most."""
_ROOM = 1.25
"""How much longer than those an answer may become before it is cut off."""


def for_model(task: Task, source: ModelSource) -> Task:
    """The task for a model of this kind: some read with one part and write with another.

    Raises:
        UserError: There is no such task for it, or texts are to be written and it only reads.
    """
    if not isinstance(task, GenerationTask):
        return task
    check_writes(source)
    return task.for_encoder_decoder() if load_configuration(source).is_encoder_decoder else task


def check_writes(source: ModelSource) -> None:
    """Check that a model writes, before anything is read or opened for it.

    transformers opens many encoders as decoders as well. Such a model sees what it is to say, and has learned nothing
    as soon as it does not.

    Raises:
        UserError: It only reads.
    """
    config = load_configuration(source)
    if source.trust_remote_code or config.is_encoder_decoder or looks_back_only(config):
        return
    raise UserError(
        f"a model of type {config.model_type!r} is an encoder: it reads texts and writes none",
        where=str(source.folder),
        fix="choose a decoder such as gemma-270m, or an encoder-decoder such as a T5",
    )


def with_template(start: Start, task: Task, rows: Table, console: Console) -> tuple[Start, Task]:
    """Settle by which template is written and what ends answers, and tell what was found.

    Args:
        start: Its tokenizer gets the template.
        task: What is learned.
        rows: The training rows.
        console: Where to tell it.

    Raises:
        UserError: The template cannot be used, or nothing that ends an answer would be learned.
    """
    if not isinstance(task, GenerationTask):
        return start, task
    encoder = task.encoder(start.tokenizer, start.max_length)
    for announcement in template_told(task, encoder):
        console.say(f"  {announcement}")
    conversations = conversations_in(rows.select(probed_rows(rows), step="probe"), task.columns)
    found = settled_template(task, start.tokenizer, start.max_length, conversations)
    for announcement in found.announcements:
        console.say(f"  {announcement}")
    if found.options is not None:
        start = replace(start, config=start.config.with_values({"task.template_options": found.options}))
    return start, found.task


@dataclass(frozen=True)
class SettledTemplate:
    """What a template was found to do with rows.

    Attributes:
        task: Writes by it, and knows what ends answers.
        options: All variables of the template, where one was set because of what was found; else None.
        announcements: What was found, a sentence each.
    """

    task: GenerationTask
    options: Mapping[str, Any] | None
    announcements: tuple[str, ...]


def template_told(task: GenerationTask, encoder: ConversationEncoder) -> tuple[str, ...]:
    """What was chosen and changed of the template, a sentence each; of plain texts, which have none, nothing."""
    assert task.columns.layout is not None
    return () if task.columns.layout.format == "text" else encoder.renderer.template.announcements


def probed_rows(rows: Table) -> IntArray:
    """Places of the rows by which it is found what a template does: spread over all."""
    return np.unique(np.linspace(0, len(rows) - 1, min(_PROBED, len(rows))).astype(np.int64))


def settled_template(
    task: GenerationTask, tokenizer: PreTrainedTokenizerBase, max_length: int, conversations: Iterable[Conversation]
) -> SettledTemplate:
    """Find what ends answers, and whether the template writes them as it asks for them.

    Raises:
        UserError: The template cannot be used, or nothing that ends an answer would be learned.
    """
    probe = probed(task.encoder(tokenizer, max_length), conversations)
    task = task.ending([stop for stop, _ in Counter(probe.stops).most_common()])
    if not probe.thinking_off:
        return SettledTemplate(task, None, probe.announcements)
    options = {**(task.settings.template_options or {}), "enable_thinking": False}
    task = task.writing(template_options=options).forgetting_templates()
    task.encoder(tokenizer, max_length)
    said = "enable_thinking: false, so that the model is asked as it was trained"
    return SettledTemplate(task, options, (said, *probe.announcements))


def tell_stops(model: PreTrainedModel, task: Task, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let whoever opens the model with another tool stop where answers end as well."""
    if isinstance(task, GenerationTask):
        stop_generation(model.generation_config, stop_ids(task.stops, tokenizer))


def with_answers(start: Start, task: Task, learned: Features) -> tuple[Start, Task]:
    """Refuse rows that must not be learned as they are, and settle how long an answer may become.

    Args:
        start: Its configuration gets the length.
        task: What is learned.
        learned: The training rows, encoded.

    Raises:
        UserError: See `RenderingCounts.refuse`.
    """
    if not isinstance(task, GenerationTask):
        return start, task
    assert isinstance(learned.table, Table)
    counts_of(learned).refuse(learned.table.source)
    most = task.settings.max_new_tokens or _most_tokens(learned)
    config = start.config.with_values({"task.max_new_tokens": most})
    return replace(start, config=config), task.writing(max_new_tokens=most)


def _most_tokens(learned: Features) -> int:
    """Enough for nearly all answers of the training rows, and some more."""
    if not len(learned):
        raise UserError("no row is left to learn from")
    lengths = np.add.reduceat((learned.tokens["weights"] != 0).astype(np.int64), learned.offsets[:-1])
    return int(np.clip(np.ceil(_ROOM * np.quantile(lengths, _LONG)), _FEWEST_TOKENS, _MOST_TOKENS))
