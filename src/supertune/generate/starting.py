"""From prompts to what a model is first given: padding, tokens that are no words, what an encoder makes of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch

_IN_FRONT = ("PROMPT_TUNING", "P_TUNING")
_BEFORE_ALL = "PREFIX_TUNING"


@dataclass(frozen=True)
class Start:
    """What a batch begins with.

    Attributes:
        ids: int64 (rows, tokens): of a decoder the prompts, padded on the left; of an encoder–decoder what its decoder
            begins with.
        mask: int64 (rows, tokens): 1 where there is a token; of an encoder–decoder of the prompts, padded on the right.
        given: What is handed over beside them in the first step alone.
        kept: What is handed over in every step, a row of it for each row of the batch: what the encoder gave out.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    given: Mapping[str, Any]
    kept: torch.Tensor | None = None


class Writer:
    """A model as what it can write with: the body below an adapter, and the tokens that an adapter puts before texts.

    Args:
        model: A causal language model, or one with an encoder and a decoder, maybe with a peft adapter.

    Raises:
        UserError: The adapter is of a kind that has no place here.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        adapted = hasattr(model, "get_base_model")
        self.body: Any = model.get_base_model() if adapted else model
        config: Any = model.active_peft_config if adapted else None
        self.kind = str(config.peft_type.value) if config is not None and config.is_prompt_learning else None
        self.encoder = bool(self.body.config.is_encoder_decoder)
        self.extra = int(config.num_virtual_tokens) if self.kind else 0
        if self.kind and (self.encoder or self.kind not in (*_IN_FRONT, _BEFORE_ALL)):
            what = "an encoder and a decoder" if self.encoder else "this model"
            raise UserError(f"{what} cannot write with an adapter of the kind {self.kind}", fix="use LoRA")

    def start(self, prompts: Sequence[Sequence[int]]) -> Start:
        """The prompts as a batch; each is padded with a token of its own, which no penalty of repetition can notice."""
        import torch

        with torch.no_grad():
            return self._encoded(prompts) if self.encoder else self._prompted(prompts)

    def _encoded(self, prompts: Sequence[Sequence[int]]) -> Start:
        import torch

        longest = max(map(len, prompts))
        ids = [[*prompt, *[prompt[-1]] * (longest - len(prompt))] for prompt in prompts]
        mask = [[1] * len(prompt) + [0] * (longest - len(prompt)) for prompt in prompts]
        device = self.body.device
        texts, known = torch.tensor(ids, device=device), torch.tensor(mask, device=device)
        states = self.body.get_encoder()(input_ids=texts, attention_mask=known, return_dict=True).last_hidden_state
        begin = self.body.generation_config.decoder_start_token_id
        begin = self.body.config.decoder_start_token_id if begin is None else begin
        if begin is None:
            begin = self.body.generation_config.bos_token_id
        return Start(torch.full((len(prompts), 1), begin, device=device), known, {}, states)

    def _prompted(self, prompts: Sequence[Sequence[int]]) -> Start:
        import torch

        longest, rows = max(map(len, prompts)), len(prompts)
        # A prefix stands before the padding, being in the cache already; a prompt between padding and text.
        first = self.extra if self.kind == _BEFORE_ALL else 0
        inner = self.extra - first
        ids = [[prompt[0]] * (self.extra + longest - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[1] * first + [0] * (longest - len(prompt)) + [1] * (inner + len(prompt)) for prompt in prompts]
        device = self.body.device
        texts, known = torch.tensor(ids, device=device), torch.tensor(mask, device=device)
        given: dict[str, Any] = {}
        if self.kind == _BEFORE_ALL:
            given["past_key_values"] = self._model.get_prompt(batch_size=rows)
        elif self.kind:
            embedded = self.body.get_input_embeddings()(texts)
            tokens = self._model.get_prompt(batch_size=rows).to(embedded.dtype)
            for row, prompt in enumerate(prompts):
                padding = longest - len(prompt)
                embedded[row, padding : padding + inner] = tokens[row]
            given["inputs_embeds"] = embedded
        return Start(texts, known, given)
