"""Adversarial descents move each text's word vectors uphill within a ball, learn there, and leave no trace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from train_samples import VOCABULARY, bert
from transformers import T5Config, T5ForSequenceClassification

from supertune.errors import UserError
from supertune.train.regularisation.adversarial import fgm, freelb
from supertune.train.regularisation.fast_dropout import use_fast_dropout

Batch = Mapping[str, torch.Tensor]


class Linear(torch.nn.Module):
    """Sum of each text's word vectors, times a vector: everything about it can be worked out by hand."""

    def __init__(self, embeddings: list[list[float]], direction: list[float], **options: Any) -> None:
        super().__init__()
        self.words = torch.nn.Embedding.from_pretrained(torch.tensor(embeddings), freeze=False, **options)
        self.direction = torch.nn.Parameter(torch.tensor(direction))

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.words

    def forward(self, batch: Batch) -> torch.Tensor:
        return (self.words(batch["input_ids"]) * batch["attention_mask"].unsqueeze(-1)).sum(1) @ self.direction


def linear(**options: Any) -> Linear:
    return Linear([[9.0, 9.0], [1.0, 2.0], [3.0, -1.0]], [3.0, 4.0], **options)


def summed(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return model(batch).sum(), torch.tensor(len(batch["input_ids"]))


LINEAR_BATCH = {"input_ids": torch.tensor([[1, 2, 0, 0], [1, 1, 2, 1]])}
LINEAR_BATCH["attention_mask"] = (LINEAR_BATCH["input_ids"] > 0).long()


def text_batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(1, VOCABULARY, (3, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(7) < torch.tensor([[7], [4], [2]])
    return {"input_ids": ids * mask, "attention_mask": mask.long(), "labels": torch.tensor([0, 2, 1])}


def text_loss(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    losses = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")
    return losses, torch.tensor(len(logits))


class Moves:
    """Watches what the word embeddings give out, pass by pass, less what they hold."""

    def __init__(self, descent: Any, model: torch.nn.Module, batch: Batch, objective: Any = text_loss) -> None:
        self.seen: list[torch.Tensor] = []

        def watched(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
            embedding = model.get_input_embeddings()

            def keep(module: Any, inputs: Any, output: torch.Tensor) -> None:
                held = torch.nn.functional.embedding(inputs[0], module.weight)
                self.seen.append((output - held).detach())

            handle = embedding.register_forward_hook(keep)
            found: tuple[torch.Tensor, torch.Tensor] = objective(model, batch)
            handle.remove()
            return found

        self.loss, self.count = descent(watched, model, batch)
        self.gradients = gradients(model)


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.grad.to_dense().clone() for name, value in model.named_parameters() if value.grad is not None}


def lengths(move: torch.Tensor) -> list[float]:
    return move.flatten(1).norm(dim=1).tolist()


def loss_at(model: Any, batch: Batch, move: torch.Tensor) -> torch.Tensor:
    """The loss with moved embeddings, by transformers' own entry for them."""
    vectors = model.get_input_embeddings()(batch["input_ids"]) + move
    logits = model(inputs_embeds=vectors, attention_mask=batch["attention_mask"]).logits
    return torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")


def test_one_step_is_the_one_worked_out_by_hand() -> None:
    model = linear()
    loss, count = fgm(0.5)(summed, model, LINEAR_BATCH)
    # By hand: texts of 2 and 4 words, each word's gradient is (3, 4) of length 5, so a text of n words moves each
    # by ε (3, 4) / (5 √n) and its loss grows by ε 5 √n.
    words = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    scores = words @ torch.tensor([3.0, 4.0])
    expected = scores[0] * 4 + scores[1] * 2
    grown = 0.5 * 5 * (math.sqrt(2) + math.sqrt(4))
    assert loss.item() == pytest.approx(expected.item() + grown / 2)
    assert count == 2
    moved = 0.5 * torch.tensor([3.0, 4.0]) / 5 * (math.sqrt(2) + math.sqrt(4))
    assert model.direction.grad is not None
    torch.testing.assert_close(model.direction.grad, 4 * words[0] + 2 * words[1] + moved / 2)


@pytest.mark.parametrize("descent", [fgm(0.7), freelb(0.7, 3), freelb(0.7, 1), freelb(0.7, 4, step_size=0.5)])
def test_padding_stays_and_moves_are_no_longer_than_asked_for(descent: Any) -> None:
    batch = text_batch()
    found = Moves(descent, bert().train(), batch)
    for move in found.seen:
        assert (move[batch["attention_mask"] == 0] == 0).all()
        assert max(lengths(move)) <= 0.7 + 1e-6
    assert found.count == 3


def test_the_fast_method_moves_every_text_by_exactly_epsilon_along_its_gradient() -> None:
    batch, model = text_batch(), bert().train()
    clean, moved = Moves(fgm(0.7), model, batch).seen
    assert (clean == 0).all()
    assert lengths(moved) == pytest.approx([0.7] * 3)
    start = torch.zeros_like(moved, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss_at(model, batch, start), start)
    gradient = gradient * batch["attention_mask"].unsqueeze(-1)
    expected = 0.7 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1)
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-6)


def test_the_move_of_a_text_does_not_depend_on_its_neighbours_or_padding() -> None:
    batch, model = text_batch(), bert().train()
    _, together = Moves(fgm(0.7), model, batch).seen
    alone = {name: values[1:2, :4] if values.ndim == 2 else values[1:2] for name, values in batch.items()}
    _, apart = Moves(fgm(0.7), model, alone).seen
    torch.testing.assert_close(together[1:2, :4], apart, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("descent", [fgm(0.7), freelb(0.7, 3)])
def test_gradient_and_loss_are_the_means_of_those_at_the_moves(descent: Any) -> None:
    batch, model = text_batch(), bert().train()
    found = Moves(descent, model, batch)
    model.zero_grad()
    losses = [loss_at(model, batch, move) for move in found.seen]
    torch.stack(losses).mean().backward()
    torch.testing.assert_close(found.loss, torch.stack(losses).mean().detach(), rtol=1e-5, atol=1e-6)
    expected = gradients(model)
    assert found.gradients.keys() == expected.keys()
    for name, gradient in found.gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-6)
    assert not found.loss.requires_grad


def test_the_loss_grows_on_the_way() -> None:
    batch, model = text_batch(), bert().train()
    for descent in (fgm(0.7), freelb(0.7, 4)):
        losses = [loss_at(model, batch, move).item() for move in Moves(descent, model, batch).seen]
        assert losses == sorted(losses)
        assert losses[-1] > losses[0] * 1.01


def test_several_steps_follow_the_gradient_and_return_to_the_ball() -> None:
    """Algorithm 1 of the paper, with gradients found through transformers' own entry for embeddings."""
    batch, model, epsilon, size = text_batch(), bert().train(), 0.7, 0.4
    seen = Moves(freelb(epsilon, 4, step_size=size), model, batch).seen
    real = batch["attention_mask"].unsqueeze(-1)
    assert len(seen) == 4
    # The first is drawn: uniform with variance 1/3 of what would fill the ball, so shorter than its radius.
    assert all(0.2 < length < epsilon for length in lengths(seen[0]))
    for now, then in itertools.pairwise(seen):
        start = now.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_at(model, batch, start), start)
        gradient = gradient * real
        stepped = now + size * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1)
        norms = stepped.flatten(1).norm(dim=1).view(-1, 1, 1)
        expected = torch.where(norms > epsilon, stepped * epsilon / norms, stepped)
        torch.testing.assert_close(then, expected, rtol=1e-3, atol=1e-5)
    assert lengths(seen[-1]) == pytest.approx([epsilon] * 3), "0.4 + 0.4 + 0.4 lead out of the ball"


def test_the_first_point_of_several_is_drawn_from_the_seed() -> None:
    def first(seed: int) -> torch.Tensor:
        model = bert().train()
        torch.manual_seed(seed)
        return Moves(freelb(0.7, 2), model, text_batch()).seen[0]

    torch.testing.assert_close(first(1), first(1), rtol=0, atol=0)
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("descent", [fgm(1e-7), freelb(1e-7, 3)])
def test_all_passes_drop_the_same_units_and_the_next_descent_drops_others(descent: Any, fast: bool) -> None:
    losses: list[float] = []

    def watched(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        loss, count = text_loss(model, batch)
        losses.append(loss.item())
        return loss, count

    model = bert(dropout=0.5).train()
    if fast:
        # Both kinds in one model: attention drops by torch's generator all the same.
        assert use_fast_dropout(model)
    descent(watched, model, text_batch())
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-5)
    descent(watched, model, text_batch())
    assert losses[-1] != pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("descent", [fgm(0.5), freelb(0.5, 3)])
def test_parameters_and_the_model_are_as_before(descent: Any) -> None:
    model = bert().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    descent(text_loss, model, text_batch())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.get_input_embeddings()._forward_hooks
    with torch.no_grad():
        assert text_loss(model, text_batch())[0] == text_loss(bert().train(), text_batch())[0]


def test_an_error_leaves_no_hook_behind() -> None:
    model, passes = bert().train(), iter([True, False])

    def failing(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if next(passes):
            return text_loss(model, batch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fgm(0.5)(failing, model, text_batch())
    assert not model.get_input_embeddings()._forward_hooks


@pytest.mark.parametrize("descent", [fgm(0.5), freelb(0.5, 2)])
def test_gradients_add_to_those_of_earlier_pieces(descent: Any) -> None:
    model = bert().train()
    torch.manual_seed(3)
    descent(text_loss, model, text_batch())
    once = gradients(model)
    torch.manual_seed(3)
    descent(text_loss, model, text_batch())
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, 2 * once[name])


def test_a_frozen_embedding_is_moved_too() -> None:
    batch, model = text_batch(), bert().train()
    expected = Moves(fgm(0.7), model, batch).seen[1]
    model.get_input_embeddings().requires_grad_(False)
    model.zero_grad()
    found = Moves(fgm(0.7), model, batch)
    torch.testing.assert_close(found.seen[1], expected)
    assert "bert.embeddings.word_embeddings.weight" not in found.gradients


def test_sparse_gradients_of_another_embedding_are_the_same_numbers() -> None:
    dense, sparse = linear(), linear(sparse=True)
    for model in (dense, sparse):
        fgm(0.5)(summed, model, LINEAR_BATCH)
    assert sparse.words.weight.grad is not None
    assert sparse.words.weight.grad.is_sparse
    assert dense.words.weight.grad is not None
    torch.testing.assert_close(sparse.words.weight.grad.to_dense(), dense.words.weight.grad)


@pytest.mark.parametrize("descent", [fgm(0.7), freelb(0.7, 3)])
def test_models_that_compute_in_bfloat16(descent: Any) -> None:
    exact = Moves(fgm(0.7), bert().train(), text_batch())
    rough = Moves(descent, bert().train().to(torch.bfloat16), text_batch())
    assert all(gradient.dtype == torch.bfloat16 for gradient in rough.gradients.values())
    assert rough.loss.item() == pytest.approx(exact.loss.item(), rel=0.1)
    assert all(length <= 0.7 * 1.02 for move in rough.seen for length in lengths(move.float()))


def test_a_batch_that_the_objective_doubles_is_moved_in_both_halves() -> None:
    def doubled(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        loss, count = text_loss(model, {name: torch.cat([values, values]) for name, values in batch.items()})
        return loss / 2, count // 2

    batch, model = text_batch(), bert().train()
    once, twice = Moves(fgm(0.7), model, batch), Moves(fgm(0.7), model, batch, doubled)
    torch.testing.assert_close(twice.seen[1], torch.cat([once.seen[1]] * 2), rtol=1e-3, atol=1e-6)
    assert twice.loss.item() == pytest.approx(once.loss.item(), rel=1e-5)


def test_a_text_without_a_gradient_stays_where_it_is() -> None:
    def first_only(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return model(batch)[0] * 1.0, torch.tensor(2)

    model = linear()
    fgm(0.5)(first_only, model, LINEAR_BATCH)
    assert len(gradients(model)) == 2
    assert all(torch.isfinite(gradient).all() for gradient in gradients(model).values())


@pytest.mark.parametrize("descent", [fgm(0.7), freelb(0.7, 3)])
def test_padding_stays_where_the_loss_depends_on_it(descent: Any) -> None:
    def careless(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return (model.words(batch["input_ids"]) @ model.direction).sum(), torch.tensor(2)

    for move in Moves(descent, linear(), LINEAR_BATCH, careless).seen:
        assert (move[LINEAR_BATCH["attention_mask"] == 0] == 0).all()


def test_only_the_first_look_up_of_a_pass_is_moved() -> None:
    def twice(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        loss, count = summed(model, batch)
        return loss + model.words(torch.tensor([[1, 2]])).sum(), count

    first, other, moved, again = Moves(fgm(0.7), linear(), LINEAR_BATCH, twice).seen
    assert lengths(moved) == pytest.approx([0.7] * 2)
    assert not first.any()
    assert not other.any()
    assert not again.any()


def test_of_an_encoder_decoder_the_source_is_moved() -> None:
    sizes = {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16}
    config = T5Config(vocab_size=VOCABULARY, num_labels=3, decoder_start_token_id=0, **sizes)
    torch.manual_seed(0)
    model = T5ForSequenceClassification(config).train()
    batch = text_batch()
    batch["input_ids"][:, 0] = 1  # exactly one end token in each text, as this head wants it
    batch["input_ids"][:, 1:].clamp_(min=2).mul_(batch["attention_mask"][:, 1:])
    seen: list[torch.Tensor] = []

    def watched(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        handle = model.transformer.encoder.embed_tokens.register_forward_hook(
            lambda module, inputs, output: seen.append((output - module.weight[inputs[0]]).detach())
        )
        found = text_loss(model, batch)
        handle.remove()
        return found

    fgm(0.7)(watched, model, batch)
    assert lengths(seen[1]) == pytest.approx([0.7] * 3)


def test_a_model_whose_embedding_is_passed_by_is_refused() -> None:
    def cached(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return model.classifier(torch.ones(3, 32)).sum(), torch.tensor(3)

    with pytest.raises(UserError, match="were not looked up"):
        fgm(0.5)(cached, bert(), text_batch())


@settings(max_examples=25)
@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    epsilon=st.floats(1e-3, 10),
    seed=st.integers(0, 2**16),
)
def test_moves_grow_a_linear_loss_by_what_the_ball_allows(counts: list[int], epsilon: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(3, generator=generator)
    model = Linear(torch.randn(5, 3, generator=generator).tolist(), direction.tolist())
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    batch = {
        "input_ids": torch.randint(0, 5, mask.shape, generator=generator),
        "attention_mask": mask.long(),
    }
    clean = summed(model, batch)[0].item()
    loss, _ = fgm(epsilon)(summed, model, batch)
    grown = epsilon * direction.norm().item() * sum(map(math.sqrt, counts))
    assert loss.item() == pytest.approx(clean + grown / 2, rel=1e-4, abs=1e-4)
