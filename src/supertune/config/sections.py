"""The sections of the configuration: every key with its type, default and meaning."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, field_validator

from supertune.config.section import Section
from supertune.config.source_section import Sources

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DataConfig(Section):
    """Where the rows come from and how they are divided."""

    source: Sources | None = Field(
        None,
        description="file, folder, hub data set or address of a database (sqlite:///rows.db) with the training rows; "
        "or a list of them, each a path or {path, weight, task, text, label, prompt, system, query, table}",
    )
    validation: str | None = Field(None, description="file with the validation rows; null: cut from the source")
    test: str | None = Field(None, description="file with the test rows; null: cut from the source")
    text: list[str] | None = Field(None, description="text columns, joined as title + body; null: inferred")
    label: str | list[str] | None = Field(
        None,
        description="label column; null: inferred. A list of several: columns of numbers, or of 0 and 1 for each label",
    )
    separator: str | None = Field(
        None, description="multilabel: what stands between the labels of a row; null: as the rows show"
    )
    tag_names: list[str] | None = Field(
        None, description="tagging: what tags that are written as numbers are called, from 0 on; null: they are words"
    )
    pair: bool | None = Field(
        None, description="two text columns are two texts to be compared, not title + body; null: by their names"
    )
    group: str | None = Field(
        None,
        description="column whose equal values (a patient, an article) are never divided between splits; null: none, "
        "for extractive-qa the title or else the text",
    )
    sheet: str | None = Field(None, description="sheet of a spreadsheet; null: the first")
    query: str | None = Field(None, description="database: what gives the training rows, in its own SQL")
    validation_query: str | None = Field(None, description="database: what gives the validation rows")
    test_query: str | None = Field(None, description="database: what gives the test rows")
    table: str | None = Field(None, description="database: the table to read, instead of a query; null: the only one")
    on_bad_row: Literal["refuse", "skip"] = Field("refuse", description="what to do with malformed rows")
    split: Annotated[list[Share], Field(min_length=3, max_length=3)] = Field(
        [0.8, 0.1, 0.1], description="shares of training, validation and test rows when they are cut here"
    )
    split_seed: Seed = Field(0, description="seed of the split, apart from train.seed: comparisons stay paired")
    split_near_duplicates: bool = Field(
        False,
        description="rows that are nearly the same may be divided between splits that are cut here; false: they stay "
        "together, as equal ones do",
    )
    mix: dict[str, Annotated[float, Field(gt=0, le=1000)]] | None = Field(
        None,
        description="what is written: further files that are learned from beside the training rows → how often each "
        "of their rows is taken: 1 once, 0.5 half of them, drawn; null: none",
    )
    allow: list[str] = Field([], description="checks whose errors do not stop training")


class ModelConfig(Section):
    """The pre-trained model to start from."""

    name: str | None = Field(None, description="registered name, folder, GGUF file or hub id; null: by language")
    max_length: Annotated[int, Field(ge=8, le=131072)] | None = Field(
        None,
        description="tokens per text, longer ones are cut; null: 256, where texts are written 1024, or what the "
        "model can take",
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        "none",
        description="hold the pre-trained matrices, which then do not learn, in few bits under an adapter: 4bit (NF4, "
        "QLoRA) or 8bit (LLM.int8); needs supertune[quantized]",
    )
    allow_pickle: bool = Field(False, description="read pickled weights (they can run code); off for a reason")
    trust_remote_code: bool = Field(False, description="run code that comes with the model; off for a reason")


class StrategyConfig(Section):
    """Which parameters learn."""

    name: Literal[
        "full",
        "partial",
        "probe",
        "lora",
        "dora",
        "adapter",
        "prompt",
        "p-tuning",
        "prefix",
        "ia3",
        "bitfit",
        "layernorm",
        "contrastive",
        "zero-shot",
        "auto",
    ] = Field(
        "full",
        description="which parameters learn; auto: by rows, model and memory; see docs/strategies.md; where texts "
        "are written lora, if nothing else is said",
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="rate of each layer as a share of the rate of the layer above it; 1: the same for all"
    )
    head_rate: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None,
        description="rate of the new head as a multiple of that of the body; null: 1, more where a task needs it",
    )
    reinitialise: Annotated[int, Field(ge=0)] = Field(
        0, description="top layers of the pre-trained body that start anew instead of as they were pre-trained"
    )
    layers: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="partial: top layers that learn; null: 2"
    )
    modules: list[str] | None = Field(
        None, description="partial: names of the modules that learn instead of layers, * for any part; null: none"
    )
    gradual: bool | None = Field(
        None,
        description="partial: layers join one after another, from the top, in the first half of training; null: no",
    )
    rank: Annotated[int, Field(ge=1, le=4096)] | None = Field(None, description="lora, dora: rank; null: 16")
    ranks: list[Annotated[int, Field(ge=1, le=4096)]] | None = Field(
        None, description="lora, dora: rank of each layer, from the bottom; null: the same for all"
    )
    alpha: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="lora, dora: scale of what is added, times the rank; null: twice the rank; 8 if rank-stabilised",
    )
    adapter_dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="lora, dora: dropout of what the added matrices read; null: 0"
    )
    rank_stabilised: bool | None = Field(None, description="lora, dora: divide alpha by the root of the rank; null: no")
    initialisation: Literal["zero", "pissa", "vocabulary", "random", "text"] | None = Field(
        None,
        description="lora, dora: zero or pissa; prompt: vocabulary, random or text; null: the first of them",
    )
    lora_plus: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="lora, dora: rate of B as a multiple of that of A; null: 1"
    )
    width: Annotated[int, Field(ge=1, le=65536)] | None = Field(
        None, description="adapter: units of the bottleneck; null: 64. p-tuning: of the network; null: the model's own"
    )
    placement: Literal["houlsby", "pfeiffer"] | None = Field(
        None, description="adapter: houlsby: two in each layer; pfeiffer: one; null: houlsby"
    )
    tokens: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None, description="prompt, p-tuning, prefix: tokens before each text; null: 20"
    )
    prompt: str | None = Field(None, description="prompt: the text to begin with, with initialisation text; null: none")
    similarity: Literal["cosine", "softmax"] | None = Field(
        None, description="contrastive: how the texts of a batch are compared; null: cosine"
    )
    temperature: Annotated[float, Field(gt=0, le=10)] | None = Field(
        None, description="contrastive with softmax: the smaller, the more the nearest texts count; null: 0.1"
    )
    descriptions: dict[str, str | list[str]] | None = Field(
        None,
        description="zero-shot, contrastive: label → what it means, a text or several; null: what labels are called",
    )
    template: str | None = Field(
        None, description="zero-shot: a text with {} for the description; null: nothing around it"
    )

    @field_validator("descriptions", mode="before")
    @classmethod
    def _labels_as_text(cls, value: object) -> object:
        """Labels that YAML takes for numbers or truth values, as JSON writes them: that is what labels are called."""
        if not isinstance(value, dict):
            return value
        return {key if isinstance(key, str) else json.dumps(key): text for key, text in value.items()}


class TrainConfig(Section):
    """How it is learned."""

    seed: Seed = Field(0, description="seed of initialisation, order and dropout")
    epochs: Annotated[int, Field(ge=0, le=1000)] | Literal["auto"] = Field(
        "auto", description="passes over the training rows; auto: 3, more when rows are few; 0: zero-shot alone"
    )
    batch_size: Annotated[int, Field(ge=1, le=65536)] = Field(16, description="rows per optimizer step")
    batch_tokens: Annotated[int, Field(ge=8)] | None = Field(
        None, description="padded tokens per optimizer step, instead of a number of rows; null: batch_size rows"
    )
    accumulate: Annotated[int, Field(ge=1, le=65536)] = Field(
        1, description="pieces that each batch is cut into to save memory; the result is the same"
    )
    packing: bool | Literal["auto"] = Field(
        "auto",
        description="what is written: the texts of a step stand behind each other in one row, and nothing is computed "
        "for padding; the result is the same; auto: where much would be padded",
    )
    checkpoint_activations: bool | Literal["auto"] = Field(
        "auto",
        description="compute layers a second time on the way back instead of keeping what they gave out; the result is "
        "the same; auto: where a single text would not fit into memory",
    )
    loss: Literal[
        "auto",
        "cross_entropy",
        "focal",
        "binary_cross_entropy",
        "mse",
        "mae",
        "huber",
        "in_batch",
        "cosent",
        "kl_divergence",
        "margin_mse",
    ] = Field("auto", description="what is minimised; auto: the task's own; see docs/training.md")
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = Field(
        2.0, description="focal loss: how much less the rows count that are learned already"
    )
    huber_delta: Annotated[float, Field(gt=0)] = Field(
        0.5, description="huber loss: error from which it grows linearly, of a probability or of a standardised number"
    )
    teacher_temperature: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="kl_divergence, margin_mse: what the teacher's scores are divided by"
    )
    in_batch_weight: Annotated[float, Field(ge=0, le=1000)] = Field(
        1.0,
        description="kl_divergence, margin_mse: weight of telling what the teacher has scored from the other passages "
        "of the batch, which it has not; 0: those are not looked at",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="share of the target spread out")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rows of rare classes count more in the loss"
    )
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop", "adafactor", "lion", "muon"] = Field(
        "adamw", description="how a gradient becomes a step; see docs/training.md"
    )
    learning_rate: Annotated[float, Field(gt=0, le=10)] | Literal["auto", "find"] = Field(
        "auto", description="peak learning rate; auto: the strategy's measured default; find: by a range test"
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="sgd, rmsprop, muon: share of the last step that is kept; null: the optimizer's own default"
    )
    nesterov: bool | None = Field(
        None, description="sgd, muon: look ahead along the momentum; null: the optimizer's own default"
    )
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] | None = Field(
        None, description="adamw, adam, lion: how slowly their averages move; null: the optimizer's own default"
    )
    epsilon: Annotated[float, Field(gt=0, le=1)] = Field(1e-8, description="adamw, adam, rmsprop: added to the divisor")
    bias_correction: bool = Field(True, description="adamw, adam: correct the averages for having begun at zero")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(0.01, description="decoupled weight decay (adam: none)")
    schedule: Literal["linear", "cosine", "constant", "polynomial", "inverse_sqrt", "wsd"] = Field(
        "linear", description="course of the rate after warm-up; wsd: stable, then a decay at the end"
    )
    warmup: Share = Field(0.1, description="share of the steps in which the rate climbs to its peak")
    schedule_power: Annotated[float, Field(gt=0, le=10)] = Field(2.0, description="polynomial: its exponent")
    schedule_decay: Share = Field(0.2, description="wsd: share of the steps in which the rate falls at the end")
    clip_norm: Annotated[float, Field(ge=0)] = Field(1.0, description="largest gradient norm; 0: no clipping")
    l1: Annotated[float, Field(ge=0)] = Field(0.0, description="factor of the sum of absolute weights in the loss")
    l2: Annotated[float, Field(ge=0)] = Field(0.0, description="factor of half the sum of squared weights in the loss")
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="dropout everywhere in the model; null: as it was pre-trained"
    )
    r_drop: Annotated[float, Field(ge=0)] = Field(
        0.0, description="factor of the divergence between two passes with different dropout; 0: one pass"
    )
    adversarial: Literal["none", "fgm", "freelb"] = Field(
        "none", description="also learn from embeddings moved to where the loss is higher: in one step, or in several"
    )
    adversarial_epsilon: Annotated[float, Field(gt=0)] = Field(0.1, description="how far they are moved at most")
    adversarial_steps: Annotated[int, Field(ge=1, le=100)] = Field(3, description="freelb: steps")
    mixout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="chance of each weight to be as pre-trained in a step"
    )
    neftune: Annotated[float, Field(ge=0)] = Field(
        0.0, description="noise on the word embeddings while training, usual 5 to 15; 0: none"
    )
    averaging: Literal["none", "ema", "uniform"] = Field(
        "none", description="use an average of the weights over the steps instead of the last ones"
    )
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(0.99, description="ema: how slowly the average moves")
    interpolation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="how far the weights go back to those that training began with, once it is over; 0: not at all",
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="epochs without a better validation score before training stops; 0: never"
    )
    restarts: Annotated[int, Field(ge=0, le=100)] = Field(
        2, description="times that a degenerate run (every row gets the same answer) begins again with another seed"
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="train this many times with seeds seed, seed + 1, …; the best by validation is kept"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="bf16: faster where the processor does it well; auto: measured on this machine"
    )
    attention: Literal["auto", "matmul", "sdpa", "eager"] = Field(
        "auto", description="how attention is computed; auto: measured on this machine"
    )
    embeddings: Literal["auto", "rows", "dense"] = Field(
        "auto", description="rows: update only the word embeddings in use; auto: rows, with precision fp32 dense"
    )
    frozen_layers: Literal["keep", "compute"] = Field(
        "keep",
        description="layers that do not learn: keep what they give out on the disk while training, where there is "
        "room; or compute them at every pass",
    )
    checkpoint_every: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="steps between checkpoints; auto: a minute, and after epochs where that costs 5 % at most; 0: none",
    )
    checkpoints: Annotated[int, Field(ge=1, le=1000)] = Field(2, description="checkpoints to keep, the newest ones")
    trackers: list[Literal["tensorboard", "mlflow"]] = Field([], description="where else to send the curves")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="processor threads; null: all cores. Results repeat exactly at the same count"
    )


class EvaluateConfig(Section):
    """How good it is, and how sure we are."""

    metric: str = Field("auto", description="validation metric that chooses the epoch; auto: the task's own")
    resamples: Annotated[int, Field(ge=1000, le=1_000_000)] = Field(2000, description="bootstrap resamples")
    batch_size: Annotated[int, Field(ge=1, le=65536)] = Field(64, description="rows per batch when predicting")
    baselines: bool = Field(True, description="fit the majority and TF-IDF baselines on the same rows")
    generate: Annotated[int, Field(ge=0)] = Field(
        200, description="what is written: held-out rows that the model writes answers to; 0: none"
    )
    general: Annotated[str, Field(min_length=1)] = Field(
        "auto",
        description="what is written: texts by which it is measured what a model has forgotten: auto (short ones of "
        "this package, in English and Chinese), a file of texts, or none",
    )
    language: Literal["auto", "en", "zh"] = Field("auto", description="language of the report; auto: of the data")
    text: bool = Field(True, description="write the rows' texts into report and predictions")
