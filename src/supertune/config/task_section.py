"""What is to be learned: the section ``task`` of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from supertune.config.section import Section


class TaskConfig(Section):
    """What is to be learned."""

    name: Literal[
        "classification",
        "multilabel",
        "regression",
        "extractive-qa",
        "tagging",
        "extractive-summary",
        "retrieval",
        "rerank",
        "chat",
        "summarization",
        "translation",
        "generative-qa",
        "text",
    ] = Field(
        "classification",
        description="classification: one label of several; multilabel: any number of labels; regression: numbers; "
        "extractive-qa: the part of a text that answers a question; tagging: the entities in a text; "
        "extractive-summary: the sentences that sum it up; retrieval: the passages that a query asks for, by vectors; "
        "rerank: the same, by reading query and passage together; written by a decoder: chat: an answer to anything; "
        "summarization: a summary; translation: a translation; generative-qa: an answer to a question; text: what "
        "comes next",
    )
    symmetric: bool = Field(
        False, description="the order of a pair means nothing: both are learned from, and answers are their mean"
    )
    stride: Annotated[int, Field(ge=1, le=131072)] | None = Field(
        None,
        description="extractive-qa, tagging: tokens from the beginning of a window over a long text to that of the "
        "next; null: 128, for tagging 192, or fewer where windows would overlap by less than the longest answer",
    )
    longest_answer: Annotated[int, Field(ge=1, le=131072)] | None = Field(
        None, description="extractive-qa: tokens of an answer, at most; null: 64"
    )
    n_best: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="extractive-qa: answers told of each question, the best first; null: 5"
    )
    unit: Literal["sentence", "line"] | None = Field(
        None,
        description="extractive-summary: what summaries are put together from; null: lines where texts are dialogues, "
        "else sentences",
    )
    sentences: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="extractive-summary: sentences of a summary, at most; null: as validation rows say"
    )
    characters: Annotated[int, Field(ge=1)] | None = Field(
        None, description="extractive-summary: characters of a summary, at most; null: any number"
    )
    blocking: bool | None = Field(
        None,
        description="extractive-summary: pass over sentences that share three words in a row (Chinese: five "
        "characters) with one already taken; null: as validation rows say",
    )
    pooling: Literal["mean", "cls", "last"] | None = Field(
        None, description="retrieval: a text's vector from those of its tokens; null: as the model was trained"
    )
    query_prompt: str | None = Field(
        None, description="retrieval: what stands before a query; null: as the model was trained"
    )
    passage_prompt: str | None = Field(
        None, description="retrieval: what stands before a passage; null: as the model was trained"
    )
    scale: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="retrieval: what cosines are multiplied by before the softmax; null: the model's own, or 20"
    )
    dimensions: list[Annotated[int, Field(ge=1, le=65536)]] | None = Field(
        None, description="retrieval: shorter vectors that are to serve as well (Matryoshka); null: none"
    )
    negatives: Literal["none", "bm25", "model"] | None = Field(
        None,
        description="retrieval, rerank: where passages come from that the rows do not name: words in common (bm25), or "
        "(retrieval) what the model itself finds; null: none for retrieval, bm25 for rerank where the rows name none",
    )
    negatives_per_row: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="retrieval, rerank: how many of them for each training row; null: 1, for rerank 3"
    )
    teacher: str | None = Field(
        None,
        description="retrieval: a run of rerank, or the folder or hub id of a cross-encoder with one output, whose "
        "scores of each query's passages are learned; null: none, the rows alone are learned from",
    )
    candidates: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None, description="rerank: passages that words find for each held-out query, to be put in order; null: 20"
    )
    prompt: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="what is written: what is asked, with {column} for what stands in a column; null: by format",
    )
    system: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="what is written: system message of conversations that have none of their own; null: none"
    )
    roles: dict[str, Literal["system", "user", "assistant", "tool"]] | None = Field(
        None,
        description="what is written: who speaks in lists of messages, beside the usual spellings; null: no others",
    )
    template: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="what is written: chat template, as Jinja text, the name of one of the tokenizer's, or headings "
        "for ours; null: the tokenizer's own, or ours where it has none",
    )
    template_options: dict[str, bool | int | float | str] | None = Field(
        None,
        description="what is written: variables of the template, e.g. {enable_thinking: false}; null: as it has them",
    )
    learn: Literal["answers", "last", "all", "template"] | None = Field(
        None,
        description="what is written: every answer, the last, the whole text, or what the template's own generation "
        "blocks mark; null: answers",
    )
    reasoning: Literal["keep", "mask", "drop"] | None = Field(
        None,
        description="what is written: what the assistant thought is learned, shown without being learned, or left out; "
        "null: keep",
    )
    rewritten: Literal["error", "last", "each"] | None = Field(
        None,
        description="what is written: what becomes of rows whose earlier turns the template writes anew when more "
        "follow: refused, only the last answer learned, or an item for each; null: error",
    )
    too_long: Literal["error", "drop", "cut"] | None = Field(
        None,
        description="what is written: what becomes of rows of more than model.max_length tokens; null: cut, which is "
        "refused where more than one row in 1,000 would lose some of its answer",
    )
    max_new_tokens: Annotated[int, Field(ge=1, le=131072)] | None = Field(
        None, description="what is written: tokens of an answer, at most; null: by those of the training rows"
    )
