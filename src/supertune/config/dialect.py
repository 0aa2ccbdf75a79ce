"""YAML as people write it."""

from __future__ import annotations

import re

import yaml


class Loader(yaml.SafeLoader):
    """YAML as people write it: ``1e-4`` is a number (YAML 1.1 wants ``1.0e-4``), ``2024-01-31`` is a name."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Dumper(yaml.SafeDumper):
    """Quotes what `Loader` would take for a number, and keeps a text of several lines on one."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


Dumper.add_representer(str, _text)

_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
for _yaml_class in (Loader, Dumper):
    _yaml_class.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
