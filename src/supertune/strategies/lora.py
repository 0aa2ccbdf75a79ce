"""LoRA and DoRA: a low-rank change of every linear layer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from supertune.errors import UserError
from supertune.strategies.parts import linear_layers, transposed
from supertune.strategies.with_peft import PeftStrategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_STABLE_ALPHA = 8.0
"""A scale of 2 at rank 16, as without."""

_TAKEN_OUT = "_supertune_pissa"
_A_OR_B = re.compile(r"\.lora_[AB]\.")


@dataclass(frozen=True)
class LoraStrategy(PeftStrategy):
    """To every linear layer W inside the body's layers a product of two thin matrices is added: W + scale · B A.

    For large models, or many tasks over one: a few megabytes each, and as good as full fine-tuning in most tasks.
    It saves memory, not time: everything is computed as before (peft#925).

    Attributes:
        rank: Rows of A.
        ranks: Rank of each layer from the bottom instead; of an encoder-decoder the encoder's first.
        alpha: The scale times the rank (its root if rank-stabilised); None for a scale of 2, at rank 16 if
            rank-stabilised.
        adapter_dropout: Dropout before A.
        rank_stabilised: Divide alpha by √rank, so that high ranks do not learn more slowly (Kalajdzievski 2023).
        initialisation: ``zero``: B begins at zero; ``pissa``: A and B begin as the largest singular values of W,
            which is left with the rest (Meng et al. 2024).
        lora_plus: Rate of B as a multiple of that of A (Hayou et al. 2024 advise 16 on large models).

    Source: Hu et al. 2022, "LoRA: low-rank adaptation of large language models"; all linear layers as in Dettmers et
    al. 2023, "QLoRA", section 4.
    """

    rank: int = 16
    ranks: tuple[int, ...] = ()
    alpha: float | None = None
    adapter_dropout: float = 0.0
    rank_stabilised: bool = False
    initialisation: Literal["zero", "pissa"] = "zero"
    lora_plus: float = 1.0

    name = "lora"
    mergeable = True
    magnitudes = False

    def configuration(self, model: PreTrainedModel) -> Any:
        """LoRA on all linear layers of the stacks."""
        from peft import LoraConfig

        layers = linear_layers(model)
        self._check_pissa(model, layers)
        if self.ranks and len(self.ranks) != len(layers):
            raise UserError(
                f"{len(self.ranks)} ranks are given, but the model has {len(layers)} layers",
                where="strategy.ranks",
                fix="give one rank for each layer, or strategy.rank for all",
            )
        ranks = {re.escape(name): rank for rank, names in zip(self.ranks, layers, strict=False) for name in names}
        configuration: Any = LoraConfig
        return configuration(
            r=self.rank,
            lora_alpha=self._alpha(self.rank),
            target_modules=[name for names in layers for name in names],
            fan_in_fan_out=transposed(model, layers),
            lora_dropout=self.adapter_dropout,
            use_rslora=self.rank_stabilised,
            use_dora=self.magnitudes,
            init_lora_weights="pissa" if self.initialisation == "pissa" else True,
            rank_pattern=ranks,
            alpha_pattern={name: self._alpha(rank) for name, rank in ranks.items()},
        )

    def _check_pissa(self, model: PreTrainedModel, layers: list[list[str]]) -> None:
        weights: list[Any] = [model.get_submodule(name).weight for names in layers for name in names]
        most, wanted = min(min(weight.shape) for weight in weights), max(self.ranks, default=self.rank)
        if self.initialisation == "pissa" and wanted > most:
            raise UserError(
                f"PiSSA takes {wanted} singular values, but the smallest matrix has only {most}",
                where="strategy.ranks" if self.ranks else "strategy.rank",
                fix=f"at most {most}, or --set strategy.initialisation=zero",
            )

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """See `PeftStrategy.prepare`. What PiSSA took out of the base is remembered, for `save`."""
        prepared = super().prepare(model)
        if self.initialisation == "pissa":
            added = {
                name: value.detach().clone() for name, value in prepared.named_parameters() if _A_OR_B.search(name)
            }
            setattr(prepared, _TAKEN_OUT, added)
        return prepared

    def write(self, model: PreTrainedModel, folder: str, **options: Any) -> None:
        """PiSSA's base is not the one that others have: what is saved is the difference to that, of twice the rank.

        W - B0 A0 + B A = W + [B, -B0] [A; A0], by the authors' own conversion; peft's loses the head.
        """
        import torch

        opened: Any = model
        configuration = opened.peft_config["default"]
        if configuration.init_lora_weights == "pissa":
            configuration.init_lora_weights = True
            grown = math.sqrt(2) if self.rank_stabilised else 2
            configuration.r *= 2
            configuration.lora_alpha *= grown
            configuration.rank_pattern = {name: 2 * rank for name, rank in configuration.rank_pattern.items()}
            configuration.alpha_pattern = {name: grown * alpha for name, alpha in configuration.alpha_pattern.items()}
            state = dict(model.state_dict())
            for name, taken in getattr(model, _TAKEN_OUT).items():
                columns = ".lora_B." in name
                state[name] = torch.cat([state[name], -taken if columns else taken], dim=1 if columns else 0)
            options["state_dict"] = state
        super().write(model, folder, **options)

    def _alpha(self, rank: int) -> float:
        if self.alpha is not None:
            return self.alpha
        return _STABLE_ALPHA if self.rank_stabilised else 2.0 * rank

    def rate_of(self, name: str) -> float:
        """B learns faster, if so configured."""
        return self.lora_plus if ".lora_B." in name else 1.0

    def default_learning_rate(self) -> float:
        """5e-4, the best of four by trial (decision 0014), a few times that of full fine-tuning: B begins at zero."""
        return 5e-4


@dataclass(frozen=True)
class DoraStrategy(LoraStrategy):
    """LoRA that learns the length of each of W's columns apart from its direction.

    A little better than LoRA at low ranks, and slower: the lengths are computed anew at every pass.

    Source: Liu et al. 2024, "DoRA: weight-decomposed low-rank adaptation".
    """

    name = "dora"
    magnitudes = True
