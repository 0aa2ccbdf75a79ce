"""Answers that a model writes itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Grid, IntervalChart, Outcome, Paragraph, Score, Section, Task
from supertune.data import Table, conversations_in
from supertune.errors import UserError
from supertune.evaluate import SideBySide, row_scores, side_by_side, verdict_on_texts
from supertune.recipes.kinds.kind import Described
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import baseline_name, beside_baselines, without_leaked
from supertune.recipes.row_counts import counts_of
from supertune.recipes.typed import typed_fields, typed_table
from supertune.runs import metric_name
from supertune.tasks import GenerationTask
from supertune.train import TokenRule, linear_cross_entropy, squared_difference

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

_TITLES = {
    "chat": "answer",
    "summarization": "sum texts up",
    "translation": "translate",
    "generative-qa": "answer questions",
    "text": "go on with texts",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "likely": "How likely the right texts are",
        "forgotten": "What it knew before",
        "forgotten_lead": "How many bits a character of short general texts costs, before training and now, and "
        "how often it finds the right end of a sentence the likeliest of four. What training makes worse here is "
        "forgotten.",
        "texts": "texts",
        "before": "before training",
        "now": "now",
        "difference": "difference",
        "probes before": "right ends before",
        "probes now": "right ends now",
        "general_en": "English",
        "general_zh": "Chinese",
        "general": "the file's",
    },
    "zh": {
        "likely": "对参考文本的预测",
        "forgotten": "原有的知识",
        "forgotten_lead": "预测一般文本平均每个字符所需的比特数（训练前与现在），以及从四个结尾中选对句子结尾的比例。"
        "训练后在这里变差的部分，就是被遗忘的部分。",
        "texts": "文本",
        "before": "训练前",
        "now": "现在",
        "difference": "差值",
        "probes before": "训练前选对",
        "probes now": "现在选对",
        "general_en": "英文",
        "general_zh": "中文",
        "general": "指定的文件",
    },
}


class WrittenAnswers:
    """See `AnswerKind`."""

    loss = "cross_entropy"
    told: tuple[str, ...] = ("loss_per_token", "perplexity")
    tie_breaker = "loss_per_token"
    rival = "few_shot"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse what is about classes, and what would need the logits of a whole vocabulary twice.

        Raises:
            UserError: Another loss, weights of classes, R-Drop, or the embeddings of some tokens alone.
        """
        if train.loss not in ("auto", self.loss):
            raise UserError(f"{train.loss!r} means nothing for tokens", where="train.loss", fix="leave it out")
        for key in ("class_weights", "r_drop"):
            if getattr(train, key) != getattr(TrainConfig(), key):
                raise UserError("means nothing where texts are written", where=f"train.{key}", fix="leave it out")
        if train.embeddings == "rows":
            raise UserError(
                "every token of the vocabulary is an answer, not only those that occur",
                where="train.embeddings",
                fix="leave it out",
            )

    def check_metric(self, task: Task, metric: str) -> None:
        """Likelihoods are there of any tokens."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """Cross-entropy of the tokens that are learned, without all their logits at once."""

        def summed(
            hidden: torch.Tensor,
            head: torch.nn.Module,
            targets: torch.Tensor,
            weights: torch.Tensor,
            soft_cap: float | None,
        ) -> tuple[torch.Tensor, torch.Tensor]:
            rule = TokenRule(soft_cap, train.label_smoothing)
            return linear_cross_entropy(hidden, head, targets, weights, rule)

        return cast("Criterion", summed)

    def first_bias(self, learned: Features) -> list[float] | None:
        """There is no new head."""
        return None

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of numbers; R-Drop is refused."""
        return squared_difference

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """It was pre-trained: it knows something in any case."""
        return False

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """What was cut or left out."""
        return tuple(counts_of(features).told())

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """The model before training is measured beside it: see `measure_writing`."""
        return {}

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """Texts beside those of the model before training, and how likely both find what people wrote."""
        likely: list[IntervalChart] = list(beside_baselines(measured, "bits_per_character", language))
        paragraphs = without_leaked(measured, "bits_per_character", language)
        sections: tuple[Section, ...] = (Section(_WORDS[language]["likely"], (*likely, *paragraphs)),)
        if measured.forgotten:
            sections = (*sections, _forgotten(measured, _WORDS[language]))
        written = measured.writings
        if written is None:
            return sections
        metric, scores = measured.primary, measured.scores[measured.final_split]
        # The one that is to be beaten comes first.
        others = dict(sorted(written.others.items(), key=lambda other: other[0] != measured.rival))
        names = {name: baseline_name(name, language) for name in others}
        laid = SideBySide(
            prompts=written.asked,
            outcome=written.model,
            values=row_scores(written.model, metric),
            metric=metric_name(metric, language),
            scores=_named({name: scores[name] for name in _shown(task, scores)}, language),
            others={names[name]: outcome for name, outcome in others.items()},
            other_values={names[name]: row_scores(outcome, metric) for name, outcome in others.items()},
            other_scores={names[name]: _named(measured.baselines[name], language) for name in others},
            numbers=measured.final.table.row_ids[written.rows].tolist(),
        )
        return (*side_by_side(laid, show_text=show_text, language=language), *sections)

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How near its texts are to those that people wrote, beside the untrained model that is shown examples."""
        return verdict_on_texts(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            metric=measured.primary,
            rival=measured.rival,
            forgotten=measured.forgotten,
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A language model."""
        assert isinstance(task, GenerationTask)
        return Described(
            title=_TITLES[task.name],
            summary="A language model",
            pipeline_tag="text2text-generation" if task.encoder_decoder else "text-generation",
            labels=(),
            usage=_usage(task),
            together=False,
        )


def _forgotten(measured: Measurement, words: Mapping[str, str]) -> Section:
    """General texts before and after."""
    rows: list[tuple[str | int | float | Score, ...]] = []
    for name, difference in measured.forgotten.items():
        before, now = measured.scores[f"{name}_untrained"], measured.scores[name]
        bits = (before["bits_per_character"], now["bits_per_character"], difference)
        rows.append((words[name], *bits, *(scores.get("accuracy", "–") for scores in (before, now))))
    titles = ("texts", "before", "now", "difference", "probes before", "probes now")
    grid = Grid(tuple(words[title] for title in titles), tuple(rows))
    return Section(words["forgotten"], (Paragraph(words["forgotten_lead"]), grid))


def _shown(task: Task, scores: Any) -> list[str]:
    """Metrics for the table: those of the task first, then how long and how much of the same the texts are."""
    assert isinstance(task, GenerationTask)
    more = ("chrf", "bleu", "rougeL", "length_ratio", "repetition", "distinct2", "empty", "run_on")
    return [name for name in dict.fromkeys((*task.headline, *more)) if name in scores]


def _named(scores: Mapping[str, Score], language: str) -> dict[str, Score]:
    """Scores under what people call them."""
    return {metric_name(name, language): score for name, score in scores.items()}


def _usage(task: GenerationTask) -> str:
    """Lines that ask ``model`` about the first of ``texts``, or the first ones, as it was trained to be asked."""
    most = task.settings.max_new_tokens
    if task.columns.layout is not None and task.columns.layout.format == "text":
        asked = 'batch = tokenizer(texts[0], return_tensors="pt")'
    else:
        asked = f"""\
messages = [
{_messages(task)}]
batch = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)"""
    written = "ids[0]" if task.encoder_decoder else 'ids[0, batch["input_ids"].shape[1] :]'
    return f"""\
{asked}
stops = tokenizer.convert_tokens_to_ids({list(task.stops)!r})
with torch.no_grad():
    ids = model.generate(**batch, max_new_tokens={most}, do_sample=False, eos_token_id=stops)
print(tokenizer.decode({written}, skip_special_tokens=True))
"""


def _messages(task: GenerationTask) -> str:
    """The messages that typed texts become, as lines of Python."""
    places = [f"<text {number}>" for number in range(1, len(typed_fields(task)) + 1)]
    (conversation,) = conversations_in(typed_table(task, [places], "the card"), task.columns)
    lines = []
    for message in conversation.messages:
        content = json.dumps(message.content, ensure_ascii=False)
        for number, place in enumerate(places):
            content = "texts[0]" if message.content == place else content
            content += f'.replace("{place}", texts[{number}])' if place in content else ""
        lines.append(f'    {{"role": "{message.role}", "content": {content}}},\n')
    return "".join(lines)
