"""Memory: how much a step needs, and into how many pieces it is cut to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_CAUTION = 0.8
"""Share of the free memory that activations may take: the estimate is not exact, and others need some too."""
_FEW = 0.05
"""Share of the weights that learn, at most, where a strategy adds or picks some."""
_LOGITS = 128 << 20
"""What an output head over a vocabulary takes for logits at most; see `linear_cross_entropy`."""
_IN_PYTHON = frozenset({"gelu_new", "gelu_fast", "quick_gelu"})
"""Activation functions that are made of several steps, each of which keeps what it was given."""


@dataclass(frozen=True)
class StepMemory:
    """What one step of a training takes.

    Attributes:
        config: The model's configuration, with ``hidden_size``, ``num_hidden_layers`` and ``num_attention_heads``.
        width: Bytes per number of the compute type.
        weights: Numbers in the model; 0 where nobody knows.
        all_learn: Whether they all learn.
        writes: Whether it names the next token, out of all there are.
        scores: Whether attention keeps its scores: ``sdpa`` does not.
    """

    config: Any
    width: int
    weights: int = 0
    all_learn: bool = True
    writes: bool = False
    scores: bool = True

    def standing(self) -> int:
        """Bytes taken whatever the batch: weights as they were opened, gradients and averages of what learns."""
        learning = self.weights if self.all_learn else int(_FEW * self.weights)
        # 32 bits each: a gradient and Adam's two averages; beside a copy in 16 bits the master.
        each = 12 if self.width == 4 else 16
        return 4 * self.weights + each * learning + (_LOGITS if self.writes else 0)

    def activations(self, items: int, tokens: int, *, checkpointed: bool = False) -> int:
        """Bytes that layers keep of one batch between the forward and the backward pass.

        Counted in numbers per token and layer, after Korthikanti et al. 2023, "Reducing activation recomputation",
        section 4.1, with the widths that the configuration tells: 8 h for what goes through, normalised; 4 (q + k) for
        attention; 2 f for the feed-forward layer, 4 f where it is gated; a s for attention's weights, three times that
        with dropout. Of Llama, Gemma 3, Qwen 3, GPT-2, BERT and ModernBERT it is between 0.8 and 1.5 of what they keep.

        Args:
            items: Texts in the batch.
            tokens: Tokens per text, padding included.
            checkpointed: Whether only what layers are given is kept, and one layer is computed at a time.
        """
        text = self.config.get_text_config()
        layers, hidden, heads = text.num_hidden_layers, text.hidden_size, text.num_attention_heads
        head = getattr(text, "head_dim", None) or hidden // heads
        groups = getattr(text, "num_key_value_heads", None) or heads
        inner = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * hidden
        # Those that normalise by the root of the mean square are gated, as far as they are known.
        kept = 4 if hasattr(text, "rms_norm_eps") else 2
        if _activation(text) in _IN_PYTHON:
            kept += 4
        dropped = self._dropout(text)
        scores = 3 if dropped else int(self.scores)
        each = 8 * hidden + 4 * head * (heads + groups) + kept * inner + scores * heads * tokens
        if checkpointed:
            return int(items * tokens * (layers * hidden + each) * self.width)
        return int(layers * items * tokens * each * self.width)

    def _dropout(self, text: Any) -> bool:
        names = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop", "dropout_rate")
        return any((getattr(text, name, 0) or 0) > 0 for name in names)

    def fitting(self, items: int, tokens: int, free: int, *, again: bool | None) -> tuple[int, bool]:
        """Into how many pieces to cut a batch so that one fits, and whether its layers are to be computed again.

        Cutting costs little, computing again a third of the time: that is for single texts that do not fit.

        Args:
            items: Texts in the batch.
            tokens: Tokens per text.
            free: Bytes.
            again: Whether layers are computed again; None for where they must.
        """
        room = _CAUTION * free - self.standing()

        def cut(checkpointed: bool) -> tuple[int, bool]:
            pieces, fits = 1, False
            while not (fits := self.activations(-(-items // pieces), tokens, checkpointed=checkpointed) <= room):
                if pieces >= items:
                    break
                pieces *= 2
            return min(pieces, items), fits

        pieces, fits = cut(again is True)
        if fits or again is not None:
            return pieces, again is True
        return cut(True)[0], True


def _activation(text: Any) -> str:
    for name in ("hidden_activation", "hidden_act", "activation_function"):
        if isinstance(found := getattr(text, name, None), str):
            return found
    return ""
