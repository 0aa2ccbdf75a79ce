"""Depths, rates by layer and new top layers, over the architectures that people fine-tune."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from architectures import BERT, MODELS, build
from supertune.errors import UserError
from supertune.strategies import STRATEGIES, FullStrategy
from supertune.strategies.layers import depth_of, layer_stacks
from supertune.strategies.reinitialise import reinitialise_top

LAYERS = 3


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: build(name) for name in MODELS}


def changed(model: Any, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}


def copies(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def without_layers() -> Any:
    class NoLayers(transformers.PreTrainedModel):
        config_class = transformers.BertConfig

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.embeddings, self.body = torch.nn.Embedding(4, 2), torch.nn.Linear(2, 2)
            self.post_init()

    return NoLayers(transformers.BertConfig(**BERT))


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_has_a_depth_and_every_depth_a_parameter(models: dict[str, Any], name: str) -> None:
    depths = depth_of(models[name])
    assert list(depths) == [name for name, _ in models[name].named_parameters()]
    assert set(depths.values()) == set(range(LAYERS + 2))


@pytest.mark.parametrize("name", MODELS)
def test_word_embeddings_are_at_the_bottom_and_heads_at_the_top(models: dict[str, Any], name: str) -> None:
    model, depths = models[name], depth_of(models[name])
    words = model.get_input_embeddings().weight
    assert [depths[name] for name, value in model.named_parameters() if value is words] == [0]
    body = {id(value) for value in model.base_model.parameters()}
    assert {depths[name] for name, value in model.named_parameters() if id(value) not in body} <= {LAYERS + 1}


def test_the_depths_of_bert_in_full(models: dict[str, Any]) -> None:
    expected = {}
    for name, _ in models["bert"].named_parameters():
        if name.startswith("bert.embeddings."):
            expected[name] = 0
        elif name.startswith("bert.encoder.layer."):
            expected[name] = int(name.split(".")[3]) + 1
        else:
            assert name.startswith(("bert.pooler.", "classifier."))
            expected[name] = LAYERS + 1
    assert depth_of(models["bert"]) == expected


@pytest.mark.parametrize(
    ("name", "parameter", "depth"),
    [
        ("llama", "model.norm.weight", 4),
        ("modernbert", "model.embeddings.norm.weight", 0),
        ("modernbert", "model.final_norm.weight", 4),
        ("distilbert", "pre_classifier.weight", 4),
        ("electra", "electra.embeddings_project.weight", 0),
        ("deberta-v2", "deberta.encoder.rel_embeddings.weight", 0),
        ("mpnet", "mpnet.encoder.relative_attention_bias.weight", 0),
        ("mixtral", "model.layers.1.mlp.gate.weight", 2),
        ("xlm", "transformer.ffns.1.lin1.weight", 2),
        ("xlnet", "transformer.mask_emb", 0),
        # Three layers below, two above: the last of both are at the top.
        ("bart", "model.encoder.layers.0.fc1.weight", 1),
        ("bart", "model.decoder.layers.0.fc1.weight", 2),
        ("bart", "model.decoder.layers.1.fc1.weight", 3),
        ("bart", "model.decoder.layernorm_embedding.weight", 0),
        ("t5", "decoder.block.1.layer.0.SelfAttention.q.weight", 3),
        ("t5", "encoder.final_layer_norm.weight", 4),
    ],
)
def test_places_that_are_easily_mistaken(models: dict[str, Any], name: str, parameter: str, depth: int) -> None:
    assert depth_of(models[name])[parameter] == depth


def test_an_encoder_decoder_has_two_stacks(models: dict[str, Any]) -> None:
    assert [len(stack) for stack in layer_stacks(models["bart"])] == [3, 2]
    assert [len(stack) for stack in layer_stacks(models["bert"])] == [3]


@given(
    name=st.sampled_from(sorted(MODELS)),
    decay=st.one_of(st.just(1.0), st.floats(0.1, 1.0)),
    frozen=st.sets(st.integers(0, LAYERS + 1)),
)
def test_every_learning_parameter_is_in_exactly_one_group_at_the_rate_of_its_depth(
    name: str, decay: float, frozen: set[int]
) -> None:
    model = _BUILT.setdefault(name, build(name))
    depths = depth_of(model)
    for key, value in model.named_parameters():
        value.requires_grad_(depths[key] not in frozen)
    groups = FullStrategy(layer_decay=decay).parameter_groups(model, 2e-4, 0.01)
    names = [key for group in groups for key in group.names]
    assert sorted(names) == sorted(key for key, value in model.named_parameters() if value.requires_grad)
    dimensions = {key: value.ndim for key, value in model.named_parameters()}
    for group in groups:
        for key in group.names:
            assert group.learning_rate == pytest.approx(2e-4 * decay ** (LAYERS + 1 - depths[key]))
            assert group.weight_decay == (0.01 if dimensions[key] > 1 else 0.0)
    assert len(groups) <= 2 * (LAYERS + 2)


_BUILT: dict[str, Any] = {}


def test_the_first_group_learns_at_the_peak_rate(models: dict[str, Any]) -> None:
    assert FullStrategy(layer_decay=0.5).parameter_groups(models["bert"], 2e-4, 0.01)[0].learning_rate == 2e-4


def test_a_model_without_layers_is_refused_only_where_layers_matter() -> None:
    model = without_layers()
    assert len(FullStrategy().parameter_groups(FullStrategy().prepare(model), 1e-4, 0.01)) == 2
    with pytest.raises(UserError, match="cannot be told apart"):
        FullStrategy(layer_decay=0.9).parameter_groups(model, 1e-4, 0.01)
    with pytest.raises(UserError, match="cannot be told apart"):
        FullStrategy(reinitialise=1).prepare(model)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 2])
def test_top_layers_begin_anew_and_the_rest_stays(name: str, count: int) -> None:
    model = build(name)
    depths, poolers = depth_of(model), {"bert", "bert-alone"}
    with torch.no_grad():
        for value in model.parameters():
            value += 1.0
    before = copies(model)
    reinitialise_top(model, count)
    found = changed(model, before)
    layers = {key for key, depth in depths.items() if LAYERS - count < depth <= LAYERS}
    pooler = {key for key in depths if "pooler" in key and name in poolers}
    assert found == layers | pooler


@pytest.mark.parametrize("name", ["bert", "distilbert", "modernbert", "llama", "gpt2", "t5"])
def test_new_layers_are_drawn_as_the_model_draws_them(name: str) -> None:
    """Their spread is that of layers which never saw pre-training, matrix by matrix; vectors are the same."""
    fresh = copies(build(name))
    model = build(name)
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(7.0).add_(1.0)
    before = copies(model)
    torch.manual_seed(9)
    reinitialise_top(model, 3 if name != "t5" else 2)
    for key in changed(model, before):
        value = dict(model.named_parameters())[key].detach()
        if value.ndim > 1:
            assert value.std().item() == pytest.approx(fresh[key].std().item(), rel=0.25)
            assert not torch.equal(value, fresh[key])
        else:
            torch.testing.assert_close(value, fresh[key])


def test_layers_of_a_loaded_model_begin_anew_too(tiny_encoder: Any) -> None:
    """Loading marks what it filled, and transformers' own initialisation passes over the marks."""
    opened = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3)
    before = copies(opened)
    reinitialise_top(opened, 1)
    assert {name for name in changed(opened, before) if "encoder" in name} == {
        name for name, value in opened.named_parameters() if "encoder.layer.1." in name and value.ndim > 1
    }


def test_the_seed_decides() -> None:
    def drawn(seed: int) -> torch.Tensor:
        model = build("bert")
        torch.manual_seed(seed)
        prepared = FullStrategy(reinitialise=1).prepare(model)
        value: torch.Tensor = prepared.bert.encoder.layer[2].output.dense.weight
        return value.detach()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_no_layers_means_nothing_at_all() -> None:
    model = build("bert")
    before = copies(model)
    reinitialise_top(model, 0)
    assert not changed(model, before)


@pytest.mark.parametrize(("name", "most"), [("bert", 3), ("bart", 2)])
def test_more_layers_than_there_are_is_refused(name: str, most: int) -> None:
    reinitialise_top(build(name), most)
    with pytest.raises(UserError, match=f"only {most}") as error:
        reinitialise_top(build(name), most + 1)
    assert error.value.where == "strategy.reinitialise"


def test_the_registry_builds_from_the_settings_of_the_section() -> None:
    built = STRATEGIES["full"](layer_decay=0.9, reinitialise=2)
    assert built == FullStrategy(layer_decay=0.9, reinitialise=2)
    assert STRATEGIES["full"]() == FullStrategy(layer_decay=1.0, reinitialise=0)
