"""An augmentation as a file: which rows, what makes new ones of them, and how many.

data:
source: reviews.csv
augment:
- synonyms
- random-deletion: {share: 0.05}
amount: {copies: 2}
protect: {quotes: true}
keep_labels: true
seed: 1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from supertune.config.configuration import Config, config_of, read_yaml
from supertune.config.dialect import Dumper
from supertune.config.preparation import WrittenStep, steps_of
from supertune.errors import UserError

_SECTIONS = ("data", "task")
_OWN = ("augment", "amount", "protect", "keep_labels", "seed")
_EXAMPLE = "write e.g.\ndata:\n  source: rows.csv\naugment:\n  - synonyms\n  - random-deletion: {share: 0.05}"


@dataclass(frozen=True)
class Augmentation:
    """What is to be added to which rows.

    Attributes:
        config: Data and task; the rest is defaults.
        augmenters: What makes new rows, as somebody wrote it.
        amount: How many, unchecked.
        protect: What stays as it is, unchecked.
        seed: Chooses what is changed.
        keep_labels: Leave out new rows that are read as another label.
    """

    config: Config
    augmenters: tuple[WrittenStep, ...] = ()
    amount: Mapping[str, Any] = field(default_factory=dict)
    protect: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    keep_labels: bool = False


def load_augmentation(path: Path) -> Augmentation:
    """Read an augmentation. Relative paths in it are relative to its folder.

    Raises:
        UserError: The file is not readable, not YAML, or says something else; names file and line.
    """
    document, node = read_yaml(path)
    if not isinstance(document, dict) or not isinstance(node, yaml.MappingNode):
        raise UserError("holds no augmentation", where=str(path), fix=_EXAMPLE)
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}

    def checked(key: str, kind: type, empty: Any) -> Any:
        value = document.get(key, empty)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{key} is {value!r}", where=f"{path}:{lines[key]}", fix=_EXAMPLE)
        return value

    for key in document:
        if key not in (*_SECTIONS, *_OWN):
            what = f"unknown key {key!r} in an augmentation"
            fix = f"it has {', '.join((*_SECTIONS, *_OWN))}"
            raise UserError(what, where=f"{path}:{lines.get(str(key), 1)}", fix=fix)
    kept = yaml.MappingNode(node.tag, [(key, value) for key, value in node.value if key.value in _SECTIONS])
    config = config_of({key: value for key, value in document.items() if key in _SECTIONS}, kept, path)
    written = checked("augment", list, [])
    seed = checked("seed", int, 0)
    if seed < 0:
        raise UserError(f"the seed is {seed}", where=f"{path}:{lines['seed']}", fix="choose 0 or more")
    keep_labels = document.get("keep_labels", False)
    if not isinstance(keep_labels, bool):
        what = f"keep_labels is {keep_labels!r}"
        raise UserError(what, where=f"{path}:{lines['keep_labels']}", fix="write true or false")
    return Augmentation(
        config,
        steps_of(written, f"{path}:{lines.get('augment', 1)}"),
        checked("amount", dict, {}),
        checked("protect", dict, {}),
        seed,
        keep_labels,
    )


def dump_augmentation(
    config: Config,
    augmenters: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    amount: Mapping[str, Any],
    protect: Mapping[str, Any],
    seed: int,
    keep_labels: bool = False,
) -> str:
    """An augmentation as YAML: what differs from the defaults, and every augmenter with its options."""
    content: dict[str, Any] = {
        section: kept
        for section in _SECTIONS
        if (kept := getattr(config, section).model_dump(mode="json", exclude_defaults=True))
    }
    content["augment"] = [{name: dict(options)} if options else name for name, options in augmenters]
    content |= {key: dict(value) for key, value in (("amount", amount), ("protect", protect)) if value}
    content |= {"keep_labels": True} if keep_labels else {}
    content["seed"] = seed
    text: str = yaml.dump(content, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=1_000_000)
    return text
