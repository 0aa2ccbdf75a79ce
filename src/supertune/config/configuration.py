"""Typed, strict configuration: every key known, every mistake answered with file, line and the closest key.

A configuration is complete: written into a run directory and given to ``supertune train`` again, it repeats
the run. What is chosen by measurement (``auto``) is replaced there by what was chosen.
"""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError, model_validator

from supertune.addresses import from_folder, is_database, refuse_written_password
from supertune.config.dialect import Dumper, Loader
from supertune.config.section import Section
from supertune.config.sections import (
    DataConfig,
    EvaluateConfig,
    ModelConfig,
    StrategyConfig,
    TrainConfig,
)
from supertune.config.source_section import SourceConfig
from supertune.config.task_section import TaskConfig
from supertune.errors import UserError
from supertune.files import explained

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

WRITING = frozenset({"chat", "summarization", "translation", "generative-qa", "text"})
"""Tasks whose answers are written, token by token."""


class Config(Section):
    """Everything that decides a run."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    task: TaskConfig = TaskConfig()
    strategy: StrategyConfig = StrategyConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @model_validator(mode="before")
    @classmethod
    def _writing_learns_few_weights(cls, content: Any) -> Any:
        """What is written is learned by LoRA where no strategy is named: decoders are large."""
        parts = content if isinstance(content, dict) else {}
        task, strategy = parts.get("task") or {}, parts.get("strategy") or {}
        if isinstance(task, dict) and task.get("name") in WRITING and isinstance(strategy, dict):
            return {**parts, "strategy": {"name": "lora", **strategy}}
        return content

    def with_values(self, values: Mapping[str, object]) -> Config:
        """A copy with dotted keys set, e.g. ``{"train.epochs": 5}``, checked again.

        Another strategy begins with its own settings: those of the former one would mean nothing for it.

        Raises:
            UserError: A key is unknown or a value does not fit.
        """
        content = self.model_dump(exclude_unset=True)
        if values.get("strategy.name", self.strategy.name) != self.strategy.name:
            content["strategy"] = {}
        for key, value in values.items():
            _set(content, key, value)
        return _validated(content, where="--set" if values else "configuration", lines={})


def _set(content: dict[str, Any], key: str, value: object) -> None:
    section, _, name = key.partition(".")
    if not name:
        # A bare section name is a common slip: say where its keys are instead of "not a dictionary".
        sections = {known.partition(".")[0]: known for known in reversed(known_keys())}
        hint = sections.get(section) or _closest(key, known_keys())
        raise UserError(f"unknown key {key!r}", where="--set", fix=f"did you mean {hint!r}? Keys are section.name")
    content.setdefault(section, {})[name] = value


def known_keys() -> list[str]:
    """Every dotted key there is, in order."""
    return [
        f"{section}.{name}"
        for section, field in Config.model_fields.items()
        for name in _section_type(field.annotation).model_fields
    ]


def _section_type(annotation: Any) -> type[Section]:
    assert isinstance(annotation, type)
    assert issubclass(annotation, Section)
    return annotation


def _closest(key: str, candidates: Sequence[str]) -> str:
    names = {candidate.rpartition(".")[2]: candidate for candidate in candidates}
    last = key.rpartition(".")[2]
    if last in names:
        return names[last]
    close = difflib.get_close_matches(key, candidates, 1, 0.5) or difflib.get_close_matches(last, names, 1, 0.5)
    return names.get(close[0], close[0]) if close else candidates[0]


def parse_assignments(assignments: Sequence[str]) -> dict[str, object]:
    """``["train.epochs=5"]`` as ``{"train.epochs": 5}``; values are read as YAML.

    Raises:
        UserError: An assignment has no ``=``, or its value is not YAML.
    """
    values: dict[str, object] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{assignment!r} is not key=value", where="--set", fix="write e.g. --set train.epochs=5")
        values[key.strip()] = parse_value(text, f"the value of {key.strip()}", where="--set")
    return values


def parse_value(text: str, name: str, *, where: str) -> Any:
    """A value that was typed as YAML, of which JSON is a part.

    Args:
        text: The value.
        name: What it is called in an error.
        where: Option or file that it stands in.

    Raises:
        UserError: It is not YAML.
    """
    try:
        return yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(
            f"{name} is not YAML: {text[:200]!r}",
            where=where,
            fix="close its brackets and quotes; write a list as [1,2] and text with special characters in quotes",
        ) from error


def read_yaml(path: Path) -> tuple[Any, yaml.Node | None]:
    """What a YAML file says, and the same as nodes that know their lines.

    Raises:
        UserError: The file is not readable or not YAML; names file and line.
    """
    with explained(path):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        return yaml.load(text, Loader=Loader), yaml.compose(text, Loader=Loader)
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8 text", where=str(path), fix="save the configuration as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UserError(f"is not valid YAML: {problem}", where=f"{path}{line}", fix="mend the line") from error
    except (ValueError, RecursionError) as error:
        # A scalar that looks like a number and is none, or thousands of brackets.
        raise UserError(f"is not valid YAML: {error}", where=str(path), fix="mend the value, or quote it") from error


def load_config(path: Path) -> Config:
    """Read and check a YAML configuration. Relative paths in it are relative to its folder.

    Raises:
        UserError: The file is not readable, not YAML, or has a wrong key or value; names file and line.
    """
    document, node = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError("holds no sections", where=str(path), fix="write e.g.\ndata:\n  source: rows.csv")
    return config_of(document, node, path)


def config_of(document: Mapping[str, Any], node: yaml.Node | None, path: Path) -> Config:
    """The configuration that a file holds; relative paths in it are relative to its folder.

    Raises:
        UserError: A key or a value is wrong; names file and line.
    """
    lines: dict[str, int] = {}
    _collect_lines(node, "", lines, str(path))
    config = _validated(document, where=str(path), lines=lines)
    return config.with_values(absolute_paths(config, path.parent))


def _collect_lines(node: Any, prefix: str, lines: dict[str, int], where: str) -> None:
    # Sections and their keys; what lies deeper is no key of ours, and an alias can make it endless.
    if not isinstance(node, yaml.MappingNode) or prefix.count(".") > 1:
        return
    for key, value in node.value:
        dotted = f"{prefix}{key.value}"
        line = key.start_mark.line + 1
        if dotted in lines:
            raise UserError(
                f"the key {dotted!r} stands twice, first on line {lines[dotted]}",
                where=f"{where}:{line}",
                fix="keep one of them",
            )
        lines[dotted] = line
        _collect_lines(value, f"{dotted}.", lines, where)
        if dotted == "data.source" and isinstance(value, yaml.SequenceNode):
            for number, item in enumerate(value.value):
                lines[f"{dotted}[{number}]"] = item.start_mark.line + 1
                for name, _ in item.value if isinstance(item, yaml.MappingNode) else ():
                    lines[f"{dotted}[{number}].{name.value}"] = name.start_mark.line + 1


def absolute_paths(config: Config, folder: Path) -> dict[str, object]:
    """Every relative path in ``config`` that leads somewhere from ``folder``, as dotted key → absolute path."""
    source = config.data.source
    named = {f"data.{key}": getattr(config.data, key) for key in ("validation", "test")}
    named["data.source"] = source if isinstance(source, str) else None
    named["model.name"], named["task.teacher"] = config.model.name, config.task.teacher
    named["evaluate.general"] = config.evaluate.general
    found: dict[str, object] = {}
    for key, value in named.items():
        if is_database(value):
            found[key] = from_folder(str(value), folder)
        elif value is not None and not Path(value).is_absolute():
            with explained(folder / value):
                if (folder / value).exists():
                    found[key] = str((folder / value).resolve())
    if isinstance(source, list):
        found["data.source"] = [
            {**each.model_dump(exclude_unset=True), "path": _absolute(each.path, folder)} for each in source
        ]
    if config.data.mix:
        found["data.mix"] = {_absolute(path, folder): times for path, times in config.data.mix.items()}
    return found


def _absolute(path: str, folder: Path) -> str:
    if is_database(path):
        return from_folder(path, folder)
    with explained(folder / path):
        return str((folder / path).resolve()) if (folder / path).exists() else path


def _validated(content: object, *, where: str, lines: Mapping[str, int]) -> Config:
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        within = _within_source(first["loc"])
        key = ".".join(str(part) for part in first["loc"] if part in _names())
        key = key or str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            key = ".".join(str(part) for part in first["loc"])
        key = within or key
        at = f"{where}:{lines[key]}" if key in lines else where
        if first["type"] == "extra_forbidden":
            candidates = list(Config.model_fields) if len(first["loc"]) == 1 else known_keys()
            if within is not None:
                candidates = [f"{within.rpartition('.')[0]}.{name}" for name in SourceConfig.model_fields]
            raise UserError(
                f"unknown key {key!r}", where=at, fix=f"did you mean {_closest(key, candidates)!r}?"
            ) from error
        reason = first["msg"][0].lower() + first["msg"][1:]
        reason = "it is a section" if first["type"] == "model_type" else reason
        told = f"{key}: {_shown(first['input'])} does not fit: {reason}"
        raise UserError(told, where=at, fix=_meant(key, first) or _describe(key)) from error
    source = config.data.source
    for path in (each.path for each in source) if isinstance(source, list) else (source,):
        refuse_written_password(path, "data.source")
    for key in ("validation", "test"):
        refuse_written_password(getattr(config.data, key), f"data.{key}")
    return config


def _within_source(place: Sequence[int | str]) -> str | None:
    """What a key of one of several data sets is called: ``data.source[1].weight``; None for all others."""
    if tuple(place[:3]) != ("data", "source", "several") or len(place) < 4:
        return None
    return ".".join([f"data.source[{place[3]}]", *(str(part) for part in place[4:5])])


def _meant(key: str, error: ErrorDetails) -> str | None:
    """What was meant, where that can be told: a word almost right, or a text that YAML has taken apart."""
    value = error["input"]
    if error["type"] == "literal_error" and isinstance(value, str):
        known = re.findall("'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        close = difflib.get_close_matches(value.lower(), known, n=1)
        return f"did you mean {close[0]!r}?" if close else None
    if error["type"] == "string_type" and isinstance(value, dict | list):
        return f"YAML reads braces and brackets as lists: put the text into quotes of its own, {key}='\"{{…}}\"'"
    return None


def _shown(value: object) -> str:
    """A value as YAML shows it; nested ones cut short, since aliases can make them huge or endless."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    flat = not any(isinstance(item, (list, dict)) for item in items)
    return json.dumps(value, ensure_ascii=False, default=str) if flat else reprlib.repr(value)


def _names() -> set[object]:
    return set(Config.model_fields) | {key.partition(".")[2] for key in known_keys()}


def _describe(key: str) -> str:
    if key.startswith("data.source["):
        fields = SourceConfig.model_fields
        name = key.partition("].")[2] or "path"
        return f"{name}: {fields[name].description}" if name in fields else "write a path, or path: and more keys"
    section, _, name = key.partition(".")
    if section in Config.model_fields and name:
        fields = _section_type(Config.model_fields[section].annotation).model_fields
        if name in fields:
            return f"{key}: {fields[name].description}"
    return "write a section with its keys below it, indented"


def dump_config(config: Config) -> str:
    """The configuration as YAML, every key with a comment that says what it does."""
    lines: list[str] = []
    for section, field in Config.model_fields.items():
        part = getattr(config, section)
        lines.append(f"{section}:  # {(_section_type(field.annotation).__doc__ or '').strip()}")
        for name, described in type(part).model_fields.items():
            value = getattr(part, name)
            if name == "source" and isinstance(value, list):
                value = [each.model_dump(exclude_defaults=True) for each in value]
            lines.append(f"  {name}: {_yaml(value)}  # {described.description}")
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    # As the only item of a flow list a scalar stays on its line and a list keeps its brackets.
    text: str = yaml.dump([value], Dumper=Dumper, allow_unicode=True, default_flow_style=True, width=1_000_000)
    return text.strip()[1:-1]
