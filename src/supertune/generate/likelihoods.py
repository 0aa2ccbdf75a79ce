"""How likely a model finds texts behind prompts: what it would cost it to write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.generate.prompts import fitted
from supertune.generate.settings import GenerationSettings
from supertune.generate.sharing import read_once, sharing
from supertune.generate.starting import Writer
from supertune.generate.writing import evaluating

if TYPE_CHECKING:
    from supertune.generate.reading import Read

_AT_ONCE = 512
"""Tokens whose scores over the whole vocabulary are held at once: 0.5 GB of 262,144 in 32 bits."""


def log_likelihoods(
    model: Any,
    prompts: Sequence[Any],
    texts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """Float64 (rows,): ln p of each text behind its prompt, every token of it given those before.

    What many prompts begin with is read once, where the model keeps what it reads. Padding stands behind the texts,
    where nothing looks at it, so that any model gives the same as for a row alone.

    Args:
        model: A causal language model that puts no tokens of its own before texts.
        prompts: Token ids of each.
        texts: Token ids of each; of none the result is 0.
        settings: How large the window is, whether prompts may be cut to fit into it, and how many rows are read side
            by side.
        progress: Called with the number of rows that are done.

    Raises:
        UserError: A prompt or text cannot be used, see `fitted`; or the model has an encoder or tokens of its own.
    """
    writer = Writer(model)
    if writer.encoder or writer.extra:
        raise UserError(
            "this model reads nothing that others have written", fix="use a decoder without such an adapter"
        )
    longest = max(map(len, texts), default=0)
    found = np.zeros(len(prompts))
    if not longest:
        return found
    ids, _ = fitted(prompts, writer.body, replace(settings, max_new_tokens=longest), 0)
    alike, tokens = sharing(ids, longest) if settings.use_cache else (np.zeros(0, np.int64), 0)
    done = 0
    with evaluating(writer.body):
        read = read_once(writer, ids[alike[0]][:tokens]) if tokens else None
        everyone = np.arange(len(ids))
        groups = [(alike, read), (np.setdiff1d(everyone, alike), None)] if read else [(everyone, None)]
        for rows, begun in groups:
            known = len(begun.ids) if begun else 0
            behind = [(ids[row][known:], list(texts[row])) for row in rows]
            for places in _batches(behind, settings.most_rows):
                found[rows[places]] = _scored(writer.body, [behind[place] for place in places], begun)
                done += len(places)
                if progress:
                    progress(done)
    return found


def _batches(behind: Sequence[tuple[list[int], list[int]]], most_rows: int) -> list[IntArray]:
    """Rows of like length that are read side by side: the longest first."""
    lengths = np.array([len(prompt) + len(text) for prompt, text in behind], np.int64)
    found: list[list[int]] = []
    for row in np.argsort(-lengths, kind="stable").tolist():
        most = max(_AT_ONCE // int(lengths[found[-1][0]]), 1) if found else 0
        if found and len(found[-1]) < min(most, most_rows):
            found[-1].append(row)
        else:
            found.append([row])
    return [np.array(batch, np.int64) for batch in found]


def _scored(body: Any, rows: Sequence[tuple[list[int], list[int]]], read: Read | None) -> list[float]:
    """Ln p of each row's text."""
    import torch

    longest = max(len(prompt) + len(text) for prompt, text in rows)
    # Scores are wanted from the last token of the shortest prompt on.
    first = min(len(prompt) for prompt, _ in rows) - 1
    whole = [prompt + text for prompt, text in rows]
    ids = torch.tensor([row + [row[0]] * (longest - len(row)) for row in whole], device=body.device)
    known = len(read.ids) if read else 0
    mask = torch.tensor([[1] * (known + len(row)) + [0] * (longest - len(row)) for row in whole], device=body.device)
    given: dict[str, Any] = {"past_key_values": read.cache([0] * len(rows))} if read else {"use_cache": False}
    kept = "logits_to_keep" in inspect.signature(type(body).forward).parameters
    given |= {"logits_to_keep": longest - first} if kept else {}
    with torch.no_grad():
        logits = body(input_ids=ids, attention_mask=mask, **given).logits
    begin = first - (longest - logits.shape[1])
    found = []
    for row, (prompt, text) in enumerate(rows):
        at = begin + len(prompt) - 1 - first
        told = logits[row, at : at + len(text)].float()
        wanted = ids[row, len(prompt) : len(prompt) + len(text)]
        found.append(-float(torch.nn.functional.cross_entropy(told, wanted, reduction="sum")))
    return found
