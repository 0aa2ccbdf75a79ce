"""What learning from a teacher comes to, by its loss, where everything but the loss is as small as can be.

Usage: python benchmarks/distillation.py [--seeds 4]

Queries and passages are drawn numbers, 48 each; a vector is a matrix times these, of length 1, one matrix for queries
and one for passages. The teacher's scores are a drawn bilinear form of the two. Of 80 queries 60 are learned, each with
five passages that the teacher has scored, of which the rows say that the first is asked for; 200 steps of 16 queries.
Shown of the learned queries, means over seeds with 1.96 standard errors: the share of two passages in the teacher's
order, the share whose highest scored passage is the teacher's, and one divided by the rank of the teacher's best among
all 400 passages. How wide the scores are is their standard deviation; cosines are multiplied by 20.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import torch

from supertune.train import DISTILLATION_LOSSES, DistillationSettings

QUERIES, LEARNED, PASSAGES, FEATURES, WIDTH = 80, 60, 5, 48, 32
BATCH, STEPS, RATE, SCALE = 16, 200, 3e-3, 20.0


def learned(loss: str, spread: float, weight: float, seed: int) -> tuple[float, float, float]:
    """Train once: shares of passages in order, and of best ones that are the teacher's; mean reciprocal rank."""
    random = torch.Generator().manual_seed(seed)
    queries = torch.randn(QUERIES, FEATURES, generator=random) / FEATURES**0.5
    passages = torch.randn(QUERIES * PASSAGES, FEATURES, generator=random) / FEATURES**0.5
    form = torch.randn(FEATURES, FEATURES, generator=random)
    scores = ((queries @ form)[:, None] @ passages.view(QUERIES, PASSAGES, FEATURES).transpose(1, 2)).squeeze(1)
    scores = scores / scores.std() * spread
    matrices = [torch.nn.Parameter(torch.randn(FEATURES, WIDTH, generator=random) / FEATURES**0.5) for _ in range(2)]
    optimizer = torch.optim.AdamW(matrices, lr=RATE)
    criterion = DISTILLATION_LOSSES[loss](DistillationSettings(in_batch=weight))
    relevance = torch.kron(torch.eye(BATCH), torch.eye(1, PASSAGES))
    own = torch.kron(torch.eye(BATCH), torch.ones(1, PASSAGES)) > 0
    for _ in range(STEPS):
        some = torch.randperm(LEARNED, generator=random)[:BATCH]
        beside = (some[:, None] * PASSAGES + torch.arange(PASSAGES)).flatten()
        known = torch.full((BATCH, BATCH * PASSAGES), float("nan"))
        known[own] = scores[some].flatten()
        near = SCALE * cosines(queries[some], passages[beside], matrices)
        total, count = criterion(near, torch.stack([relevance, known]))
        optimizer.zero_grad()
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(matrices, 1.0)
        optimizer.step()
    with torch.no_grad():
        near = cosines(queries, passages, matrices)
    ordered, first, reciprocal = [], [], []
    for query in range(LEARNED):
        said, ours = scores[query], near[query, query * PASSAGES : (query + 1) * PASSAGES]
        two = itertools.combinations(range(PASSAGES), 2)
        ordered += [bool((said[one] > said[other]) == (ours[one] > ours[other])) for one, other in two]
        first.append(bool(said.argmax() == ours.argmax()))
        reciprocal.append(1 / int((near[query] >= ours[said.argmax()]).sum()))
    return float(np.mean(ordered)), float(np.mean(first)), float(np.mean(reciprocal))


def cosines(queries: torch.Tensor, passages: torch.Tensor, matrices: list[torch.nn.Parameter]) -> torch.Tensor:
    """Float (queries, passages)."""
    one, other = (
        torch.nn.functional.normalize(x @ m, dim=1) for x, m in zip((queries, passages), matrices, strict=True)
    )
    return one @ other.T


def main() -> None:
    """Print a line for each width of scores, loss, and weight of the other passages of the batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    print("| scores' spread | loss | in_batch_weight | in order | best one | reciprocal rank among all |")
    for spread, weight, loss in itertools.product((1.0, 3.0, 10.0), (1.0, 0.0), DISTILLATION_LOSSES):
        found = np.array([learned(loss, spread, weight, seed) for seed in seeds])
        errors = 1.96 * found.std(axis=0, ddof=1) / len(seeds) ** 0.5
        told = " | ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in zip(found.mean(axis=0), errors, strict=True))
        print(f"| {spread:g} | `{loss}` | {weight:g} | {told} |", flush=True)


if __name__ == "__main__":
    main()
