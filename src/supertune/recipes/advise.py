"""Which model and strategy to begin with, and what they would cost here: measured, not looked up."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.config import WRITING
from supertune.console import Console
from supertune.data import CHECKS
from supertune.errors import SupertuneError, UserError
from supertune.files import write_jsonl
from supertune.models import REGISTRY, Kind, default_model

STRATEGIES = ("full", "partial", "lora", "probe")
WRITING_STRATEGIES = ("lora", "full", "partial")
"""Of models that write: a probe tells labels apart."""
_FEW = "contrastive"
_WORDS = (
    "the of and to in is that for it as was with be by on not this have from at which one you all there would their "
    "we been has when who will more if out so up what about than into can only other time new some could these two "
    "may first then do any like my now over such our even most made after also did many before must well back years "
    "where much your way down should because long each just people how little good world make very still see own "
    "work day get here old life both between being under three never know same last while might great go come since"
)
_CHARACTERS = (
    "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对"
    "小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动"
    "方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感"
)


@dataclass(frozen=True)
class Option:
    """One way to train, and what it would cost on this machine.

    Attributes:
        model: Registered name.
        strategy: Its name.
        seconds: Expected time of training, with the lowest and highest that the steps taken allow.
        peak_mb: Memory at its highest.
    """

    model: str
    strategy: str
    seconds: tuple[float, float, float]
    peak_mb: int


@dataclass(frozen=True)
class Advice:
    """What to begin with, and what else there is.

    Attributes:
        model: Registered name.
        strategy: Its name.
        why: One sentence.
        options: Everything that was measured.
    """

    model: str
    strategy: str
    why: str
    options: tuple[Option, ...]

    def as_dict(self) -> dict[str, object]:
        """The shape of ``models --json`` with data or ``--rows``."""
        return {
            "choose": {"model": self.model, "strategy": self.strategy, "why": self.why},
            "options": [
                {
                    "model": option.model,
                    "strategy": option.strategy,
                    "seconds": option.seconds[0],
                    "seconds_low": option.seconds[1],
                    "seconds_high": option.seconds[2],
                    "peak_mb": option.peak_mb,
                }
                for option in self.options
            ],
        }


@dataclass(frozen=True)
class Sample:
    """Rows that are not there yet.

    Attributes:
        rows: How many.
        labels: How many different labels.
        language: ISO 639-1.
        words: Words per text; characters in Chinese.
        task: What is to be learned.
    """

    rows: int
    labels: int
    language: str
    words: int
    task: str = "classification"


def advise(data: str | None, sample: Sample, *, arguments: Sequence[str] = (), console: Console) -> Advice:
    """Take a few real steps with every model and strategy that comes into question, each in a process of its own.

    Args:
        data: The rows; None for made-up ones as `sample` describes them.
        sample: What the rows would be like.
        arguments: Further options of ``supertune train``, e.g. which column is the label.
        console: Where to show progress.

    Raises:
        UserError: The rows cannot be trained on, or no model is installed.
    """
    console.say("a few real steps are taken with each model and strategy: this takes minutes")
    with tempfile.TemporaryDirectory() as folder:
        given, invented = list(arguments), data is None
        kind: Kind = "decoder" if sample.task in WRITING else "encoder"
        source = data or str(Path(folder) / "rows.jsonl")
        if invented:
            write_jsonl(Path(source), made_up(sample))
            given += ["--set", f"data.allow={json.dumps(list(CHECKS))}"]
            given += ["--model", default_model(sample.language, kind)]
        chosen = dry_run(source, [*given, "--strategy", "auto"])
        first = (chosen["config"]["model"]["name"], chosen["config"]["strategy"]["name"])
        others = [name for name, entry in REGISTRY.items() if entry.kind == kind and name != first[0]]
        language = sample.language if invented else chosen["language"]
        models = [first[0], *(name for name in others if {language, "mul"} & set(REGISTRY[name].languages))]
        strategies = list(dict.fromkeys([first[1], *(WRITING_STRATEGIES if kind == "decoder" else STRATEGIES)]))
        wanted = [(model, strategy) for model in dict.fromkeys(models) for strategy in strategies]
        options = []
        with console.progress("taking a few steps with each", len(wanted)) as bar:
            for done, (model, strategy) in enumerate(wanted):
                bar(done, f"{model}, {strategy}")
                if (model, strategy) == first:
                    plan = chosen
                else:
                    try:
                        plan = dry_run(source, [*given, "--model", model, "--strategy", strategy])
                    except UserError as error:
                        if "strategy.name" not in error.what:
                            raise
                        # Not every strategy suits every task.
                        continue
                options.append(_option(model, strategy, plan))
        return Advice(*first, chosen["why"], tuple(options))


def _option(model: str, strategy: str, plan: dict[str, Any]) -> Option:
    expected = plan["expected"]
    if expected is None:
        raise UserError(
            f"training would stop at the gate: {', '.join(plan['stopping'])}",
            where=plan["config"]["data"]["source"],
            fix="supertune check tells the rows",
        )
    times = (expected["seconds"], expected["seconds_low"], expected["seconds_high"])
    return Option(model, strategy, times, expected["peak_mb"])


def dry_run(data: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What ``supertune train --dry-run --json`` says, from a process whose memory is its own.

    Raises:
        UserError: It says that something is wrong.
    """
    command = [sys.executable, "-m", "supertune", "train", data, "--dry-run", "--json", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stderr.strip().removeprefix("error: ")
    if done.returncode == UserError.exit_code:
        raise UserError(told)
    if done.returncode:
        raise SupertuneError(told or f"a trial ended with exit code {done.returncode}")
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def made_up(sample: Sample) -> list[dict[str, object]]:
    """Rows of random words, or characters, whose number and lengths are those of the sample."""
    random = np.random.default_rng(0)
    known, space = (list(_CHARACTERS), "") if sample.language in ("zh", "ja") else (_WORDS.split(), " ")
    lengths = np.maximum(1, random.poisson(sample.words, sample.rows))
    return [
        _made_up_row(sample, row, space.join(random.choice(known, length)), random)
        for row, length in enumerate(lengths.tolist())
    ]


def _made_up_row(sample: Sample, row: int, text: str, random: np.random.Generator) -> dict[str, object]:
    """A text with an answer of the task's kind."""
    if sample.task in WRITING:
        return _made_up_writing(sample.task, row, text)
    if sample.task == "extractive-qa":
        return {
            "question": f"what is number {row} ?",
            "context": text,
            "answers": [{"text": text[:8], "answer_start": 0}],
        }
    if sample.task in ("retrieval", "rerank"):
        return {"query": f"what is number {row} ?", "passage": f"number {row} {text}"}
    if sample.task == "extractive-summary":
        return {"document": text, "summary": text[: max(8, len(text) // 4)]}
    if sample.task == "tagging":
        return {
            "text": text,
            "entities": [{"start": 0, "end": 1, "label": f"label {row % sample.labels}"}],
        }
    if sample.task == "multilabel":
        some = random.permutation(sample.labels)[: random.integers(1, 4)]
        return {"text": text, "labels": [f"label {label}" for label in some]}
    return {
        "text": text,
        "label": float(random.normal()) if sample.task == "regression" else f"label {row % sample.labels}",
    }


def _made_up_writing(task: str, row: int, text: str) -> dict[str, object]:
    """A text that is asked about and one that answers, as long as each other but for summaries."""
    if task == "text":
        return {"text": f"{row} {text}"}
    if task == "summarization":
        return {"document": f"{row} {text}", "summary": text[: max(8, len(text) // 4)]}
    asked, answer = {"translation": ("source", "target"), "generative-qa": ("question", "answer")}.get(
        task, ("prompt", "completion")
    )
    return {asked: f"{row} {text}", answer: f"{text} {row}"}
