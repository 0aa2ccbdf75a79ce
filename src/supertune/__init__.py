"""supertune: from raw text to a fine-tuned language model you can trust.

The verbs of the command line, for Python::

    import supertune

    run = supertune.fit("tickets.csv", text="message", label="intent")
    run.metrics["test"]["f1_macro"]
    run.predict(["where is my parcel"])

Nothing heavy is imported before a verb is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supertune.api import check, compare, crossval, fit, inspect, load_run, read, resume, zero_shot
    from supertune.api_data import augment, clean, crawl
    from supertune.api_search import index, open_index, retrieve
    from supertune.recipes.retrieve import OpenIndex
    from supertune.recipes.run import Run

__all__ = [
    "OpenIndex",
    "Run",
    "augment",
    "check",
    "clean",
    "compare",
    "crawl",
    "crossval",
    "fit",
    "index",
    "inspect",
    "load_run",
    "open_index",
    "read",
    "resume",
    "retrieve",
    "zero_shot",
]

_ELSEWHERE = {
    "Run": "supertune.recipes.run",
    "OpenIndex": "supertune.recipes.retrieve",
    **dict.fromkeys(("augment", "clean", "crawl"), "supertune.api_data"),
    **dict.fromkeys(("index", "open_index", "retrieve"), "supertune.api_search"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("supertune")
    if name in __all__:
        return getattr(importlib.import_module(_ELSEWHERE.get(name, "supertune.api")), name)
    raise AttributeError(f"module 'supertune' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
