"""The model card: README.md beside the weights, for whoever finds the model without its run."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import yaml

from supertune.contracts import SEVERITIES, Finding, Score
from supertune.language import shorten
from supertune.runs.report.text import clean
from supertune.runs.score_text import score_text

_HUB_METRICS = {
    "accuracy": "accuracy",
    "f1": "f1",
    "precision": "precision",
    "recall": "recall",
    "mcc": "matthews_correlation",
    "auroc": "roc_auc",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
_LONGEST_CELL = 120


@dataclass(frozen=True)
class ModelCard:
    """Everything a model card says.

    Attributes:
        title: What the model is called.
        summary: What it is, in a sentence or two.
        verdict: How good it is and how sure we are, in plain words; the report's paragraph.
        task: The task's name, e.g. ``classification``.
        pipeline_tag: The hub's name for it, e.g. ``text-classification``.
        strategy: How it was fine-tuned, e.g. ``full``.
        languages: ISO 639-1 codes of the data; ``und`` is left out.
        license: SPDX id in lower case, as the hub writes it; None when the base model's is not known.
        base_model: Name or hub id of what it was fine-tuned from.
        provenance: What is known of the base model: source, revision, SHA-256, licence.
        teacher: What is known of the model whose scores it learned, its ``name`` first; empty where there was none.
        split: The split it was measured on.
        scores: Metric → score on that split.
        baselines: Baseline → metric → score on the same rows.
        labels: In index order; empty for tasks without.
        data: What it was trained on: rows per split, fingerprints, columns.
        rows: How many rows the data gate looked at.
        findings: What the gate found.
        transformers_code: Lines that load and use it with plain transformers, relative to the model's folder.
        supertune_code: The same with supertune.
        intended_use: What it is for; None when the user said nothing.
        not_measured: What was not measured, one phrase each; said as such.
        settings: Training settings.
        versions: Package → version.
    """

    title: str
    summary: str
    verdict: str
    task: str
    pipeline_tag: str
    strategy: str
    base_model: str
    split: str
    scores: Mapping[str, Score]
    transformers_code: str
    supertune_code: str
    languages: tuple[str, ...] = ()
    license: str | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    teacher: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    findings: tuple[Finding, ...] = ()
    intended_use: str | None = None
    not_measured: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


class _Code(str):
    """Markdown that is already written; everything else is escaped."""

    __slots__ = ()


def model_card(card: ModelCard) -> str:
    """README.md for the model's folder: front matter as the hub expects it, then the card."""
    findings = sorted(card.findings, key=lambda found: SEVERITIES.index(found.severity), reverse=True)
    body = _environment().get_template("card.md.jinja").render(card=card, findings=findings)
    return f"---\n{_front_matter(card)}---\n\n{body.rstrip()}\n"


def recoded_card(card: str, transformers_code: str, why: str) -> str:
    """The card of a model for the same model in another form, which plain transformers opens otherwise.

    Args:
        card: As `model_card` made it.
        transformers_code: Lines that load and use the other form, relative to its folder.
        why: A sentence on how the one became the other.
    """
    before, heading, rest = card.partition("## How to load it\n")
    after = rest.partition("## Training data\n")[2]
    if not after:
        # Somebody has written a card of their own, which says nothing that is known here.
        return card
    told = f"{why}\n\nWith plain transformers, in this folder:\n\n{_fenced(transformers_code, 'python')}\n\n"
    return f"{before}{heading}\n{told}## Training data\n{after}"


def _front_matter(card: ModelCard) -> str:
    metrics = dict.fromkeys(_HUB_METRICS[base] for name in card.scores if (base := _base(name)) in _HUB_METRICS)
    languages = [code for code in card.languages if code != "und"]
    values = {
        "language": languages,
        "license": card.license,
        "library_name": "transformers",
        # A folder on someone's disk means nothing to the hub.
        "base_model": None if Path(card.base_model).is_absolute() else clean(card.base_model),
        "pipeline_tag": card.pipeline_tag,
        "tags": list(dict.fromkeys(["supertune", card.task, card.strategy])),
        "metrics": list(metrics),
    }
    return yaml.safe_dump({key: value for key, value in values.items() if value}, allow_unicode=True, sort_keys=False)


def _base(metric: str) -> str:
    return re.split(r"[_/]", metric, maxsplit=1)[0]


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=False,
        finalize=_escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(score=score_text, fenced=_fenced, cell=_cell, count=lambda number: f"{number:,}")
    return environment


def _resource(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _escaped(value: object) -> object:
    """Text in which nothing is Markdown or HTML; line breaks would begin new blocks, so they are spaces."""
    if isinstance(value, _Code) or not isinstance(value, str):
        return value
    return _MARKDOWN.sub(r"\\\1", " ".join(clean(value).split()))


def _cell(text: str) -> str:
    return shorten(clean(text), _LONGEST_CELL)


def _fenced(code: str, language: str) -> _Code:
    """A code block; its fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return _Code(f"{fence}{language}\n{clean(code).strip()}\n{fence}")
