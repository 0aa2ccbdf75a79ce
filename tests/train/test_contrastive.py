"""The contrastive loss against sums written out, and what minimising it does."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.train import cosine_pairs, supervised_contrastive

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=12)


def vectors(count: int, width: int = 5, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def written_out(embeddings: torch.Tensor, labels: list[int], temperature: float) -> tuple[float, int]:
    total, counted = 0.0, 0
    for one, label in enumerate(labels):
        others = [other for other in range(len(labels)) if other != one]
        partners = [other for other in others if labels[other] == label]
        if not partners:
            continue
        counted += 1
        alike = {other: float(embeddings[one] @ embeddings[other]) / temperature for other in others}
        below = math.log(sum(math.exp(value) for value in alike.values()))
        total -= sum(alike[other] - below for other in partners) / len(partners)
    return total, counted


@given(LABELS, st.sampled_from([0.05, 0.1, 1.0]))
def test_it_is_the_equation(labels: list[int], temperature: float) -> None:
    embeddings = vectors(len(labels))
    loss, count = supervised_contrastive(embeddings, torch.tensor(labels), temperature)
    expected, counted = written_out(embeddings, labels, temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert int(count) == counted


@given(LABELS)
def test_pairs_of_one_label_and_others_weigh_the_same(labels: list[int]) -> None:
    embeddings = vectors(len(labels))
    loss, count = cosine_pairs(embeddings, torch.tensor(labels))
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for one in range(len(labels)):
        for other in range(len(labels)):
            if one != other:
                same = labels[one] == labels[other]
                kinds[same].append((float(same) - float(embeddings[one] @ embeddings[other])) ** 2)
    means = [sum(found) / len(found) for found in kinds.values() if found]
    assert int(count) == (len(labels) if means else 0)
    assert float(loss) == pytest.approx(len(labels) * sum(means) / len(means) if means else 0.0, rel=1e-4, abs=1e-5)


def test_where_no_text_has_a_partner_nothing_is_learned() -> None:
    embeddings = vectors(3).requires_grad_()
    loss, count = supervised_contrastive(embeddings, torch.tensor([0, 1, 2]), 0.1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert (float(loss.detach()), int(count)) == (0.0, 0)
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_minimising_it_lays_labels_together() -> None:
    points = torch.nn.Parameter(vectors(8, seed=3).float())
    labels = torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam([points], lr=0.05)
    for _ in range(200):
        embeddings = torch.nn.functional.normalize(points, dim=-1)
        loss, count = supervised_contrastive(embeddings, labels, 0.1)
        optimizer.zero_grad()
        (loss / count).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    directions = torch.nn.functional.normalize(points.detach(), dim=-1)
    alike = directions @ directions.T
    same = labels[:, None] == labels[None]
    assert float(alike[same].min()) > 0.95
    assert float(alike[~same].max()) < 0.5
