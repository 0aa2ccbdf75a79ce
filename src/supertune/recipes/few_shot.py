"""What a model is compared with that has learned to write: itself before training, shown a few examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from supertune.console import Console
from supertune.contracts import Columns, Outcome
from supertune.conversation_rows import apart, references_of
from supertune.conversations import Conversation
from supertune.data import Table, conversations_in
from supertune.generate import Generated, log_likelihoods
from supertune.prompts import prompt_of
from supertune.recipes.written import Author
from supertune.tasks import as_dict, headings
from supertune.train import generator

SHOTS = 4
"""Examples in the prompt: as many as are usual where texts are long."""
_NEXT_TURN = "\n###"
_NEXT_PAIR = "\n\n"


@dataclass(frozen=True)
class Shown:
    """Rows as they are asked behind examples.

    Attributes:
        prompts: Token ids of each, the same examples first.
        stop: What begins another question: behind it a model that goes on would only make one up.
    """

    prompts: tuple[Sequence[int], ...]
    stop: str


def shown_examples(author: Author, learned: Table, asked: Table, seed: int) -> Shown:
    """What a model is asked that has learned nothing, in plain words with examples: it knows no template.

    Turns under headings, as conversations without a template are written. Translations stand bare under their source,
    without being asked for: that is stronger, BLEU 18.5 beside 16.4 (gemma-270m, 64 rows of Tatoeba;
    docs/generative.md).

    Args:
        author: With the model before training.
        learned: The training rows, of which examples are drawn.
        asked: Rows to answer.
        seed: Of the draw.
    """
    columns, bare = author.task.columns, author.task.name == "translation"
    if bare:
        columns = _without_words(columns, learned)
    examples = _drawn(learned, columns, seed)
    questions = [apart(conversation)[0] for conversation in conversations_in(asked, columns)]
    write = _in_pairs if bare else _in_turns
    prompts = tuple(author.tokenizer(write(examples, one))["input_ids"] for one in questions)
    return Shown(prompts, _NEXT_PAIR if bare else _NEXT_TURN)


def few_shot(author: Author, shown: Shown, console: Console) -> list[Generated]:
    """What the model before training writes behind the examples, up to where it begins another."""
    return author.go_on(shown.prompts, console, "writing, shown examples", stop_strings=(shown.stop,))


def few_shot_likelihoods(author: Author, shown: Shown, asked: Table, console: Console) -> Outcome:
    """How likely it finds there what people wrote; how texts end is not counted, in its favour.

    Args:
        author: With the model before training; no encoder–decoder, whose texts begin in ways of their own.
        shown: What it is asked.
        asked: The rows, in the same order, each with an answer.
        console: Where to show progress.
    """
    answers = [references[0] for references in references_of(asked, author.task.columns)]
    tokens = [author.tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in answers]
    with console.progress(f"reading {len(answers):,} answers, shown examples", len(answers)) as bar:
        found = log_likelihoods(author.model, shown.prompts, tokens, author.settings, progress=bar)
    counts = np.array([(len(ids), len(answer)) for ids, answer in zip(tokens, answers, strict=True)], np.int64)
    return Outcome(counts.reshape(-1, 2), -found, answers="likelihoods")


def _without_words(columns: Columns, rows: Table) -> Columns:
    """The same with a prompt of its fields alone."""
    layout = columns.layout
    if layout is None or layout.prompt is None:
        return columns
    fields = [field.name for field in prompt_of(layout.prompt, rows.column_names).fields]
    return replace(columns, layout=replace(layout, prompt="\n".join(f"{{{name}}}" for name in fields)))


def _drawn(rows: Table, columns: Columns, seed: int) -> list[Conversation]:
    """Some rows that have an answer."""
    found: list[Conversation] = []
    for row in generator(seed, "examples").permutation(len(rows)).tolist():
        (conversation,) = conversations_in(rows.select(np.array([row]), step="example"), columns)
        answer = apart(conversation)[1]
        if answer is not None and answer.content.strip():
            found.append(conversation)
        if len(found) == SHOTS:
            break
    return found


def _in_turns(examples: Sequence[Conversation], asked: Conversation) -> str:
    """The examples as turns of one conversation; what the system says is said once, before them."""
    system = [message for message in asked.messages if message.role == "system"]
    turns = [message for one in (*examples, asked) for message in one.messages if message.role != "system"]
    return headings().render([as_dict(message) for message in (*system, *turns)], asked.tools, prompt=True)


def _in_pairs(examples: Sequence[Conversation], asked: Conversation) -> str:
    """Source and translation, a line each, with an empty line behind."""
    said = [[message.content for message in one.messages if message.role != "system"] for one in (*examples, asked)]
    return "\n\n".join("\n".join(_closed_up(text) for text in one) for one in said) + "\n"


def _closed_up(text: str) -> str:
    """Without empty lines, which would end it."""
    return " ".join(text.split("\n")) if "\n\n" in text else text
