"""What the run tells people: the report, the model card, and the paragraph that heads both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from supertune.contracts import Columns, Features, ReadsLabels, Score, Section, Task
from supertune.data import Table
from supertune.files import write_text
from supertune.recipes.check import GateReport
from supertune.recipes.kinds import AnswerKind, Described, kind_of
from supertune.recipes.measured import Measurement
from supertune.recipes.results import named_baselines
from supertune.recipes.rows import LoadedRows
from supertune.recipes.sections import REPORT_WORDS, training_section
from supertune.recipes.start import Start, Teacher
from supertune.recipes.train_seeds import TrainedSeeds
from supertune.runs import ModelCard, Report, RunStore, model_card, render_report

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Story:
    """Everything there is to tell about a run, gathered by `supertune.recipes.fit`."""

    store: RunStore
    start: Start
    task: Task
    rows: LoadedRows
    features: Mapping[str, Features]
    gate: GateReport
    trained: TrainedSeeds
    measured: Measurement

    @property
    def kind(self) -> AnswerKind:
        """The kind of answers that the model gives."""
        return kind_of(self.task)

    @property
    def language(self) -> Language:
        """Language of the report."""
        return report_language(self.start, self.rows)

    @property
    def scores(self) -> Mapping[str, Score]:
        """The scores that say how good the model is."""
        return self.measured.scores[self.measured.final_split]

    @property
    def headline(self) -> dict[str, Score]:
        """The few scores to look at first."""
        return {name: self.scores[name] for name in self.task.headline if name in self.scores}

    def verdict(self) -> str:
        """How good the model is and how sure we are, in plain words."""
        return self.kind.verdict(self.measured, self.task, self.rows.splits["train"], self.language)

    def sections(self) -> tuple[Section, ...]:
        """Results first, then how training went."""
        config = self.start.config
        return (
            *self.kind.sections(self.measured, self.task, show_text=config.evaluate.text, language=self.language),
            training_section(
                self.store.events(),
                self.features,
                self.start,
                self.trained.best,
                self.language,
                seed=self.trained.best.seed,
            ),
        )

    def facts(self) -> dict[str, str]:
        """What was used, and how long it took."""
        words, manifest = REPORT_WORDS[self.language], self.store.manifest
        facts = given_facts(self.start, self.rows, manifest, self.language)
        facts[words["time"]] = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in manifest["timings"].items())
        check = manifest["reload_check"]
        facts[words["reload"]] = words["reloaded"].format(rows=check["rows"], difference=check["max_difference"])
        return facts


def report_language(start: Start, rows: LoadedRows) -> Language:
    """Language of the report: as configured, else Chinese for Chinese data and English for all other."""
    wanted = start.config.evaluate.language
    if wanted != "auto":
        return wanted
    return "zh" if rows.language.language == "zh" else "en"


def given_facts(start: Start, rows: LoadedRows, manifest: Mapping[str, Any], language: Language) -> dict[str, str]:
    """What is used, as far as it is known before training begins."""
    words, config = REPORT_WORDS[language], start.config
    facts = {words["model"]: start.source.provenance}
    if start.teacher is not None:
        facts[words["teacher"]] = f"{start.teacher.name}, SHA-256 {start.teacher.sha256[:16]}"
    train, threads = config.train, words["threads"].format(count=config.train.threads)
    facts[words["strategy"]] = (
        f"{config.strategy.name}, {train.epochs} × {train.batch_size}, "
        f"{train.learning_rate:g}, {train.precision}, {threads}"
    )
    facts[words["seeds"]] = f"train.seed {config.train.seed}, data.split_seed {config.data.split_seed}"
    for split, table in rows.splits.items():
        facts[f"{words['data']}: {split}"] = f"{len(table):,} · {table.source} · {table.fingerprint[:16]}"
    facts[words["language"]] = f"{rows.language.language} ({rows.language.share:.0%})"
    cores = words["cores"].format(count=manifest["hardware"]["usable_cores"])
    facts[words["machine"]] = f"{manifest['hardware']['cpu']}, {cores}"
    facts[words["versions"]] = ", ".join(f"{name} {number}" for name, number in manifest["versions"].items())
    return facts


def write_story(story: Story) -> str:
    """Write report.html and the model card; returns the verdict.

    Raises:
        UserError: The disk is full, or the run is not writable.
    """
    said = story.verdict()
    report = Report(
        title=story.store.path.name,
        verdict=said,
        headline=story.headline,
        baselines=named_baselines(story.measured, story.language),
        sections=story.sections(),
        findings=story.gate.findings,
        rows=story.gate.rows,
        facts=story.facts(),
        language=story.language,
    )
    story.store.write_report(render_report(report))
    write_text(story.store.model_folder / "README.md", model_card(_card(story, said)))
    return said


def _card(story: Story, said: str) -> ModelCard:
    source, config = story.start.source, story.start.config
    described = story.kind.described(story.task)
    train = config.train.model_dump()
    untrained, teacher = isinstance(story.start.strategy, ReadsLabels), story.start.teacher
    learned = f"fine-tuned on {len(story.rows.splits['train']):,} texts"
    made = "as it was pre-trained, told what the labels mean" if untrained else learned
    return ModelCard(
        title=f"{source.name} {'told (zero-shot)' if untrained else 'fine-tuned'} to {described.title}",
        summary=f"{described.summary}, {source.name} {made} with supertune.",
        verdict=said,
        task=story.task.name,
        pipeline_tag=described.pipeline_tag,
        strategy=config.strategy.name,
        base_model=source.name,
        split=story.measured.final_split,
        scores=story.scores,
        transformers_code=_plain_code(story),
        supertune_code=_supertune_code(_examples(described) if story.task.columns.pair else None),
        languages=(story.rows.language.language,),
        license=None if source.license == "unknown" else source.license.lower(),
        provenance=_base_facts(story),
        teacher={} if teacher is None else _teacher_facts(teacher),
        baselines=named_baselines(story.measured, "en"),
        labels=described.labels,
        data=_data_facts(story.rows),
        rows=story.gate.rows,
        findings=story.gate.findings,
        not_measured=(
            "how it does on texts from elsewhere",
            "fairness between groups of people",
            "robustness to typos and rephrasing",
            "whether the texts hold personal data",
        ),
        settings={key: str(value) for key, value in train.items()},
        versions=dict(story.store.manifest["versions"]),
    )


_BITS = {
    "4bit": "4 bits while it was trained (NF4, scales quantised once more), and whenever supertune opens it",
    "8bit": "8 bits while it was trained (LLM.int8), and whenever supertune opens it",
}


def _base_facts(story: Story) -> dict[str, str]:
    source, kind = story.start.source, story.start.config.model.quantization
    facts = {"model": source.provenance, "sha256": source.sha256, "licence": source.license}
    return facts if kind == "none" else {**facts, "held in": _BITS[kind]}


def _teacher_facts(teacher: Teacher) -> dict[str, str]:
    return {"name": teacher.name, "model": teacher.provenance, "sha256": teacher.sha256, "licence": teacher.license}


def _data_facts(rows: LoadedRows) -> dict[str, Any]:
    facts = {
        split: f"{len(table):,} rows of {table.source}, fingerprint {table.fingerprint}"
        for split, table in rows.splits.items()
    }
    prepared = {split: told for split, table in rows.splits.items() if (told := _preparation(table))}
    return facts | {
        "preparation" + ("" if split == "train" else f" of {split}"): told for split, told in prepared.items()
    }


def _preparation(table: Table) -> str:
    """What `supertune.clean` did to the rows before they were read; nothing where it did nothing."""
    steps = [step for step in table.lineage if step.name.startswith("clean:")]
    if not steps:
        return ""
    named = (
        step.name.removeprefix("clean:")
        + (f" {json.dumps(step.parameters, ensure_ascii=False)}" if step.parameters else "")
        for step in steps
    )
    return f"{', '.join(named)}; {steps[0].rows_in:,} rows before, {steps[-1].rows_out:,} after"


def _plain_code(story: Story) -> str:
    """What opens and uses the model without supertune."""
    start, strategy = story.start, story.start.strategy
    source = start.source
    model = story.trained.best.model
    auto_class = story.task.head().auto_class
    lines = strategy.lines_of(model) if isinstance(strategy, ReadsLabels) else strategy.load_lines(auto_class)
    base = f"base = {json.dumps(str(source.folder) if source.origin == 'folder' else source.name)}\n"
    if source.origin == "embedded":
        base = f'from supertune.models import resolve\n\nbase = resolve("{source.name}").folder  # or a copy of it\n'
    described = story.kind.described(story.task)
    return usage_code((base if strategy.adapter else "") + lines, described, start.max_length, story.task.columns)


def _examples(described: Described) -> tuple[str, str]:
    return described.examples or ("one text", "what it is compared with")


def usage_code(lines: str, described: Described, max_length: int, columns: Columns) -> str:
    """Python lines that open a model and ask it.

    Args:
        lines: What makes ``tokenizer`` and ``model``.
        described: What asks ``model`` about ``batch``, and what to ask.
        max_length: Tokens per text.
        columns: Whether it compares two texts, and in both orders.
    """
    usage = described.usage
    texts = 'texts = ["one text", "another text"]'
    if columns.pair and described.examples:
        texts = "texts = [{}]\nothers = [{}]".format(*map(json.dumps, described.examples))
    elif columns.pair:
        texts += '\nothers = ["what it is compared with", "what the other is compared with"]'
    if not described.together:
        return f"import torch\n{lines}\n{texts}\n{usage}"
    how = f'truncation=True, max_length={max_length}, padding=True, return_tensors="pt")'
    given = "texts, others" if columns.pair else "texts"
    batch = f"batch = tokenizer({given}, {how}"
    if columns.symmetric:
        batch += f"\nswapped = tokenizer(others, texts, {how}"
        usage = usage.replace("model(**batch).logits", "((model(**batch).logits + model(**swapped).logits) / 2)")
    return f"""\
import torch
{lines}
{texts}
{batch}
{usage}"""


def _supertune_code(pair: tuple[str, str] | None) -> str:
    asked = "[({}, {})]".format(*map(json.dumps, pair)) if pair else '["one text", "another text"]'
    return f"""\
import supertune

run = supertune.load_run("..")  # the run directory that holds this folder
run.predict({asked})
"""
