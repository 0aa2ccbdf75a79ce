"""What holds for every strategy, on the architectures that people classify with."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from test_layers import changed, copies

from architectures import LABELS, classifier, moved
from supertune.errors import UserError
from supertune.strategies import STRATEGIES, build_strategy
from supertune.strategies.own_weights import quiet_saving
from supertune.strategies.parts import head_parameters

ARCHITECTURES = ["bert", "xlm-roberta", "distilbert", "modernbert", "deberta-v2", "electra", "llama", "gpt2"]
WITHOUT = {
    ("bitfit", "llama"): "no biases",
    ("bitfit", "modernbert"): "no biases",
    **{(name, kind): "refused" for name in ("prompt", "p-tuning") for kind in ("llama", "gpt2")},
    **{("prefix", kind): "refused" for kind in ("deberta-v2", "distilbert", "modernbert")},
}
LEARNING = [name for name in STRATEGIES if name != "zero-shot"]
"""Those that learn from rows; what zero-shot makes of labels is in test_few_shot.py."""
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "full": [{"layer_decay": 0.8, "reinitialise": 1}],
    "partial": [{"layers": 1}, {"modules": ["*.1.*"]}],
    "lora": [
        {"ranks": [1, 2, 3], "rank_stabilised": True},
        {"initialisation": "pissa", "rank": 4},
        {"initialisation": "pissa", "ranks": [1, 2, 3], "rank_stabilised": True},
        {"rank": 2, "alpha": 5.0, "adapter_dropout": 0.1, "lora_plus": 4.0},
    ],
    "dora": [{"rank": 2}, {"rank": 3, "initialisation": "pissa"}],
    "adapter": [{"width": 3, "placement": "pfeiffer"}],
    "prompt": [{"tokens": 3, "initialisation": "random"}],
    "p-tuning": [{"tokens": 2, "width": 8}],
    "prefix": [{"tokens": 3}],
}
BEGINS_UNCHANGED = ["full", "partial", "lora", "dora", "adapter", "ia3", "bitfit", "layernorm"]
KINDS = ["bert", "llama", "gpt2"]
"""Encoder, decoder, and one whose matrices are the other way round."""
CASES = [(name, {}) for name in LEARNING] + [(name, how) for name, more in SETTINGS.items() for how in more]

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 40, (4, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 5, 2, 7)):
        mask[row, length:], ids[row, length:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


def logits(model: Any, inputs: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**(inputs or batch())).logits
    return found


def prepared(name: str, how: dict[str, Any], architecture: str) -> tuple[Any, Any]:
    strategy = build_strategy(name, how)
    return strategy, strategy.prepare(classifier(architecture))


def opened_again(strategy: Any, base: Any, folder: Path) -> Any:
    if strategy.adapter:
        return strategy.load(base, str(folder))
    # The folder of a strategy with a head of its own holds the body; the head is beside it.
    with quiet_saving():
        whole = type(base).from_pretrained(folder, num_labels=LABELS, pad_token_id=0)
    return strategy.load(whole, str(folder))


def skip_without(name: str, architecture: str) -> None:
    if (name, architecture) in WITHOUT:
        pytest.skip(WITHOUT[name, architecture])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", LEARNING)
def test_what_is_read_back_is_what_was_trained(name: str, architecture: str, tmp_path: Path) -> None:
    skip_without(name, architecture)
    strategy, model = prepared(name, {}, architecture)
    trained = logits(moved(model))
    assert not torch.allclose(trained, logits(classifier(architecture)), atol=1e-3)
    strategy.save(model, str(tmp_path), "the-base")
    # Another head of random weights, as a base model has it.
    base = classifier(architecture)
    with torch.no_grad():
        for parameter in head_parameters(base):
            base.get_parameter(parameter).normal_()
    opened = opened_again(strategy, base, tmp_path)
    torch.testing.assert_close(logits(opened), trained, atol=1e-6, rtol=1e-5)
    assert (tmp_path / "config.json").exists() is not strategy.adapter


@pytest.mark.parametrize(("name", "how"), CASES, ids=str)
def test_with_every_setting_too(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    strategy, model = prepared(name, how, "bert")
    trained = logits(moved(model))
    strategy.save(model, str(tmp_path), "the-base")
    opened = opened_again(strategy, classifier("bert"), tmp_path)
    torch.testing.assert_close(logits(opened), trained, atol=2e-6, rtol=1e-5)
    assert torch.equal(logits(model), trained), "saving leaves the model as it was"


@pytest.mark.parametrize(("name", "how"), [case for case in CASES if STRATEGIES[case[0]]().mergeable], ids=str)
@pytest.mark.parametrize("architecture", KINDS)
def test_merged_computes_the_same(name: str, how: dict[str, Any], architecture: str, tmp_path: Path) -> None:
    strategy, model = prepared(name, how, architecture)
    strategy.save(moved(model), str(tmp_path), "the-base")
    opened = strategy.load(classifier(architecture), str(tmp_path))
    before = logits(opened)
    merged = strategy.merge(opened)
    assert type(merged) is type(classifier(architecture))
    assert set(dict(merged.named_parameters())) == set(dict(classifier(architecture).named_parameters()))
    torch.testing.assert_close(logits(merged), before, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", KINDS)
@pytest.mark.parametrize("name", LEARNING)
def test_only_what_should_learn_moves(name: str, architecture: str) -> None:
    """After a step of a plain optimizer; every other tensor is the same to the last bit."""
    skip_without(name, architecture)
    strategy, model = prepared(name, {}, architecture)
    base = dict(classifier(architecture).named_parameters())
    before = copies(model)
    groups = strategy.parameter_groups(model, 1e-2, 0.01)
    learning = [parameter for group in groups for parameter in group.names]
    assert len(learning) == len(set(learning))
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.SGD([parameters[parameter] for parameter in learning], lr=1.0)
    loss = torch.nn.functional.cross_entropy(moved(model).train()(**batch()).logits, torch.tensor([0, 1, 2, 0]))
    before = copies(model)
    loss.backward()
    optimizer.step()
    now = changed(model, before)
    # Whatever is added to all keys alike, the softmax over them does not see.
    assert {parameter for parameter in set(learning) - now if not parameter.endswith("key.bias")} == set()
    assert now <= set(learning)
    if name == "probe":
        assert now == set(learning) == {"classifier.weight", "classifier.bias"}
        return
    if name == "contrastive":
        assert {f"body.{parameter}" for parameter in base_of(architecture)} >= now > set()
        return
    heads = {parameter for parameter in learning if is_head(parameter, head_parameters(classifier(architecture)))}
    assert heads
    assert heads <= now
    for parameter in set(learning) - heads:
        assert learns(name, parameter, base), parameter


def base_of(architecture: str) -> set[str]:
    """Parameters of the body, its pooler apart."""
    return {name for name, _ in classifier(architecture).base_model.named_parameters() if "pooler" not in name}


def is_head(parameter: str, heads: set[str]) -> bool:
    plain = parameter.removeprefix("base_model.").removeprefix("model.").replace(".modules_to_save.default", "")
    return plain in heads or f"model.{plain}" in heads


def learns(strategy: str, parameter: str, base: dict[str, Any]) -> bool:
    """Whether such a parameter of the body belongs to what the strategy trains."""
    if strategy == "full":
        return parameter in base
    if strategy == "partial":
        return any(f".{layer}." in parameter for layer in (1, 2))
    if strategy == "bitfit":
        return parameter.endswith("bias") and parameter in base
    if strategy == "layernorm":
        return "norm" in parameter.lower() or ".ln_" in parameter
    added = {
        "lora": ".lora_",
        "dora": ".lora_",
        "adapter": (".down.", ".up."),
        "ia3": ".ia3_l",
        "prompt": "prompt_encoder.",
        "p-tuning": "prompt_encoder.",
        "prefix": "prompt_encoder.",
    }[strategy]
    return any(part in parameter for part in ([added] if isinstance(added, str) else added))


@pytest.mark.parametrize("architecture", KINDS)
@pytest.mark.parametrize("name", BEGINS_UNCHANGED)
def test_training_begins_from_the_pretrained_model(name: str, architecture: str) -> None:
    skip_without(name, architecture)
    for how in ({}, {"initialisation": "pissa"}) if name == "lora" else ({},):
        _, model = prepared(name, how, architecture)
        torch.testing.assert_close(logits(model), logits(classifier(architecture)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", LEARNING)
def test_padding_changes_nothing(name: str, architecture: str) -> None:
    """What is put before or into a text must not shift its mask or its positions."""
    skip_without(name, architecture)
    _, model = prepared(name, {}, architecture)
    moved(model)
    together = logits(model)
    for row, length in enumerate(batch()["attention_mask"].sum(1).tolist()):
        alone = {key: value[row : row + 1, :length] for key, value in batch().items()}
        torch.testing.assert_close(logits(model, alone)[0], together[row], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["prompt", "p-tuning", "prefix"])
def test_prompts_are_read(name: str) -> None:
    _, model = prepared(name, {"tokens": 4}, "bert")
    before = logits(model)
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            if "prompt_encoder" in parameter:
                value += 3 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    assert (logits(model) - before).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["lora", "dora", "ia3", "prefix", "prompt", "p-tuning"])
@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_damaged_adapter_is_named(name: str, file: str, tmp_path: Path) -> None:
    strategy, model = prepared(name, {}, "bert")
    strategy.save(model, str(tmp_path), "the-base")
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="does not fit the model"):
        strategy.load(classifier("bert"), str(tmp_path))
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match="is missing") as error:
        strategy.load(classifier("bert"), str(tmp_path))
    assert error.value.where == str(tmp_path / file)


def test_a_base_of_another_shape_is_refused(tmp_path: Path) -> None:
    for name in ("lora", "adapter", "prefix"):
        strategy, model = prepared(name, {}, "bert")
        strategy.save(model, str(tmp_path), "the-base")
        config = copy.deepcopy(classifier("bert").config)
        config.num_hidden_layers = 2
        with pytest.raises(UserError, match="does not fit the model"):
            strategy.load(transformers.BertForSequenceClassification(config), str(tmp_path))


def test_factors_are_not_decayed() -> None:
    strategy, model = prepared("ia3", {}, "bert")
    decay = {name: group.weight_decay for group in strategy.parameter_groups(model, 1e-3, 0.1) for name in group.names}
    assert {value for name, value in decay.items() if "ia3_l" in name} == {0.0}
    assert {value for name, value in decay.items() if name.endswith("dense.weight")} == {0.1}


@pytest.mark.parametrize("architecture", ["bart", "t5"])
def test_encoder_decoders(architecture: str) -> None:
    for name in ("prompt", "p-tuning", "prefix"):
        with pytest.raises(UserError, match="has an encoder and a decoder"):
            prepared(name, {}, architecture)
    for name in ("lora", "adapter") if architecture == "bart" else ("adapter",):
        _, model = prepared(name, {}, architecture)
        ids = torch.tensor([[5, 6, 7, 2]])
        with torch.no_grad():
            read = {"input_ids": ids} if architecture == "bart" else {"input_ids": ids, "decoder_input_ids": ids}
            assert torch.isfinite(model.eval()(**read).logits).all()


def test_two_adapters_over_one_base(tmp_path: Path) -> None:
    strategy = build_strategy("lora", {"rank": 2})
    answers = {}
    for seed, name in enumerate(("first", "second")):
        model = strategy.prepare(classifier("bert"))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter += 0.1 * (seed + 1)
        strategy.save(model, str(tmp_path / name), "the-base")
        answers[name] = logits(model)
    opened = peft.PeftModel.from_pretrained(classifier("bert"), tmp_path / "first", adapter_name="first")
    opened.load_adapter(tmp_path / "second", adapter_name="second")
    for name, expected in answers.items():
        opened.set_adapter(name)
        torch.testing.assert_close(logits(opened), expected, atol=1e-6, rtol=1e-5)


def test_the_saved_configuration_names_the_base_and_repeats(tmp_path: Path) -> None:
    strategy, model = prepared("lora", {}, "bert")
    for folder in ("one", "two"):
        strategy.save(model, str(tmp_path / folder), "the-base")
    one, two = ((tmp_path / folder / "adapter_config.json").read_text() for folder in ("one", "two"))
    assert one == two
    stored = json.loads(one)
    assert stored["base_model_name_or_path"] == "the-base"
    assert stored["target_modules"] == sorted(stored["target_modules"])
    assert len(stored["target_modules"]) == 3 * 6


def test_bottlenecks_stand_where_the_paper_has_them() -> None:
    def places(how: dict[str, Any], architecture: str) -> list[str]:
        _, model = prepared("adapter", how, architecture)
        return [name.removesuffix(".down") for name, _ in model.named_modules() if name.endswith(".down")]

    layer = "bert.encoder.layer.0."
    assert places({}, "bert")[:2] == [f"{layer}attention.output.dense", f"{layer}output.dense"]
    assert places({"placement": "pfeiffer"}, "bert")[0] == f"{layer}output.dense"
    assert places({}, "distilbert")[:2] == [
        "distilbert.transformer.layer.0.attention.out_lin",
        "distilbert.transformer.layer.0.ffn.lin2",
    ]
    assert places({}, "llama")[:2] == ["model.layers.0.self_attn.o_proj", "model.layers.0.mlp.down_proj"]
    assert places({}, "gpt2")[:2] == ["transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_proj"]
    assert places({}, "modernbert")[:2] == ["model.layers.0.attn.Wo", "model.layers.0.mlp.Wo"]


def test_ranks_by_layer_and_rates_of_a_and_b() -> None:
    strategy, model = prepared("lora", {"ranks": [1, 2, 3], "lora_plus": 8.0, "head_rate": 2.0}, "bert")
    ranks = {name: value.shape[0] for name, value in model.named_parameters() if ".lora_A." in name}
    assert {(name.split(".layer.")[1][0], rank) for name, rank in ranks.items()} == {("0", 1), ("1", 2), ("2", 3)}
    rates = {name: group.learning_rate for group in strategy.parameter_groups(model, 1e-3, 0.0) for name in group.names}
    assert {rate for name, rate in rates.items() if ".lora_B." in name} == {8e-3}
    assert {rate for name, rate in rates.items() if ".lora_A." in name} == {1e-3}
    assert {rate for name, rate in rates.items() if "modules_to_save" in name} == {2e-3}


@pytest.mark.parametrize(
    ("name", "how", "architecture", "said"),
    [
        ("lora", {"ranks": [1, 2]}, "bert", "2 ranks are given, but the model has 3 layers"),
        ("lora", {"initialisation": "pissa", "rank": 64}, "bert", "the smallest matrix has only 16"),
        ("lora", {"initialisation": "random"}, "bert", "'random' means nothing for the strategy 'lora'"),
        ("prompt", {"initialisation": "pissa"}, "bert", "'pissa' means nothing for the strategy 'prompt'"),
        ("partial", {"layers": 4}, "bert", "4 layers are to learn, but the model has only 3"),
        ("partial", {"modules": ["nothing"]}, "bert", "no parameter of the model is called 'nothing'"),
        ("bitfit", {}, "llama", "has no biases to train"),
        ("prompt", {}, "gpt2", "cannot find the end of a text behind prompts"),
        ("prefix", {}, "distilbert", "takes no keys and values from elsewhere"),
        ("prefix", {}, "deberta-v2", "takes no keys and values from elsewhere"),
        ("prefix", {}, "modernbert", "takes no keys and values from elsewhere"),
        ("p-tuning", {}, "llama", "cannot find the end of a text behind prompts"),
        ("prompt", {"initialisation": "text"}, "bert", "prompt and initialisation=text go together"),
    ],
)
def test_what_does_not_fit_the_model(name: str, how: dict[str, Any], architecture: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepared(name, how, architecture)


def test_a_setting_of_another_strategy_is_refused() -> None:
    with pytest.raises(UserError, match=r"strategy.rank.*'full'[\s\S]*lora, dora"):
        build_strategy("full", {"rank": 4})


def test_a_damaged_bottleneck_is_named(tmp_path: Path) -> None:
    strategy, model = prepared("adapter", {}, "bert")
    strategy.save(model, str(tmp_path), "the-base")
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"adapter\.safetensors"):
        strategy.load(classifier("bert"), str(tmp_path))
    strategy.save(copy.deepcopy(model), str(tmp_path), "the-base")
    headless = {name: value for name, value in load_file(file).items() if "classifier" not in name}
    save_file(headless, file)
    with pytest.raises(UserError, match=r"does not hold what adapter\.json says"):
        strategy.load(classifier("bert"), str(tmp_path))
    strategy.save(copy.deepcopy(model), str(tmp_path), "the-base")
    with pytest.raises(UserError, match="does not fit the model"):
        strategy.load(classifier("distilbert"), str(tmp_path))
