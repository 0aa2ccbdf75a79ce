"""From prompts to what a model is first given: padding, tokens that are no words, what an encoder makes of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError
from supertune.generate.reading import Read, empty_cache, keeps_every_token

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

    Attributes:
        body: The model itself.
        kind: Of an adapter that puts tokens before texts; None where there is none.
        encoder: Whether it reads with an encoder.
        extra: Tokens that the adapter puts before each text.
        fixed: How many of these stand before any padding: those of a prefix, being in the cache already. Those of a
            prompt stand between padding and text.
        keeps: Whether what it has read can be kept, see `keeps_every_token`.

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
        self.fixed = self.extra if self.kind == _BEFORE_ALL else 0
        self.keeps = keeps_every_token(self.body)

    def start(self, prompts: Sequence[Sequence[int]], read: Read | None = None, *, recording: bool = False) -> Start:
        """The prompts as a batch; each is padded with a token of its own, which no penalty of repetition can notice.

        Args:
            prompts: Token ids of each.
            read: What they all begin with, if it has been read.
            recording: Keep all that is read; of models that can.
        """
        import torch

        with torch.no_grad():
            if self.encoder:
                return self._encoded(prompts)
            return self._prompted(prompts, read, recording=recording and self.keeps)

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

    def _prompted(self, prompts: Sequence[Sequence[int]], read: Read | None, *, recording: bool) -> Start:
        import torch

        longest, rows = max(map(len, prompts)), len(prompts)
        paddings = [longest - len(prompt) for prompt in prompts]
        inner = self.extra - self.fixed
        filled = zip(paddings, prompts, strict=True)
        ids = [[prompt[0]] * (self.extra + padding) + list(prompt) for padding, prompt in filled]
        mask = [[1] * self.fixed + [0] * padding + [1] * (inner + longest - padding) for padding in paddings]
        device = self.body.device
        texts, known = torch.tensor(ids, device=device), torch.tensor(mask, device=device)
        given: dict[str, Any] = {}
        if read is not None:
            given["past_key_values"] = read.cache(paddings, recording=recording)
        elif self.fixed:
            given["past_key_values"] = self._model.get_prompt(batch_size=rows)
            if recording:
                given["past_key_values"].activate_past_recording()
        elif recording:
            given["past_key_values"] = empty_cache(self.body.config, recording=True)
        if inner:
            embedded = self.body.get_input_embeddings()(texts)
            tokens = self._model.get_prompt(batch_size=rows).to(embedded.dtype)
            for row, padding in enumerate(paddings):
                embedded[row, padding : padding + inner] = tokens[row]
            given["inputs_embeds"] = embedded
        return Start(texts, known, given)
