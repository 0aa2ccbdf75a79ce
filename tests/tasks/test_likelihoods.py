"""The loss of what is to be written, without all logits, is the loss that the model's own logits give."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from supertune.contracts import Features
from supertune.errors import UserError
from supertune.evaluate import estimate
from supertune.tasks.before_head import before_head
from supertune.tasks.likelihoods import check_head, likelihood_outcome, summed_loss, token_likelihoods
from supertune.train import TokenRule, linear_cross_entropy, token_losses

VOCABULARY = 60
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def decoder(kind: str, **changes: Any) -> Any:
    import transformers

    torch.manual_seed(0)
    if kind == "gpt2":
        config: Any = transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=2
        )
        return transformers.GPT2LMHeadModel(config).eval()
    if kind == "gemma2":
        config = transformers.Gemma2Config(**SIZES, head_dim=8, final_logit_softcapping=3.0, **changes)
        model: Any = transformers.Gemma2ForCausalLM(config)
        # Logits that the cap bears on.
        torch.nn.init.normal_(model.model.embed_tokens.weight, std=2.0)
        return model.eval()
    config = transformers.LlamaConfig(**SIZES, tie_word_embeddings=kind == "tied", **changes)
    return transformers.LlamaForCausalLM(config).eval()


def with_adapter(model: Any, kind: str) -> Any:
    import peft

    torch.manual_seed(1)
    if kind == "lora":
        config: Any = peft.LoraConfig(
            r=2, target_modules=["q_proj", "v_proj", "lm_head"], init_lora_weights=False, task_type="CAUSAL_LM"
        )
    elif kind == "prompt":
        config = peft.PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    else:
        config = peft.PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        # peft asks transformers by an older name.
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(model, config).eval()


MODELS = {
    "llama": lambda: decoder("llama"),
    "tied": lambda: decoder("tied"),
    "gemma2": lambda: decoder("gemma2"),
    "gpt2": lambda: decoder("gpt2"),
    "lora": lambda: with_adapter(decoder("llama"), "lora"),
    "prompt": lambda: with_adapter(decoder("llama"), "prompt"),
    "prefix": lambda: with_adapter(decoder("llama"), "prefix"),
}


def batch_of(lengths: tuple[int, ...] = (9, 4, 1, 6)) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(3)
    longest = max(lengths)
    mask = np.arange(longest) < np.array(lengths)[:, None]
    ids = np.where(mask, random.integers(3, VOCABULARY, mask.shape), 0)
    # Weights of padding must not count, whatever they are, and that of a first token neither.
    weights = random.choice([0.0, 0.5, 1.0, 2.0], size=mask.shape)
    weights[0, :2] = (1.0, 2.0)
    found = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "weights": weights.astype(np.float32)}
    return {name: torch.from_numpy(values) for name, values in found.items()}


def criterion(hidden: Any, head: Any, following: Any, weights: Any, cap: float | None) -> Any:
    return linear_cross_entropy(hidden, head, following, weights, TokenRule(soft_cap=cap))


def by_logits(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """−ln p of each token by the model's own logits, (items, tokens), and what of them counts how much."""
    tokens = batch["input_ids"].shape[1]
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, -tokens:]
    told = -torch.log_softmax(logits[:, :-1].float(), -1).gather(-1, batch["input_ids"][:, 1:, None])[..., 0]
    counts = batch["weights"][:, 1:] * batch["attention_mask"][:, 1:]
    zero = torch.zeros(len(told), 1)
    return torch.cat([zero, told], 1), torch.cat([zero, counts], 1)


@pytest.mark.filterwarnings("ignore:Position ids are not supported:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_loss_and_gradients_are_those_of_the_models_own_logits(name: str) -> None:
    model, batch = MODELS[name](), batch_of()
    losses, weights = by_logits(model, batch)
    expected = (losses * weights).sum()
    expected.backward()
    gradients = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
    assert gradients
    model.zero_grad()
    loss, count = summed_loss(model, batch, criterion)
    assert int(count) == int((weights != 0).sum())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    found = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    assert found.keys() == gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(found[key], gradient, atol=2e-5, rtol=1e-4)
    with torch.no_grad():
        each = token_likelihoods(model, batch, token_losses)
    torch.testing.assert_close(each, torch.where(weights != 0, losses, 0.0).detach(), atol=1e-5, rtol=1e-5)
    check_head(model, batch, token_losses, where=name)


def test_the_model_is_as_it_was_afterwards() -> None:
    model, batch = decoder("llama"), batch_of()
    head = model.get_output_embeddings()
    states = before_head(model, batch)
    assert not head._forward_pre_hooks
    assert states.shape == (4, 9, 16)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    torch.testing.assert_close(head(states), logits)


def test_nothing_to_learn_is_no_loss_and_still_connected() -> None:
    model, batch = decoder("llama"), batch_of()
    batch["weights"][:] = 0
    loss, count = summed_loss(model, batch, criterion)
    assert (loss.item(), int(count)) == (0.0, 0)
    loss.backward()
    assert not token_likelihoods(model, batch, token_losses).any()
    check_head(model, batch, token_losses, where="nothing")


def test_a_model_that_scales_its_logits_is_refused() -> None:
    import transformers

    torch.manual_seed(0)
    config = transformers.GraniteConfig(**SIZES, logits_scaling=8.0, initializer_range=1.0)
    model = transformers.GraniteForCausalLM(config).eval()
    with pytest.raises(UserError, match="'granite' changes its logits"):
        check_head(model, batch_of(), token_losses, where="a model")


def test_likelihoods_are_counted_per_token_and_per_character() -> None:
    features = Features(
        tokens={
            "input_ids": np.arange(6, dtype=np.int32),
            "weights": np.array([0, 1, 2, 0, 0, 0.5], np.float32),
            "characters": np.array([0, 3, 0, 0, 0, 2], np.uint16),
        },
        offsets=np.array([0, 3, 6]),
        targets={},
        rows=np.arange(2),
        full_lengths=np.array([3, 3]),
    )
    outcome = likelihood_outcome(np.array([4.0, 2.0], np.float32), features)
    assert outcome.targets.tolist() == [[2, 3], [1, 2]]
    assert estimate(outcome, "loss_per_token") == pytest.approx(6 / 3)
    assert estimate(outcome, "bits_per_character") == pytest.approx(6 / np.log(2) / 5)
