"""``supertune models``."""

from __future__ import annotations

from dataclasses import asdict

from supertune.cli import options


def models(json: options.Json = False) -> None:
    """List the pre-trained models that come with supertune."""
    from supertune.console import Console, print_json
    from supertune.models import REGISTRY

    if json:
        print_json(
            {
                "models": [
                    {key: value for key, value in asdict(entry).items() if key != "provide"}
                    for entry in REGISTRY.values()
                ]
            }
        )
        return
    Console(results=True).table(
        ("name", "languages", "parameters", "licence", "when"),
        [
            (name, " ".join(entry.languages), f"{entry.parameters / 1e6:.0f} M", entry.license, entry.advice)
            for name, entry in REGISTRY.items()
        ],
        right=(2,),
    )
