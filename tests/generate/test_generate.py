"""Texts written side by side are those written one by one, whatever the model, the adapter and the lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from tiny_writers import BEGIN, PROMPTS, STOP, WRITERS, decode, encode, writer

from supertune.errors import UserError
from supertune.generate import Generated, GenerationSettings, generate

# Not a multiple of the steps after which rows leave a batch.
SETTINGS = GenerationSettings(max_new_tokens=21, stop_ids=(STOP,))
PROMPT_IDS = [encode(text) for text in PROMPTS]
DECODERS = [name for name in WRITERS if name not in ("t5", "bart")]


def alone(model: Any, settings: GenerationSettings, prompts: Sequence[Sequence[int]] = PROMPT_IDS) -> list[Generated]:
    return [generate(model, [prompt], settings, decode=decode)[0] for prompt in prompts]


def agree(some: Sequence[Generated], others: Sequence[Generated]) -> None:
    for one, other in zip(some, others, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert (one.text, one.ended) == (other.text, other.ended)
        assert one.log_probability == pytest.approx(other.log_probability, rel=1e-4, abs=1e-3)


def stopping_early(found: Sequence[Generated]) -> tuple[int, ...]:
    """Tokens that end some of these texts early and others not."""
    return (STOP, int(found[0].ids[4]), int(found[3].ids[9]))


@pytest.mark.parametrize("name", WRITERS)
def test_a_batch_writes_what_each_prompt_gets_alone(name: str) -> None:
    model = writer(name)
    single = alone(model, SETTINGS)
    agree(generate(model, PROMPT_IDS, SETTINGS, decode=decode), single)
    settings = replace(SETTINGS, stop_ids=stopping_early(single), most_rows=4)
    single = alone(model, settings)
    assert "stop" in {one.ended for one in single}
    agree(generate(model, PROMPT_IDS, settings, decode=decode), single)
    agree(generate(model, PROMPT_IDS, replace(settings, use_cache=False), decode=decode), single)


@pytest.mark.parametrize("name", WRITERS)
def test_one_prompt_gets_what_transformers_writes_and_its_log_probability(name: str) -> None:
    model = writer(name)
    for prompt in PROMPT_IDS[:3]:
        (found,) = generate(model, [prompt], SETTINGS, decode=decode)
        ids = torch.tensor([prompt])
        theirs = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=21, do_sample=False, eos_token_id=STOP
        )[0].tolist()
        encoder = model.config.is_encoder_decoder
        start = theirs[:1] if encoder else prompt
        assert found.ids.tolist() == theirs[len(start) :]
        with torch.no_grad():
            given = {"input_ids": ids, "decoder_input_ids": torch.tensor([theirs])} if encoder else None
            logits = model(**(given or {"input_ids": torch.tensor([theirs])})).logits[0]
        wanted = logits.log_softmax(-1)[torch.arange(len(theirs) - 1), theirs[1:]][len(start) - 1 :]
        assert found.log_probability == pytest.approx(float(wanted.sum()), rel=1e-4, abs=1e-4)
        assert found.tokens == len(found.ids) == len(wanted)


# peft uses names of transformers that are about to change, and tells of GPT-2's transposed layers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False"),
]


def adapted(name: str, kind: str) -> Any:
    common: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    configs = {
        "lora": lambda: peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, **common),
        "prompt": lambda: peft.PromptTuningConfig(num_virtual_tokens=5, **common),
        "p-tuning": lambda: peft.PromptEncoderConfig(num_virtual_tokens=5, encoder_hidden_size=16, **common),
        "prefix": lambda: peft.PrefixTuningConfig(num_virtual_tokens=5, **common),
    }
    torch.manual_seed(3)
    return peft.get_peft_model(writer(name), configs[kind]()).eval()


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("kind", ["lora", "prompt", "p-tuning", "prefix"])
def test_with_an_adapter_a_batch_writes_what_each_prompt_gets_alone(name: str, kind: str) -> None:
    model = adapted(name, kind)
    single = alone(model, SETTINGS)
    agree(generate(model, PROMPT_IDS, SETTINGS, decode=decode), single)
    without = alone(writer(name), SETTINGS)
    assert any(one.ids.tolist() != other.ids.tolist() for one, other in zip(single, without, strict=True))


def test_an_encoder_decoder_with_an_adapter_writes_in_a_batch_what_it_writes_alone() -> None:
    torch.manual_seed(3)
    model = writer("t5")
    without = alone(model, SETTINGS)
    config = peft.LoraConfig(r=4, target_modules=["q", "v"], init_lora_weights=False)
    adapted_model = peft.get_peft_model(model, config).eval()
    single = alone(adapted_model, SETTINGS)
    agree(generate(adapted_model, PROMPT_IDS, SETTINGS, decode=decode), single)
    assert any(one.ids.tolist() != other.ids.tolist() for one, other in zip(single, without, strict=True))


@pytest.mark.filterwarnings("ignore:Position ids are not supported")
@pytest.mark.parametrize("kind", ["lora", "prompt", "p-tuning", "prefix"])
def test_with_an_adapter_one_prompt_gets_what_peft_writes(kind: str) -> None:
    model = adapted("llama", kind)
    for prompt in PROMPT_IDS[:3]:
        ids = torch.tensor([prompt])
        asked: dict[str, Any] = {"max_new_tokens": 21, "do_sample": False, "eos_token_id": STOP}
        theirs = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **asked)[0].tolist()
        assert generate(model, [prompt], SETTINGS, decode=decode)[0].ids.tolist() == theirs[len(prompt) :]


def test_the_padding_token_may_be_the_one_that_stops_and_stand_in_prompts() -> None:
    model = writer("llama")
    prompts = [[BEGIN, STOP, 70, STOP], [STOP], [BEGIN, *range(70, 100), STOP]]
    settings = replace(SETTINGS, repetition_penalty=1.3)
    agree(generate(model, prompts, settings, decode=decode), alone(model, settings, prompts))


class Counting(transformers.GPT2LMHeadModel):
    """Counts positions from the first token, padding or not."""

    def forward(self, *given: Any, **named: Any) -> Any:
        named["position_ids"] = None
        return super().forward(*given, **named)


def test_a_model_that_cannot_tell_padding_from_text_gets_none() -> None:
    torch.manual_seed(0)
    model = Counting(transformers.GPT2Config(**WRITERS["gpt2"][1])).eval()
    prompts = [*PROMPT_IDS, encode("b"), encode("再见")]
    agree(generate(model, prompts, SETTINGS, decode=decode), alone(model, SETTINGS, prompts))


class Cramped(transformers.LlamaForCausalLM):
    """Runs out of memory with more than two rows."""

    most = 2

    def forward(self, *given: Any, **named: Any) -> Any:
        if len(named["input_ids"]) > self.most:
            raise torch.OutOfMemoryError("no memory")
        return super().forward(*given, **named)


def test_batches_are_halved_when_memory_runs_out_and_one_row_that_does_not_fit_is_told() -> None:
    torch.manual_seed(0)
    model = Cramped(transformers.LlamaConfig(**WRITERS["llama"][1])).eval()
    agree(generate(model, PROMPT_IDS, SETTINGS, decode=decode), alone(model, SETTINGS))
    model.most = 0
    with pytest.raises(UserError, match="not enough memory"):
        generate(model, PROMPT_IDS[:1], SETTINGS, decode=decode)


def test_what_is_drawn_repeats_with_its_seed_and_disturbs_nobody() -> None:
    model = writer("llama")
    settings = replace(SETTINGS, temperature=1.0, top_p=0.95, top_k=50, seed=7)
    before = torch.get_rng_state()
    found = generate(model, PROMPT_IDS, settings, decode=decode)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    agree(generate(model, PROMPT_IDS, settings, decode=decode), found)
    other = generate(model, PROMPT_IDS, replace(settings, seed=8), decode=decode)
    assert any(one.ids.tolist() != another.ids.tolist() for one, another in zip(found, other, strict=True))


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_beams_find_likelier_texts_and_say_how_likely(name: str) -> None:
    model = writer(name)
    settings = replace(SETTINGS, stop_ids=(), max_new_tokens=8)
    greedy = generate(model, PROMPT_IDS, settings, decode=decode)
    beams = generate(model, PROMPT_IDS, replace(settings, beams=4), decode=decode)
    gained = [one.log_probability - other.log_probability for one, other in zip(beams, greedy, strict=True)]
    assert np.mean(gained) > 0
    for one, other in zip(beams, greedy, strict=True):
        if one.ids.tolist() == other.ids.tolist():
            assert one.log_probability == pytest.approx(other.log_probability, rel=1e-4, abs=1e-4)
    agree(beams, alone(model, replace(settings, beams=4)))


def test_the_models_own_taste_is_set_aside_and_given_back() -> None:
    model = writer("llama")
    wanted = generate(model, PROMPT_IDS, SETTINGS, decode=decode)
    taste = transformers.GenerationConfig(
        do_sample=True, temperature=2.0, top_k=5, repetition_penalty=3.0, num_beams=2, eos_token_id=[70, 71]
    )
    model.generation_config = taste
    model.train()
    agree(generate(model, PROMPT_IDS, SETTINGS, decode=decode), wanted)
    assert model.generation_config is taste
    assert all(module.training for module in model.modules())
    # Without stop tokens of ours those that it names are its own.
    (found,) = generate(model, PROMPT_IDS[:1], replace(SETTINGS, stop_ids=None, max_new_tokens=100), decode=decode)
    assert not {70, 71} & set(found.ids[:-1].tolist())


def test_progress_is_told_and_can_stop_between_steps() -> None:
    model = writer("llama")
    told: list[tuple[int, int]] = []
    found = generate(
        model, PROMPT_IDS, replace(SETTINGS, most_rows=3), decode=decode, progress=lambda *seen: told.append(seen)
    )
    assert told[-1] == (len(found), told[-2][1])
    assert told == sorted(told)
    assert told[-1][1] >= sum(one.tokens for one in found)

    def stop(rows: int, tokens: int) -> None:
        if tokens > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(model, PROMPT_IDS, SETTINGS, decode=decode, progress=stop)
    agree(generate(model, PROMPT_IDS, SETTINGS, decode=decode), found)


def test_prompts_that_leave_no_room_are_refused_or_cut_and_counted() -> None:
    decoder, encoder = writer("gpt2"), writer("bart")
    long = [BEGIN, *range(10, 250)]
    for model in (decoder, encoder):
        with pytest.raises(UserError, match="prompt 1 has 241 tokens"):
            generate(model, [[BEGIN], long], SETTINGS, decode=decode)
    settings = replace(SETTINGS, too_long="cut")
    # 160 positions: 21 for the answer, one for the token that begins texts, and the last 138.
    for model, shorter, cut in ((decoder, [BEGIN, *long[-138:]], 102), (encoder, [*long[:159], long[-1]], 81)):
        found = generate(model, [[BEGIN, 70], long], settings, decode=decode)
        assert [one.cut for one in found] == [0, cut]
        agree(found[1:], [replace(one, cut=cut) for one in alone(model, settings, [shorter])])
    with pytest.raises(UserError, match="no room"):
        generate(decoder, [long], replace(settings, max_new_tokens=160), decode=decode)


@pytest.mark.parametrize(("prompt", "wrong"), [([], "no tokens"), ([1, 999], "token 999"), ([-1], "token -1")])
def test_prompts_that_are_none_are_refused(prompt: list[int], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        generate(writer("llama"), [[BEGIN], prompt], SETTINGS, decode=decode)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_new_tokens": 0},
        {"beams": 0},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 0.9},
        {"top_k": 5},
        {"repetition_penalty": 0},
        {"stop_strings": ("",)},
        {"beams": 2, "temperature": 1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        GenerationSettings(**settings)
    assert caught.value.fix


def test_no_prompts_get_no_texts_and_what_adapters_cannot_do_is_said() -> None:
    assert generate(writer("llama"), [], SETTINGS, decode=decode) == []
    config = peft.MultitaskPromptTuningConfig(num_virtual_tokens=5, num_tasks=2, task_type="CAUSAL_LM")
    with pytest.raises(UserError, match="MULTITASK_PROMPT_TUNING"):
        generate(peft.get_peft_model(writer("llama"), config), PROMPT_IDS, SETTINGS, decode=decode)
