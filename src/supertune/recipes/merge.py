"""An adapter put into the weights of its base: a whole model that computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.console import Console
from supertune.contracts import Task
from supertune.errors import SupertuneError, UserError
from supertune.files import explained, write_text
from supertune.recipes.kinds import kind_of
from supertune.recipes.predict import open_trained
from supertune.recipes.saved import open_saved, write_whole
from supertune.recipes.story import usage_code
from supertune.runs import recoded_card
from supertune.strategies import STRATEGIES

if TYPE_CHECKING:
    import torch

_TOLERANCE = 1e-4
"""Largest difference of logits, in 32 bits: sums are taken in another order."""
_TEXTS, _TOKENS = 8, 32


def merge_run(run: Path, out: Path, *, console: Console) -> dict[str, Any]:
    """Merge the adapter of a finished run into its base and write the whole model to ``out``.

    Returns:
        ``run``, ``out``, ``strategy`` and ``max_difference`` of the logits.

    Raises:
        UserError: The run has no adapter, or one that cannot be merged exactly, or ``out`` exists.
        SupertuneError: The merged model does not compute the same.
    """
    with explained(out):
        if out.exists():
            raise UserError("exists already", where=str(out), fix="name a new folder with --out")
    store, saved = open_trained(run)
    strategy = saved.strategy
    if not strategy.adapter:
        raise UserError(
            "holds a whole model: there is nothing to merge", where=str(run), fix=f"use {store.model_folder}"
        )
    if not strategy.mergeable:
        can = ", ".join(name for name, kind in STRATEGIES.items() if kind().mergeable)
        raise UserError(
            f"was trained with {strategy.name}, which changes what the model computes and not only its weights",
            where=str(run),
            fix=f"use it as it is; what can be merged is {can}",
        )
    rounded = None
    if saved.quantization != "none":
        # There is nothing to add to in few bits without rounding once more.
        rounded = _outputs(saved.task, saved.model, saved.max_length)
        saved = open_saved(store.model_folder, plain=True)
    before = _outputs(saved.task, saved.model, saved.max_length)
    merged = strategy.merge(saved.model)
    difference = float((_outputs(saved.task, merged, saved.max_length) - before).abs().max())
    if not difference <= _TOLERANCE:
        raise SupertuneError(f"the merged model differs by {difference:g} in its outputs; please report this")
    write_whole(merged, saved, out)
    card = store.model_folder / "README.md"
    if card.exists():
        lines = STRATEGIES["full"]().load_lines(saved.task.head().auto_class)
        why = f"A {strategy.name} adapter is merged into the weights here: this is a whole model."
        code = usage_code(lines, kind_of(saved.task).described(saved.task), saved.max_length, saved.task.columns)
        write_text(out / "README.md", recoded_card(card.read_text(encoding="utf-8"), code, why))
    console.say(f"whole model: {out} (outputs within {difference:.1e} of the adapter's)")
    result = {"run": str(run), "out": str(out), "strategy": strategy.name, "max_difference": difference}
    if rounded is not None:
        apart = float((before - rounded).abs().max())
        console.say(
            f"  the base was held in few bits ({saved.quantization}): what is merged are the rounded numbers, in 32 "
            f"bits again; outputs are within {apart:.1e} of the run's, and the model takes the room of the whole one"
        )
        result["max_difference_to_quantized"] = apart
    return result


def _outputs(task: Task, model: torch.nn.Module, max_length: int) -> torch.Tensor:
    """Of random tokens: what is compared is arithmetic, not meaning."""
    import torch

    generator = torch.Generator().manual_seed(0)
    known: Any = model.get_input_embeddings()  # type: ignore[operator]
    ids = torch.randint(0, known.num_embeddings, (_TEXTS, min(_TOKENS, max_length)), generator=generator)
    with torch.inference_mode():
        return task.forward(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
