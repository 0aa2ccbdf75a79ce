"""A preparation as a file: which rows, and the steps that are done to them.

data:
source: reviews.csv
steps:
- encoding
- length: {least: 3}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from supertune.config.configuration import Config, config_of, parse_value, read_yaml
from supertune.config.dialect import Dumper
from supertune.errors import UserError

_SECTIONS = ("data", "task")
_EXAMPLE = "write e.g.\ndata:\n  source: rows.csv\nsteps:\n  - encoding\n  - length: {least: 3}"


@dataclass(frozen=True)
class WrittenStep:
    """A step as somebody wrote it.

    Attributes:
        name: What it is called.
        options: Its options, unchecked.
        where: File and line, or option of the command line.
    """

    name: str
    options: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class Preparation:
    """What is to be done to which rows.

    Attributes:
        config: Data and task; the rest is defaults.
        steps: In order; None for those that fit the task.
    """

    config: Config
    steps: tuple[WrittenStep, ...] | None = None


def load_preparation(path: Path) -> Preparation:
    """Read a preparation. Relative paths in it are relative to its folder.

    Raises:
        UserError: The file is not readable, not YAML, or says something else; names file and line.
    """
    document, node = read_yaml(path)
    if not isinstance(document, dict) or not isinstance(node, yaml.MappingNode):
        raise UserError("holds no preparation", where=str(path), fix=_EXAMPLE)
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    for key in document:
        if key not in (*_SECTIONS, "steps"):
            what = f"unknown key {key!r} in a preparation"
            raise UserError(what, where=f"{path}:{lines.get(str(key), 1)}", fix="it has data, task and steps")
    kept = [(key, value) for key, value in node.value if key.value != "steps"]
    sections = yaml.MappingNode(node.tag, kept)
    config = config_of({key: value for key, value in document.items() if key != "steps"}, sections, path)
    if "steps" not in document:
        return Preparation(config)
    items = next(value for key, value in node.value if key.value == "steps")
    if not isinstance(document["steps"], list) or not isinstance(items, yaml.SequenceNode):
        raise UserError("steps is not a list", where=f"{path}:{lines['steps']}", fix=_EXAMPLE)
    steps = tuple(
        _beside(_step(item, f"{path}:{place.start_mark.line + 1}"), path.parent)
        for item, place in zip(document["steps"], items.value, strict=True)
    )
    return Preparation(config, steps)


def _beside(step: WrittenStep, folder: Path) -> WrittenStep:
    """The step with a file that it names found from the folder of the preparation."""
    file = step.options.get("file")
    if not isinstance(file, str) or Path(file).is_absolute():
        return step
    return replace(step, options={**step.options, "file": str(folder / file)})


def parse_steps(steps: Sequence[str], option: str = "--step") -> tuple[WrittenStep, ...]:
    """Steps as they are typed: ``html``, or ``length: {least: 3}``.

    Raises:
        UserError: One is neither.
    """
    return steps_of([parse_value(step, "the step", where=option) for step in steps], option)


def steps_of(steps: Sequence[Any], where: str = "steps") -> tuple[WrittenStep, ...]:
    """Steps as a list holds them: ``"html"``, or ``{"length": {"least": 3}}``.

    Raises:
        UserError: One is neither.
    """
    return tuple(_step(step, where) for step in steps)


def _step(item: Any, where: str) -> WrittenStep:
    if isinstance(item, str):
        return WrittenStep(item, {}, where)
    if isinstance(item, dict) and len(item) == 1:
        ((name, options),) = item.items()
        if isinstance(name, str) and (options is None or isinstance(options, dict)):
            return WrittenStep(name, options or {}, where)
    raise UserError(f"{item!r} is no step", where=where, fix="write its name, or name: {option: value}")


def dump_preparation(config: Config, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A preparation as YAML: what differs from the defaults, and every step with its options."""
    content: dict[str, Any] = {
        section: kept
        for section in _SECTIONS
        if (kept := getattr(config, section).model_dump(mode="json", exclude_defaults=True))
    }
    content["steps"] = [{name: dict(options)} if options else name for name, options in steps]
    text: str = yaml.dump(content, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=1_000_000)
    return text
