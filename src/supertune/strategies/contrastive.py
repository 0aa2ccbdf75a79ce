"""Few-shot contrastive fine-tuning: texts of one label move together, then a head is fitted to where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from supertune.contracts import FloatArray, IntArray, ParameterGroup
from supertune.errors import UserError
from supertune.strategies.encoder_head import EncoderHeadStrategy
from supertune.strategies.labels import Descriptions, label_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

_STRENGTH = 10.0
"""scikit-learn's C of the head, times its rows, by its labels squared: by trial, decision 0013."""
_TEMPERATURE = 0.1
"""That of Khosla et al. 2020, section 4."""


@dataclass(frozen=True)
class ContrastiveStrategy(EncoderHeadStrategy):
    """The whole encoder learns to lay texts of the same label close together; the head is a logistic regression.

    For few rows, from about four to fifty for each label: every pair of texts says something, where single labels say
    little. With hundreds of rows for each label full fine-tuning is as good and simpler.

    Sources: Tunstall et al. 2022, "Efficient few-shot learning without prompts" (SetFit), for the two phases; instead
    of drawn pairs, all texts of a batch are compared with each other (Khosla et al. 2020).

    Attributes:
        similarity: ``cosine`` draws every two texts of a label to the same direction and all others to right angles;
            ``softmax`` lets every text pick those of its label out of the batch.
        temperature: For ``softmax``: how much the nearest texts count more than others.
        descriptions: Label → what it means, a text or several: they are learned from like rows of the label. Other
            labels mean what they are called.
    """

    similarity: Literal["cosine", "softmax"] = "cosine"
    temperature: float = _TEMPERATURE
    descriptions: Descriptions = field(default_factory=dict)

    name = "contrastive"
    normalised: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that the settings mean something together.

        Raises:
            UserError: They do not.
        """
        if self.similarity != "softmax" and self.temperature != _TEMPERATURE:
            raise UserError(
                "means something for softmax only",
                where="strategy.temperature",
                fix="leave it out, or --set strategy.similarity=softmax",
            )

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model's body under a linear head, which no gradient reaches, and without its pooler."""
        body: Any = model.base_model
        body.requires_grad_(True)
        for name, part in body.named_children():
            if "pooler" in name:
                part.requires_grad_(False)
        return self.head_on(model)

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Those of the body: the head is fitted, see `fit_head`."""
        groups = super().parameter_groups(model, learning_rate, weight_decay)
        body = (
            ParameterGroup(
                tuple(name for name in group.names if name.startswith("body.")),
                group.learning_rate,
                group.weight_decay,
            )
            for group in groups
        )
        return [group for group in body if group.names]

    def label_texts(self, labels: Sequence[str]) -> list[list[str]]:
        """What each label means, as far as that is known: of eight texts one more is much.

        Raises:
            UserError: A description is of no label.
        """
        return label_texts(labels, self.descriptions)

    def fit_head(
        self,
        model: PreTrainedModel,
        embeddings: FloatArray,
        labels: IntArray,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Set the head to the logistic regression of labels on embeddings.

        Args:
            model: As `prepare` made it.
            embeddings: (rows, width), as the model gives them out.
            labels: (rows,): indices of labels, all of which occur.
            class_weights: A factor for the rows of each label.
        """
        import torch
        from sklearn.linear_model import LogisticRegression

        weights = None if class_weights is None else dict(enumerate(class_weights))
        # All rows together weigh the same, however many they are: the encoder has parted them, and would be believed.
        strength = _STRENGTH * len(np.unique(labels)) ** 2 / len(labels)
        fitted = LogisticRegression(C=strength, max_iter=1000, class_weight=weights)
        fitted.fit(embeddings.astype(np.float64), labels)
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:
            # Of two classes scikit-learn tells the difference.
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        head = cast(Any, model).classifier
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))

    def default_learning_rate(self) -> float:
        """That of full fine-tuning: the same weights learn."""
        return 1e-4
