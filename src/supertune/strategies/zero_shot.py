"""Zero-shot: nothing is learned; a text gets the label whose name or description fits it best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from supertune.contracts import Head, ParameterGroup
from supertune.errors import UserError
from supertune.strategies.appending import (
    LABELS,
    appending,
    entails,
    load,
    load_lines,
    looks_back_only,
    read,
    reads_behind,
    save,
)
from supertune.strategies.encoder_head import EncoderHeadStrategy
from supertune.strategies.labels import Descriptions, label_texts

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ZeroShotStrategy(EncoderHeadStrategy):
    """A text gets the label whose description fits it best; the training rows are not learned from.

    An encoder lays texts and descriptions, and the closest counts (Chang et al. 2008, "Importance of semantic
    representation: dataless classification"). Entailment models and decoders read the description behind the text;
    see `appending`.

    A first answer where nothing is labelled yet, something to label faster with, and what fine-tuning must beat.
    Only as good as the descriptions: try several on validation rows. Weak where the label is no topic.

    Attributes:
        descriptions: Label → what it means, a text or several, whose mean counts; other labels mean what they are
            called.
        template: A text around each description, which stands where {} is.
    """

    descriptions: Descriptions = field(default_factory=dict)
    template: str = "{}"

    name = "zero-shot"
    normalised: ClassVar[bool] = True

    def head(self, wanted: Head, config: PreTrainedConfig) -> Head:
        """Entailment models keep the head that they have, and decoders the one that names the next token."""
        if entails(config) is not None:
            return Head(wanted.auto_class, {})
        if looks_back_only(config):
            return Head("AutoModelForCausalLM", {})
        # Without a head: one whose labels are called as an entailment model's answers would be taken for such a model.
        return Head("AutoModel", wanted.config)

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model, frozen, as one that answers for the labels that `read_labels` tells it."""
        built = appending(model) if reads_behind(model) else self.head_on(model)
        built.requires_grad_(False)
        return built

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """The model as a folder, and what the labels mean beside it."""
        if hasattr(model, "inner"):
            save(model, folder)
        else:
            super().save(model, folder, base)

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """What `save` wrote.

        Raises:
            UserError: What the labels mean is missing or damaged.
        """
        return load(model, folder) if (Path(folder) / LABELS).exists() else super().load(model, folder)

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """None."""
        return []

    def read_labels(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], *, scale: float
    ) -> None:
        """Tell the model what the labels mean; for an encoder the head's product becomes the cosine times ``scale``.

        Raises:
            UserError: A description is of no label, a label is a number without one, or the template has no place
                for it.
        """
        if hasattr(model, "inner"):
            read(model, tokenizer, labels, self.meanings(labels))
            return
        import torch

        opened: Any = model
        rows = []
        for texts in self.meanings(labels):
            encoded = cast(Any, tokenizer)(texts, padding=True, return_tensors="pt")
            if (length := encoded["input_ids"].shape[1]) > tokenizer.model_max_length:
                raise UserError(
                    f"a description has {length} tokens, and the model reads {tokenizer.model_max_length}: "
                    f"{max(texts, key=len)[:60]!r}…",
                    where="strategy.descriptions",
                    fix="describe the label in fewer words, or in several texts",
                )
            with torch.inference_mode():
                vectors = opened.embed(encoded["input_ids"], encoded["attention_mask"])
                rows.append(torch.nn.functional.normalize(vectors.mean(0), dim=0))
        with torch.no_grad():
            opened.classifier.weight.copy_(scale * torch.stack(rows))
            opened.classifier.bias.zero_()

    def lines_of(self, model: PreTrainedModel) -> str:
        """Python lines that make ``tokenizer`` and ``model`` from the folder saved."""
        return load_lines(model) if hasattr(model, "inner") else self.load_lines("")

    def meanings(self, labels: Sequence[str]) -> list[list[str]]:
        """What each label means, in the template.

        Raises:
            UserError: See `read_labels`.
        """
        if "{}" not in self.template:
            raise UserError(
                f"the template {self.template!r} has no {{}} for the description to stand in",
                where="strategy.template",
                fix="write e.g. --set strategy.template='This text is about {}.'",
            )
        told = label_texts(labels, self.descriptions)
        for label, texts in zip(labels, told, strict=True):
            if not texts:
                example = json.dumps({label: "what it means"})
                raise UserError(
                    f"the label {label!r} does not say what it means",
                    where="strategy.descriptions",
                    fix=f"--set strategy.descriptions='{example}', and so on for every label",
                )
        return [[self.template.replace("{}", text) for text in texts] for texts in told]

    def default_learning_rate(self) -> float:
        """Nothing learns; that of full fine-tuning stands in the configuration."""
        return 1e-4
