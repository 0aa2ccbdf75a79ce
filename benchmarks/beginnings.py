"""Seconds of processor time: prompts that begin alike, read once and by every row; a talk that goes on or begins anew.

The prompts show four documents with their summaries and ask for that of another, as the model before training is asked.
The talk says one document after another.

    python benchmarks/beginnings.py dialogsum.jsonl --columns dialogue summary [--rows 12] [--turns 4] [--new 24]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supertune.generate import Context, Generated, GenerationSettings, generate, stream, writing
from supertune.recipes.talk import open_writer
from supertune.tasks import headings

SHOTS = 4


def timed(name: str, write: Callable[[], list[Generated]]) -> list[Generated]:
    """Told in seconds of the processor, which what else runs on the machine does not change much."""
    begun = time.process_time()
    found = write()
    print(f"{name}: {time.process_time() - begun:.1f} s, {sum(one.tokens for one in found)} tokens", flush=True)
    return found


def main() -> None:
    """Measure each way once, and say how many of the texts are the same."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", type=Path)
    asked.add_argument("--columns", nargs=2, default=("document", "summary"))
    asked.add_argument("--model", default="gemma-270m")
    asked.add_argument("--rows", type=int, default=12)
    asked.add_argument("--turns", type=int, default=4)
    asked.add_argument("--new", type=int, default=24)
    options = asked.parse_args()
    saved = open_writer(options.model).saved
    model, tokenizer = saved.model, saved.tokenizer
    document, summary = options.columns
    rows = [json.loads(line) for line in options.data.read_text(encoding="utf-8").splitlines()]
    drawn = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    settings = GenerationSettings(max_new_tokens=options.new, stop_ids=(), stop_strings=("\n###",))

    def question(row: dict[str, Any]) -> dict[str, str]:
        return {"role": "user", "content": f"Summarize the following text.\n\n{row[document]}"}

    def ids(messages: Sequence[dict[str, str]]) -> list[int]:
        found: list[int] = tokenizer(headings().render(messages, (), prompt=True))["input_ids"]
        return found

    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), skip_special_tokens=True))

    shown = [
        message for row in drawn[:SHOTS] for message in (question(row), {"role": "assistant", "content": row[summary]})
    ]
    prompts = [ids([*shown, question(row)]) for row in drawn[SHOTS : SHOTS + options.rows]]
    sharing = writing.sharing
    shared = sharing(prompts, options.new)[1]
    print(f"{len(prompts)} prompts of {min(map(len, prompts))} to {max(map(len, prompts))} tokens, {shared} shared")
    together = timed("read once", lambda: generate(model, prompts, settings, decode=decode))
    writing.sharing = lambda *_: (np.zeros(0, np.int64), 0)
    apart = timed("read by every row", lambda: generate(model, prompts, settings, decode=decode))
    writing.sharing = sharing
    same = sum(one.text == other.text for one, other in zip(together, apart, strict=True))
    print(f"the same texts: {same} of {len(prompts)}")

    def talk(context: Context | None) -> list[Generated]:
        said: list[dict[str, str]] = []
        found: list[Generated] = []
        for row in drawn[: options.turns]:
            said.append(question(row))
            for _ in stream(model, ids(said), settings, decode=decode, done=found.append, context=context):
                pass
            said.append({"role": "assistant", "content": found[-1].text})
        return found

    known, anew = timed("a talk", lambda: talk(Context())), timed("a talk, all read at every turn", lambda: talk(None))
    same = sum(one.text == other.text for one, other in zip(known, anew, strict=True))
    print(f"the same texts: {same} of {options.turns}")


if __name__ == "__main__":
    main()
