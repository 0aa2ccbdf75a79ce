"""Prompt tuning, P-tuning and prefix tuning: tokens that are no words, put before every text."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from supertune.errors import UserError
from supertune.strategies.with_peft import PeftStrategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LARGE = 1_000_000_000


@dataclass(frozen=True)
class Prompts(PeftStrategy):
    """What the three share.

    Attributes:
        tokens: How many are put before each text; the model must have so many positions to spare.
    """

    tokens: int = 20

    name = ""

    @property
    def extra_tokens(self) -> int:
        """Those before each text."""
        return self.tokens

    def caution(self, parameters: int) -> str | None:
        """Below a billion weights prompts fall far behind (Lester et al. 2021, figure 1)."""
        if parameters >= _LARGE:
            return None
        return (
            f"{self.name} is known to be weak on models of fewer than a billion weights, and this one has "
            f"{parameters:,}: try --strategy lora"
        )

    def shape(self, model: PreTrainedModel) -> dict[str, Any]:
        """What peft asks for; it knows some architectures' names for it only.

        Raises:
            UserError: The model reads with one part and writes with another, and peft hands prompts to neither alone.
        """
        if model.config.is_encoder_decoder:
            raise UserError(
                f"a model of type {model.config.model_type!r} has an encoder and a decoder, which prompts do not suit",
                where="strategy.name",
                fix="--strategy lora",
            )
        config = model.config.get_text_config()
        return {
            "num_virtual_tokens": self.tokens,
            "token_dim": config.hidden_size,
            "num_layers": config.num_hidden_layers,
            "num_attention_heads": config.num_attention_heads,
        }

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """See `PeftStrategy.load`; the shape is checked here, since peft takes it from the file.

        Raises:
            UserError: A file is missing or damaged, or of another model.
        """
        shape = {**self.shape(model), "num_attention_heads": self.heads(model)}
        opened: Any = super().load(model, folder)
        stored = opened.peft_config["default"]
        for name in ("num_layers", "num_attention_heads"):
            if getattr(stored, name) != shape[name]:
                raise UserError(
                    f"does not fit the model ({name} is {getattr(stored, name)} here and {shape[name]} there)",
                    where=folder,
                    fix="use the base that it was trained on",
                )
        loaded: PreTrainedModel = opened
        return loaded

    def heads(self, model: PreTrainedModel) -> int:
        """Heads of attention that peft writes down."""
        return int(model.config.get_text_config().num_attention_heads)

    def embedded(self, model: PreTrainedModel) -> dict[str, Any]:
        """The same for tokens that stand before the embedded text.

        Raises:
            UserError: The model answers at a text's last token, which it finds by its id: behind embeddings there are
                no ids, and it would answer at the padding.
        """
        if hasattr(model, "score"):
            raise UserError(
                f"a model of type {model.config.model_type!r} cannot find the end of a text behind prompts",
                where="strategy.name",
                fix="--strategy prefix or --strategy lora",
            )
        width = cast(Any, model.get_input_embeddings()).weight.shape[1]
        return {**self.shape(model), "token_dim": width}


@dataclass(frozen=True)
class PromptStrategy(Prompts):
    """Prompt tuning: the embeddings of some tokens before each text learn, and the head.

    For very large models that serve many tasks at once. Weak on small ones: Lester et al. need ten billion weights to
    come level with full fine-tuning.

    Attributes:
        initialisation: ``vocabulary``: embeddings of words drawn from the vocabulary; ``random``; ``text``: those of
            ``prompt`` with the tokenizer's special tokens, repeated or cut to as many tokens.
        prompt: The text to begin with.

    Source: Lester, Al-Rfou and Constant 2021, "The power of scale for parameter-efficient prompt tuning".
    """

    initialisation: Literal["vocabulary", "random", "text"] = "vocabulary"
    prompt: str = ""

    name = "prompt"

    def configuration(self, model: PreTrainedModel) -> Any:
        """Soft prompts before the embedded text."""
        from peft import PromptTuningConfig, PromptTuningInit

        if (self.initialisation == "text") != bool(self.prompt.strip()):
            raise UserError(
                "prompt and initialisation=text go together",
                where="strategy.prompt",
                fix="give both, or neither",
            )
        how = {
            "vocabulary": PromptTuningInit.SAMPLE_VOCAB,
            "random": PromptTuningInit.RANDOM,
            "text": PromptTuningInit.TEXT,
        }
        return PromptTuningConfig(
            **self.embedded(model),
            prompt_tuning_init=how[self.initialisation],
            prompt_tuning_init_text=self.prompt or None,
            tokenizer_name_or_path=model.config.name_or_path if self.prompt else None,
        )

    def stored(self, configuration: Any, base: str) -> Any:
        """Without the text that the prompt began with, whose tokenizer lies on this machine."""
        configuration = super().stored(configuration, base)
        configuration.prompt_tuning_init, configuration.prompt_tuning_init_text = "RANDOM", None
        configuration.tokenizer_name_or_path = None
        return configuration

    def default_learning_rate(self) -> float:
        """5e-2, the better of two by trial (decision 0014); the paper uses 0.3 with Adafactor."""
        return 5e-2


@dataclass(frozen=True)
class PTuningStrategy(Prompts):
    """P-tuning: prompt tuning whose embeddings come out of a small network, which makes them easier to learn.

    As prompt tuning; steadier, and still weak on small models.

    Attributes:
        width: Width of that network; None for the model's own.

    Source: Liu et al. 2021, "GPT understands, too".
    """

    width: int | None = None

    name = "p-tuning"

    def configuration(self, model: PreTrainedModel) -> Any:
        """Soft prompts from a multi-layer perceptron."""
        from peft import PromptEncoderConfig

        width = self.width or model.config.get_text_config().hidden_size
        return PromptEncoderConfig(**self.embedded(model), encoder_hidden_size=width)

    def default_learning_rate(self) -> float:
        """1e-2, the better of two by trial (decision 0014); the network multiplies what moves."""
        return 1e-2


@dataclass(frozen=True)
class PrefixStrategy(Prompts):
    """Prefix tuning: keys and values that every layer's attention sees before those of the text.

    Stronger than prompt tuning, since it reaches every layer; weaker than LoRA, and not to be merged.

    Source: Li and Liang 2021, "Prefix-tuning: optimizing continuous prompts for generation".
    """

    name = "prefix"

    def heads(self, model: PreTrainedModel) -> int:
        """Those of keys and values, which in most decoders are fewer than those of queries."""
        config = model.config.get_text_config()
        return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)

    def caution(self, parameters: int) -> str | None:
        """It reaches every layer, and does not depend on the model's size as prompts do."""
        return None

    def configuration(self, model: PreTrainedModel) -> Any:
        """Prefixes of keys and values, learned directly.

        Raises:
            UserError: The model takes no keys and values from elsewhere.
        """
        from peft import PrefixTuningConfig

        if "past_key_values" not in inspect.signature(model.base_model.forward).parameters:
            raise UserError(
                f"a model of type {model.config.model_type!r} takes no keys and values from elsewhere",
                where="strategy.name",
                fix="--strategy lora or --strategy prompt",
            )
        return PrefixTuningConfig(**self.shape(model), prefix_projection=False)

    def default_learning_rate(self) -> float:
        """3e-2, the best of four by trial (decision 0014)."""
        return 3e-2
