"""The loss that never holds all logits equals the plain one, with every kind of head; so do its gradients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.train import TokenRule, linear_cross_entropy, token_losses
from supertune.train.losses.token_chunks import linear_by_token_chunks, module_by_token_chunks
from supertune.train.losses.vocabulary_blocks import Blocking, by_vocabulary_blocks

RULES = [
    TokenRule(),
    TokenRule(soft_cap=5.0),
    TokenRule(label_smoothing=0.1),
    TokenRule(z_loss=1e-2),
    TokenRule(soft_cap=5.0, label_smoothing=0.3, z_loss=1e-2),
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def plain(
    hidden: torch.Tensor,
    head: torch.nn.Module,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    rule: TokenRule = RULES[0],
) -> torch.Tensor:
    """The same with all logits at once."""
    logits = head(hidden)
    if rule.soft_cap is not None:
        logits = rule.soft_cap * torch.tanh(logits / rule.soft_cap)
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=rule.label_smoothing)
    losses = losses + rule.z_loss * logits.logsumexp(dim=1).square()
    return (losses if weights is None else losses * weights).sum()


def drawn(
    tokens: int = 37,
    vocabulary: int = 1000,
    width: int = 16,
    seed: int = 0,
    kind: torch.dtype = torch.float32,
    bias: bool = False,
    learns: bool = False,
) -> tuple[torch.Tensor, torch.nn.Linear, torch.Tensor, torch.Tensor]:
    """Hidden states, a head whose logits spread over some 20, targets, weights of which some are 0."""
    torch.manual_seed(seed)
    head = torch.nn.Linear(width, vocabulary, bias=bias, dtype=kind)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    hidden = torch.randn(tokens, width, dtype=kind, requires_grad=True)
    weights = torch.rand(tokens) * 2 * (torch.rand(tokens) > 0.2)
    return hidden, head.requires_grad_(learns), torch.randint(0, vocabulary, (tokens,)), weights


def near(found: torch.Tensor, wanted: torch.Tensor, tolerance: float | None = None) -> None:
    """Equal to a share of the largest number."""
    bound = (tolerance or TOLERANCE[wanted.dtype]) * max(float(wanted.detach().abs().max()), 1e-6)
    assert float((found - wanted).detach().abs().max()) <= bound


def same_as_plain(hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, *rest: Any) -> None:
    learning = [hidden, *(parameter for parameter in head.parameters() if parameter.requires_grad)]
    wanted = plain(hidden, head, targets, *rest)
    found, _ = linear_cross_entropy(hidden, head, targets, *rest)
    near(found, wanted)
    for one, other in zip(torch.autograd.grad(found, learning), torch.autograd.grad(wanted, learning), strict=True):
        assert one.dtype == other.dtype
        near(one, other)


# ------------------------------------------------------------------------------------------ equal to the plain loss


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_loss_and_gradients_equal_the_plain_ones(rule: TokenRule, bias: bool, learns: bool, kind: torch.dtype) -> None:
    hidden, head, targets, weights = drawn(kind=kind, bias=bias, learns=learns)
    same_as_plain(hidden, head, targets, None, rule)
    same_as_plain(hidden, head, targets, weights.to(kind), rule)


@given(st.integers(1, 40), st.integers(2, 300), st.integers(1, 9), st.integers(0, 99), st.sampled_from(RULES))
@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("learns", [False, True])
def test_any_shape(learns: bool, tokens: int, vocabulary: int, width: int, seed: int, rule: TokenRule) -> None:
    hidden, head, targets, weights = drawn(tokens, vocabulary, width, seed, torch.float64, seed % 2 == 0, learns)
    wanted = plain(hidden, head, targets, weights.double(), rule)
    found, _ = linear_cross_entropy(hidden, head, targets, weights.double(), rule)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    (one,), (other,) = torch.autograd.grad(found, [hidden]), torch.autograd.grad(wanted, [hidden])
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@given(st.integers(1, 20), st.integers(2, 200), st.integers(1, 400), st.integers(1, 25), st.sampled_from(RULES))
@settings(deadline=None, max_examples=60)
def test_the_cut_into_blocks_and_chunks_changes_nothing(
    tokens: int, vocabulary: int, logits: int, chunk: int, rule: TokenRule
) -> None:
    hidden, head, targets, weights = drawn(tokens, vocabulary, 5, kind=torch.float64, bias=True, learns=True)
    states, weight, bias, factors = hidden.detach(), head.weight.detach(), head.bias.detach(), weights.double()
    losses, of_hidden = by_vocabulary_blocks(
        states, weight, bias, targets, rule, gradient=True, blocking=Blocking(logits, chunk)
    )
    everything = (True, True, True)
    in_chunks, gradients = linear_by_token_chunks(
        states, weight, bias, targets, rule, factors, everything, tokens=chunk
    )
    called, of_module = module_by_token_chunks(
        states, head, targets, rule, factors, True, list(head.parameters()), tokens=chunk
    )
    wanted = torch.autograd.grad(plain(hidden, head, targets, factors, rule), [hidden, head.weight, head.bias])
    for one in (losses, in_chunks, called):
        near((one * factors).sum(), plain(hidden, head, targets, factors, rule))
    assert of_hidden is not None
    torch.testing.assert_close(of_hidden * factors[:, None], wanted[0], rtol=1e-8, atol=1e-8)
    for found in (gradients, of_module):
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("learns", [False, True])
def test_logits_that_rise_and_fall_by_hundreds_stay_exact(learns: bool) -> None:
    """Where a later block holds a far higher logit, what was summed before it counts for nothing."""
    hidden, head, targets, _ = drawn(9, 4000, 4, kind=torch.float64, learns=learns)
    with torch.no_grad():
        head.weight.mul_(torch.linspace(0, 300, 4000)[torch.randperm(4000)][:, None])
    same_as_plain(hidden, head, targets)


def test_the_gradient_of_a_sure_token_is_not_lost_in_rounding() -> None:
    hidden, head, _, _ = drawn(1, 50, 8)
    with torch.no_grad():
        logits = head(hidden)
        target = logits.argmax(dim=1)
        hidden.mul_(20 / float(logits.max() - logits.topk(2).values[0, 1]))
    found = torch.autograd.grad(linear_cross_entropy(hidden, head, target)[0], hidden)[0]
    exact = hidden.detach().double().requires_grad_()
    wanted = torch.autograd.grad(plain(exact, head.double(), target), exact)[0]
    assert 0 < float(wanted.norm()) < 1e-7
    torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=0)


# ------------------------------------------------------------------------------------------------- kinds of heads


def tied(learns: bool = True) -> tuple[torch.nn.Embedding, torch.nn.Linear]:
    torch.manual_seed(1)
    embedding, head = torch.nn.Embedding(300, 12), torch.nn.Linear(12, 300, bias=False)
    head.weight = embedding.weight
    head.requires_grad_(learns)
    return embedding, head


def test_a_tied_weight_gets_the_gradients_of_both_its_uses() -> None:
    embedding, head = tied()
    ids, targets = torch.randint(0, 300, (25,)), torch.randint(0, 300, (25,))
    plain(embedding(ids).tanh(), head, targets).backward()
    wanted, embedding.weight.grad = embedding.weight.grad, None
    linear_cross_entropy(embedding(ids).tanh(), head, targets)[0].backward()
    assert wanted is not None
    assert embedding.weight.grad is not None
    near(embedding.weight.grad, wanted)


def test_a_model_with_a_tied_and_capped_head_has_the_loss_that_it_computes_itself() -> None:
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 200, "head_dim": 8}
    config = transformers.Gemma2Config(
        **sizes, num_attention_heads=2, num_key_value_heads=1, final_logit_softcapping=0.5, tie_word_embeddings=True
    )
    model = transformers.Gemma2ForCausalLM(config).train()
    ids = torch.randint(3, 200, (3, 11))
    model(input_ids=ids, labels=ids).loss.backward()
    wanted = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    states = model.model(input_ids=ids).last_hidden_state[:, :-1].reshape(-1, 16)
    rule = TokenRule(soft_cap=config.final_logit_softcapping)
    loss, count = linear_cross_entropy(states, model.get_output_embeddings(), ids[:, 1:].reshape(-1), None, rule)
    near((loss / count).detach(), model(input_ids=ids, labels=ids).loss.detach())
    (loss / count).backward()
    assert "lm_head.weight" not in wanted
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        near(parameter.grad, wanted[name], 1e-4)


class Model(torch.nn.Module):
    """What peft needs to find a head."""

    def __init__(self, width: int = 12, vocabulary: int = 300, bias: bool = False) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.lm_head = torch.nn.Linear(width, vocabulary, bias=bias)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["lora", "dora", "modules_to_save"])
def test_an_adapter_on_the_head_is_learned_and_counts(rule: TokenRule, ties: bool, kind: str) -> None:
    torch.manual_seed(2)
    model = Model(bias=not ties)
    if ties:
        model.lm_head.weight = model.embedding.weight
    settings = (
        peft.LoraConfig(r=4, target_modules=["embedding"], modules_to_save=["lm_head"])
        if kind == "modules_to_save"
        else peft.LoraConfig(r=4, target_modules=["lm_head"], lora_dropout=0.0, use_dora=kind == "dora")
    )
    head = peft.inject_adapter_in_model(settings, model).lm_head
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    hidden, targets = torch.randn(29, 12, requires_grad=True), torch.randint(0, 300, (29,))
    without = plain(hidden, head.base_layer if kind != "modules_to_save" else head.original_module, targets)
    assert abs(float((linear_cross_entropy(hidden, head, targets)[0] - without).detach())) > 1
    assert sum(parameter.requires_grad for parameter in head.parameters()) >= (1 if kind == "modules_to_save" else 2)
    same_as_plain(hidden, head, targets, torch.rand(29), rule)


def test_dropout_in_an_adapter_is_drawn_anew_and_its_gradient_is_of_that_draw() -> None:
    model = Model()
    settings = peft.LoraConfig(r=4, target_modules=["lm_head"], lora_dropout=0.5)
    head = peft.inject_adapter_in_model(settings, model).lm_head.train()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    hidden, targets = torch.randn(29, 12, requires_grad=True), torch.randint(0, 300, (29,))
    learning = [hidden, *(parameter for parameter in head.parameters() if parameter.requires_grad)]
    gradients = []
    for loss in (lambda: linear_cross_entropy(hidden, head, targets)[0], lambda: plain(hidden, head, targets)):
        torch.manual_seed(5)
        gradients.append(torch.autograd.grad(loss(), learning))
    for one, other in zip(*gradients, strict=True):
        near(one, other)


def test_a_hook_on_a_linear_head_is_called() -> None:
    hidden, head, targets, _ = drawn()
    handle = head.register_forward_hook(lambda module, inputs, output: output * 0.5)
    same_as_plain(hidden, head, targets)
    handle.remove()


def test_a_head_that_needs_its_output_on_the_way_back() -> None:
    hidden, linear, targets, _ = drawn(learns=True)
    same_as_plain(hidden, torch.nn.Sequential(linear, torch.nn.Tanh()), targets)


@pytest.mark.parametrize("learns", [False, True])
def test_hidden_states_that_need_no_gradient(learns: bool) -> None:
    hidden, head, targets, _ = drawn(learns=learns)
    loss, _ = linear_cross_entropy(hidden.detach(), head, targets)
    assert loss.requires_grad is learns
    near(loss, plain(hidden, head, targets))
    if learns:
        (found,) = torch.autograd.grad(loss, [head.weight])
        near(found, torch.autograd.grad(plain(hidden, head, targets), [head.weight])[0])


# --------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("learns", [False, True])
def test_gradients_equal_finite_differences(rule: TokenRule, learns: bool) -> None:
    hidden, head, targets, weights = drawn(5, 11, 3, kind=torch.float64, bias=True, learns=learns)

    def loss(states: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return linear_cross_entropy(states, head, targets, weights.double(), rule)[0]

    assert torch.autograd.gradcheck(loss, (hidden, *(head.parameters() if learns else ())))


@pytest.mark.parametrize("learns", [False, True])
def test_several_losses_in_one_graph_and_what_stands_above_them(learns: bool) -> None:
    """As R-Drop and adversarial training have it: two passes, a share of each, one backward pass or two."""
    hidden, head, targets, weights = drawn(learns=learns)
    body = torch.nn.Linear(16, 16)
    learning = [*body.parameters(), *(head.parameters() if learns else ())]

    def combined(loss: Callable[..., torch.Tensor]) -> torch.Tensor:
        first, second = loss(body(hidden), head, targets, weights), loss(body(hidden * 1.1), head, targets)
        return 0.3 * first + 0.7 * second.square()

    wanted = torch.autograd.grad(combined(plain), learning)
    together = torch.autograd.grad(combined(lambda *given: linear_cross_entropy(*given)[0]), learning)
    for one, other in zip(together, wanted, strict=True):
        near(one, other)


@pytest.mark.parametrize("learns", [False, True])
def test_asking_twice_gives_the_same_gradients_twice(learns: bool) -> None:
    hidden, head, targets, weights = drawn(learns=learns)
    loss, _ = linear_cross_entropy(hidden, head, targets, weights)
    inputs = [hidden, *(head.parameters() if learns else ())]
    once = [one.clone() for one in torch.autograd.grad(3 * loss, inputs, retain_graph=True)]
    loss.backward(retain_graph=True)
    loss.backward(2 * torch.ones(()))
    for tensor, gradient in zip(inputs, once, strict=True):
        assert tensor.grad is not None
        near(tensor.grad, gradient)


def test_asking_twice_after_a_step_is_refused() -> None:
    hidden, head, targets, _ = drawn(learns=True)
    loss, _ = linear_cross_entropy(hidden, head, targets)
    loss.backward(retain_graph=True)
    torch.optim.SGD(head.parameters(), lr=0.1).step()
    with pytest.raises(RuntimeError, match="have changed since"):
        loss.backward()


def test_a_second_derivative_is_refused() -> None:
    hidden, head, targets, _ = drawn()
    loss, _ = linear_cross_entropy(hidden, head, targets)
    with pytest.raises(RuntimeError, match="differentiated once"):
        torch.autograd.grad(loss, hidden, create_graph=True)


@pytest.mark.parametrize("learns", [False, True])
def test_a_step_in_eight_pieces_is_a_step(learns: bool) -> None:
    """8 × 1 equals 1 × 8, also where pieces hold very different numbers of tokens."""
    hidden, head, targets, weights = drawn(80, learns=learns)
    sizes = [1, 30, 2, 0, 7, 11, 28, 1]
    inputs = [hidden, *(head.parameters() if learns else ())]
    whole, count = linear_cross_entropy(hidden, head, targets, weights)
    wanted = torch.autograd.grad(whole / count, inputs)
    pieces = [
        linear_cross_entropy(*parts)
        for parts in zip(hidden.split(sizes), [head] * 8, targets.split(sizes), weights.split(sizes), strict=True)
    ]
    total = sum(items for _, items in pieces)
    assert int(total) == int(count)
    for loss, _ in pieces:
        (loss / total).backward()
    near(sum(loss for loss, _ in pieces), whole)
    for tensor, gradient in zip(inputs, wanted, strict=True):
        near(tensor.grad, gradient)


# ---------------------------------------------------------------------------------------------- counts, no tokens


def test_tokens_with_a_weight_are_counted_and_others_have_no_gradient() -> None:
    hidden, head, targets, _ = drawn(4)
    weights = torch.tensor([1.0, 0.0, 0.25, 2.0])
    loss, count = linear_cross_entropy(hidden, head, targets, weights)
    assert (int(count), count.dtype) == (3, torch.int64)
    near(loss, plain(hidden, head, targets, weights))
    loss.backward()
    assert hidden.grad is not None
    assert not hidden.grad[1].any()
    assert int(linear_cross_entropy(hidden, head, targets)[1]) == 4


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("called", [False, True])
def test_without_tokens_the_loss_is_a_zero_that_is_part_of_the_graph(learns: bool, called: bool) -> None:
    _, linear, _, _ = drawn(learns=learns)
    head = torch.nn.Sequential(linear) if called else linear
    states = torch.nn.Linear(16, 16)(torch.zeros(2, 3, 16))
    mask = torch.zeros(2, 3, dtype=torch.bool)
    loss, count = linear_cross_entropy(states[mask], head, torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert (float(loss.detach()), int(count)) == (0.0, 0)
    loss.backward()
    only_head, _ = linear_cross_entropy(torch.zeros(0, 16), head, torch.zeros(0, dtype=torch.int64))
    assert only_head.requires_grad is learns
    assert not len(token_losses(torch.zeros(0, 16), head, torch.zeros(0, dtype=torch.int64)))


@pytest.mark.parametrize("called", [False, True])
def test_a_target_outside_of_the_vocabulary_is_refused(called: bool) -> None:
    hidden, linear, targets, _ = drawn()
    head = torch.nn.Sequential(linear) if called else linear
    for wrong in (-100, 1000):
        targets[3] = wrong
        with pytest.raises(ValueError, match=f"{wrong}.* for a vocabulary of 1000"):
            linear_cross_entropy(hidden, head, targets)
        with pytest.raises(ValueError, match="for a vocabulary of 1000"):
            token_losses(hidden, head, targets)


def test_shapes_that_do_not_go_together_and_numbers_out_of_range_are_refused() -> None:
    hidden, head, targets, weights = drawn()
    with pytest.raises(ValueError, match=r"\(1, 37, 16\) for targets"):
        linear_cross_entropy(hidden[None], head, targets)
    with pytest.raises(ValueError, match=r"weights of shape \(36,\)"):
        linear_cross_entropy(hidden, head, targets, weights[1:])
    for wrong in ({"soft_cap": 0.0}, {"label_smoothing": 1.0}, {"z_loss": -1.0}, {"soft_cap": float("nan")}):
        with pytest.raises(ValueError, match="must"):
            TokenRule(**wrong)


# ------------------------------------------------------------------------------------------------- held-out loss


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("soft_cap", [None, 5.0])
def test_held_out_losses_are_those_of_each_token(called: bool, soft_cap: float | None) -> None:
    hidden, linear, targets, _ = drawn(bias=True, learns=True)
    head = torch.nn.Sequential(linear) if called else linear
    with torch.inference_mode():
        found = token_losses(hidden, head, targets, soft_cap)
        summed, _ = linear_cross_entropy(hidden, head, targets, None, TokenRule(soft_cap))
    assert (found.shape, found.dtype, found.requires_grad) == ((37,), torch.float32, False)
    alone = [plain(hidden[at : at + 1], head, targets[at : at + 1], None, TokenRule(soft_cap)) for at in range(37)]
    near(found, torch.stack(alone))
    near(found.sum(), summed)
    assert bool((token_losses(hidden * 100, linear, linear(hidden * 100).argmax(dim=1)) >= 0).all())


# ------------------------------------------------------------------------------------------------------ 16 bits


@pytest.mark.parametrize("learns", [False, True])
def test_weights_in_16_bits_under_states_in_32_are_computed_in_32(learns: bool) -> None:
    hidden, head, targets, weights = drawn(bias=True)
    rounded = torch.nn.Linear(16, 1000, dtype=torch.bfloat16)
    rounded.load_state_dict(head.state_dict())
    rounded.requires_grad_(learns)
    head.load_state_dict(rounded.state_dict())
    found, _ = linear_cross_entropy(hidden, rounded, targets, weights)
    near(found, plain(hidden, head, targets, weights))
    (gradient,) = torch.autograd.grad(found, hidden)
    near(gradient, torch.autograd.grad(plain(hidden, head, targets, weights), hidden)[0])


@pytest.mark.parametrize("narrow", [False, True])
def test_in_bfloat16_it_is_nearer_to_32_bits_than_all_logits_in_bfloat16(narrow: bool) -> None:
    """Losses within 1 %, gradients of the batch within 2 %: what rounding the states and weights alone amounts to."""
    torch.manual_seed(4)
    head = torch.nn.Linear(64, 5000, bias=False)
    states, targets = 4 * torch.randn(60, 64), torch.randint(0, 5000, (60,))
    with torch.no_grad():
        targets[:40] = head(states[:40]).argmax(dim=1)
    exact = states.clone().requires_grad_()
    wanted = plain(exact, head, targets)
    of_states, of_weight = torch.autograd.grad(wanted, [exact, head.weight])
    rule, everything = TokenRule(), (True, True, False)
    losses, found = linear_by_token_chunks(
        states.bfloat16(), head.weight.detach().bfloat16(), None, targets, rule, None, everything, narrow=narrow
    )
    assert float(losses.sum()) == pytest.approx(float(wanted.detach()), rel=0.01)
    coarse, whole = states.bfloat16().requires_grad_(), torch.nn.Linear(64, 5000, bias=False, dtype=torch.bfloat16)
    whole.load_state_dict(head.state_dict())
    of_plain = torch.autograd.grad(plain(coarse, whole, targets), [coarse, whole.weight])
    for one, other, rounded in zip(found, (of_states, of_weight), of_plain, strict=False):
        assert one is not None
        error = float((one - other).norm() / other.norm())
        assert error < 0.02
        assert error < 1.1 * float((rounded - other).norm() / other.norm())


@pytest.mark.parametrize("learns", [False, True])
def test_everything_in_bfloat16_gives_gradients_in_bfloat16(learns: bool) -> None:
    hidden, head, targets, _ = drawn(kind=torch.bfloat16, learns=learns)
    loss, _ = linear_cross_entropy(hidden, head, targets)
    assert loss.dtype == torch.float32
    loss.backward()
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.bfloat16
    assert (head.weight.grad is not None) is learns


# ------------------------------------------------------------------------------------------------------- memory

MEASURED = """
import sys, torch
from pathlib import Path
from supertune.train import linear_cross_entropy
torch.set_num_threads(1)
kind = sys.argv[1]

def entry(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024

for tokens, vocabulary in ((250, 80_000), (500, 160_000)):
    head = torch.nn.Linear(32, vocabulary, bias=False).requires_grad_(kind == "learns")
    if kind == "module":
        import peft
        model = torch.nn.ModuleDict({"head": head})
        head = peft.inject_adapter_in_model(peft.LoraConfig(r=4, target_modules=["head"]), model)["head"]
    hidden = torch.randn(tokens, 32, requires_grad=True)
    targets = torch.randint(0, vocabulary, (tokens,))
    linear_cross_entropy(hidden[:2], head, targets[:2])
    Path("/proc/self/clear_refs").write_text("5")
    before = entry("VmRSS")
    linear_cross_entropy(hidden, head, targets)[0].backward()
    print(entry("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is read from /proc")
@pytest.mark.parametrize(("kind", "bound"), [("frozen", 24), ("learns", 180), ("module", 260)])
def test_memory_does_not_grow_with_tokens_times_vocabulary(kind: str, bound: int) -> None:
    """Twice the tokens and twice the vocabulary: all logits would be 80 and 320 MB, several times over.

    MB beyond what was there before, with a weight's gradient of 10 and 20 MB where it learns.
    """

    command = [sys.executable, "-c", MEASURED, kind]
    small, large = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert large < bound
    assert large - small < 80
