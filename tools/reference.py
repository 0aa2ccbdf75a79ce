"""Write docs/configuration.md from the configuration models, so that it cannot say anything else than the code.

python tools/reference.py            writes the file; what ``make docs`` does
python tools/reference.py --check    exit code 1 when the file is not up to date
"""

from __future__ import annotations

import argparse
import json
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from supertune.config import Config
from supertune.config.source_section import SourceConfig
from supertune.files import write_text

PATH = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration

Generated from `src/supertune/config/sections.py` by `make docs`. Do not edit it by hand.

Every key can be set on the command line, in a YAML file, and from Python:

```bash
supertune train tickets.csv --set train.epochs=5 --set train.class_weights=balanced
supertune train my-run.yaml
```

```yaml
# my-run.yaml; paths are relative to this file
data:
  source: tickets.csv
  text: [title, body]
  label: intent
train:
  epochs: 5
```

```python
supertune.fit("tickets.csv", settings={"train.epochs": 5, "train.class_weights": "balanced"})
```

Options such as `--model` or `--seed` set a key too; `--set` wins over them, and both win over the file.
`--seed N` sets `train.seed` and `data.split_seed`.
An unknown key is an error that names the file, the line and the closest known key. Values are not converted:
`epochs: "5"` is an error.

A run's own `config.yaml` holds every key with what was chosen for `auto` and `null`. Given to `supertune train`
again, from the same working directory, it repeats the run.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for section, field in Config.model_fields.items():
        kind: Any = field.annotation
        parts.append(f"## {section}\n\n{kind.__doc__.strip()}\n")
        rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
        for name, described in kind.model_fields.items():
            cells = (
                f"`{section}.{name}`",
                values_of(described),
                f"`{shown(described.default)}`",
                described.description,
            )
            rows.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def shown(value: object) -> str:
    """A default as YAML has it."""
    return value if isinstance(value, str) else json.dumps(list(value) if isinstance(value, tuple) else value)


def values_of(field: FieldInfo) -> str:
    """What a key takes, in words."""
    return words(field.annotation, field.metadata)


def words(annotation: Any, constraints: list[Any]) -> str:
    """A type with its limits, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [part for extra in arguments[1:] for part in getattr(extra, "metadata", [extra])]
        return words(arguments[0], [*inner, *constraints])
    if annotation is SourceConfig:
        return "data set"
    if origin in (Union, types.UnionType):
        return " or ".join(words(argument, constraints if argument is not type(None) else []) for argument in arguments)
    if origin is Literal:
        return " ".join(f"`{value}`" for value in arguments)
    if origin is list:
        item = words(arguments[0], [])
        sizes = {type(part): part for part in constraints}
        if annotated_types.MinLen in sizes:
            return f"list of {sizes[annotated_types.MinLen].min_length} × {item}"
        return f"list of {item}"
    if annotation is type(None):
        return "`null`"
    names = {str: "text", int: "whole number", float: "number", bool: "`true` `false`"}
    if get_origin(annotation) is dict:
        key, value = get_args(annotation)
        return f"{words(key, [])} → {words(value, [])}"
    return " ".join([names[annotation], *limits(constraints)])


def limits(constraints: list[Any]) -> list[str]:
    """Lower and upper limits, if there are any."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(part, name):g}" if isinstance(getattr(part, name), float) else f"{sign} {getattr(part, name)}"
        for part in constraints
        for name, sign in signs.items()
        if getattr(part, name, None) is not None
    ]
    return [" and ".join(found)] if found else []


def main() -> int:
    """Write the page, or say that it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when out of date")
    wanted = page()
    if not parser.parse_args().check:
        write_text(PATH, wanted)
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{PATH} is out of date: make docs\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
