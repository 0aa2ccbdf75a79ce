"""The main job on the example that comes with supertune, end to end, without a network."""

from __future__ import annotations

from pathlib import Path

from supertune.config import Config
from supertune.console import Console
from supertune.errors import UserError
from supertune.recipes.fit import fit
from supertune.recipes.run import Run

LANGUAGES = {"en": "tickets-en.csv", "zh": "tickets-zh.csv"}


def example_file(language: str) -> Path:
    """The support tickets in a language, from the installed package or the source tree.

    Raises:
        UserError: There are none in this language.
    """
    if language not in LANGUAGES:
        raise UserError(f"there is no example in {language!r}", where="--lang", fix=f"use {' or '.join(LANGUAGES)}")
    package = Path(__file__).parents[1]
    places = (package / "examples", package.parents[1] / "examples")
    for place in places:
        path = place / "support-tickets" / LANGUAGES[language]
        if path.exists():
            return path
    raise UserError(
        "the example is missing from this installation", where=str(places[0]), fix="install supertune again"
    )


def demo(language: str, *, out: Path | None, seed: int | None, console: Console) -> Run:
    """Train a ticket classifier with the defaults, as ``supertune train`` would.

    Raises:
        UserError: There is no example in this language, or ``out`` cannot be used.
    """
    path = example_file(language)
    values: dict[str, object] = {"data.source": str(path), "data.text": ["message"], "data.label": "intent"}
    if seed is not None:
        values |= {"data.split_seed": seed, "train.seed": seed}
    console.say(f"supertune train {path} --text message --label intent")
    return fit(Config().with_values(values), out=out, console=console)
