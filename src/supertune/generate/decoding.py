"""A batch that is being written: some steps at a time, and rows that are done leave it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from supertune.generate.reading import Read, read_from
from supertune.generate.settings import Ending, GenerationSettings
from supertune.generate.starting import Writer
from supertune.generate.stopping import Stops

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedModel

Written = tuple[list[int], Ending, float]
"""The tokens of a row, what ended it, and their log-probability."""

_OF_THE_MODEL = ("bos_token_id", "decoder_start_token_id", "forced_bos_token_id", "bad_words_ids", "suppress_tokens")
"""What a model's own settings say about its tokens. All else there is taste: how to draw, how long to write."""


class Decoding:
    """Texts that are written side by side.

    transformers does the writing, a few steps at a time. Between, rows that have ended leave the batch and its cache,
    so that they cost nothing more.

    Args:
        writer: The model.
        prompts: Token ids of each, one at least in each.
        stops: What ends a text.
        settings: How to write.
        seed: Of what is drawn.
        stepped: Called after every step with the number of rows that are being written; may raise to stop.
        read: What all prompts begin with, if it has been read.
        recording: Keep all that is read and written of the only row, see `read`.

    Attributes:
        written: Row → its text, once it has ended.
        new: Tokens that were written of the rows that are left, by row.
    """

    def __init__(
        self,
        writer: Writer,
        prompts: Sequence[Sequence[int]],
        stops: Stops,
        settings: GenerationSettings,
        seed: Sequence[int],
        stepped: Callable[[int], None],
        read: Read | None = None,
        *,
        recording: bool = False,
    ) -> None:
        self._writer, self._stops, self._settings, self._stepped = writer, stops, settings, stepped
        self._recording = recording and writer.keeps
        self._recorded: tuple[torch.Tensor, Any] | None = None
        start = writer.start(prompts, read, recording=recording)
        self._ids, self._mask, self._given, self._kept = start.ids, start.mask, dict(start.given), start.kept
        self._begun = start.ids.shape[1]
        self._live = list(range(len(prompts)))
        self._sums = np.zeros(len(prompts))
        self._random = _Random(seed, writer.body.device) if settings.temperature else None
        self.written: dict[int, Written] = {}

    @property
    def new(self) -> dict[int, list[int]]:
        """The tokens of each row that has not ended."""
        return dict(zip(self._live, self._ids[:, self._begun :].tolist(), strict=True))

    @property
    def read(self) -> Read | None:
        """What has been read and written, but for the last token; None where the model does not keep it.

        What has been broken off in the middle of a step does not count: not all layers have it.
        """
        if self._recorded is None:
            return None
        ids, cache = self._recorded
        writer = self._writer
        return read_from(cache, ids[0, writer.extra : -1].tolist(), writer.extra, writer.fixed, writer.body.config)

    def advance(self, steps: int) -> None:
        """Write up to ``steps`` more tokens of every row that has not ended; of beams all there are."""
        from transformers import StoppingCriteriaList

        settings, body = self._settings, self._writer.body
        done = self._ids.shape[1] - self._begun
        if settings.beams > 1:
            steps = settings.max_new_tokens
            if "past_key_values" in self._given:
                # transformers repeats all but this.
                self._given["past_key_values"].batch_repeat_interleave(settings.beams)
        steps = min(steps, settings.max_new_tokens - done)
        watch = _Watch(self._stops, self._begun, None if settings.beams > 1 else body, self._stepped)
        random: Any = self._random or contextlib.nullcontext()
        with _own_taste_set_aside(body), watch, random:
            found: Any = body.generate(
                **self._inputs(),
                generation_config=_configured(settings, self._stops, steps),
                stopping_criteria=StoppingCriteriaList([watch]),
            )
        self._take(found, done, watch)

    def _inputs(self) -> dict[str, Any]:
        from transformers.modeling_outputs import BaseModelOutput

        if self._kept is None:
            return {"input_ids": self._ids, "attention_mask": self._mask, **self._given}
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=self._kept),
            "attention_mask": self._mask,
            "decoder_input_ids": self._ids,
            "decoder_attention_mask": self._ids.new_ones(self._ids.shape),
            **self._given,
        }

    def _take(self, found: Any, done: int, watch: _Watch) -> None:
        """Rows that have ended, out of the batch; of the others what the next steps go on from."""
        import torch

        settings = self._settings
        sequences = found.sequences
        new = sequences[:, self._begun :].tolist()
        steps = len(new[0]) - done
        if settings.beams > 1:
            # Of each row the best beam; its score is a power of the length away from its log-probability.
            told = found.sequences_scores.tolist()
        else:
            told = torch.stack(watch.log_probabilities[:steps], dim=1).double().cumsum(dim=1).tolist()
        kept: list[int] = []
        for place, (row, tokens) in enumerate(zip(self._live, new, strict=True)):
            end = self._stops.end(tokens, done)
            if end is None and len(tokens) < settings.max_new_tokens and settings.beams == 1:
                self._sums[row] += told[place][-1]
                kept.append(place)
                continue
            length, ended = end or (len(tokens), "length")
            if settings.beams > 1:
                total = told[place] * length**settings.length_penalty
            else:
                total = self._sums[row] + told[place][length - done - 1]
            self.written[row] = tokens[:length], ended, float(total)
        self._keep(kept, found)

    def _keep(self, kept: list[int], found: Any) -> None:
        import torch

        everyone = len(kept) == len(self._live)
        self._live = [self._live[place] for place in kept]
        rows = torch.tensor(kept, dtype=torch.int64, device=self._ids.device)
        before = self._ids.shape[1]
        self._ids = found.sequences[rows]
        self._mask = self._mask[rows]
        if self._kept is None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(kept), self._ids.shape[1] - before)], dim=1)
        else:
            self._kept = self._kept[rows]
        cache: Any = getattr(found, "past_key_values", None)
        if self._recording and hasattr(cache, "get_seq_length"):
            self._recorded = found.sequences, cache
        self._given = {}
        # Without a cache everything is read again, as it is by models that keep what they have read in some other way.
        if kept and hasattr(cache, "get_seq_length"):
            if not everyone:
                cache.batch_select_indices(rows)
            self._given["past_key_values"] = cache


class _Watch:
    """Asked after every step: which rows have a stop string at their end. Keeps log-probabilities meanwhile.

    Args:
        stops: What ends a text.
        begun: Tokens of the prompts.
        body: Whose scores are wanted as it gives them out; None where they are not.
        stepped: See `Decoding`.
    """

    def __init__(self, stops: Stops, begun: int, body: PreTrainedModel | None, stepped: Callable[[int], None]) -> None:
        self._stops, self._begun, self._body, self._stepped = stops, begun, body, stepped
        self._scores: torch.Tensor | None = None
        self._hook: Any = None
        self.log_probabilities: list[torch.Tensor] = []

    def __enter__(self) -> _Watch:
        if self._body is not None:
            self._hook = self._body.register_forward_hook(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _see(self, _: object, __: object, outputs: Any) -> None:
        self._scores = outputs.logits[:, -1]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        """Bool (rows,)."""
        import torch

        self._stepped(len(input_ids))
        if self._scores is not None:
            given = self._scores.float()
            chosen = given.gather(1, input_ids[:, -1:]).squeeze(1)
            self.log_probabilities.append((chosen - given.logsumexp(dim=1)).cpu())
            self._scores = None
        recent = input_ids[:, max(self._begun, input_ids.shape[1] - self._stops.reach) :]
        said = [self._stops.said(tokens) for tokens in recent.tolist()]
        return torch.tensor(said, device=input_ids.device)


class _Random:
    """Draws of its own, that go on where they stopped and disturb nobody else's."""

    def __init__(self, seed: Sequence[int], device: torch.device) -> None:
        import torch

        self._device = device
        number = int(np.random.SeedSequence(list(seed)).generate_state(1)[0])
        with torch.random.fork_rng(devices=self._devices):
            torch.manual_seed(number)
            self._kept = self._states()

    @property
    def _devices(self) -> list[torch.device]:
        return [self._device] if self._device.type == "cuda" else []

    def _states(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        import torch

        return torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in self._devices]

    def _restore(self, states: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
        import torch

        torch.set_rng_state(states[0])
        for device, state in zip(self._devices, states[1], strict=True):
            torch.cuda.set_rng_state(state, device)

    def __enter__(self) -> _Random:
        self._others = self._states()
        self._restore(self._kept)
        return self

    def __exit__(self, *_: object) -> None:
        self._kept = self._states()
        self._restore(self._others)


def _configured(settings: GenerationSettings, stops: Stops, steps: int) -> GenerationConfig:
    from transformers import GenerationConfig

    chosen: dict[str, Any] = {}
    if settings.temperature:
        chosen |= {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
    if settings.beams > 1:
        chosen["length_penalty"] = settings.length_penalty
    stop = sorted(stops.ids)
    make: Any = GenerationConfig
    return cast(
        "GenerationConfig",
        make(
            max_new_tokens=steps,
            do_sample=settings.temperature > 0,
            num_beams=settings.beams,
            repetition_penalty=settings.repetition_penalty,
            eos_token_id=stop or None,
            # What stands behind an end is never looked at.
            pad_token_id=stop[0] if stop else 0,
            use_cache=settings.use_cache,
            return_dict_in_generate=True,
            output_scores=settings.beams > 1,
            **chosen,
        ),
    )


@contextlib.contextmanager
def _own_taste_set_aside(body: PreTrainedModel) -> Iterator[None]:
    """The model's own settings but for what they say about its tokens: they would fill what ours leave open."""
    from transformers import GenerationConfig

    own: Any = body.generation_config
    known = {name: value for name in _OF_THE_MODEL if (value := getattr(own, name, None)) is not None}
    make: Any = GenerationConfig
    body.generation_config = make(**known)
    try:
        with warnings.catch_warnings():
            # Of prompts that are embedded already, and of caches handed over: both are meant.
            warnings.simplefilter("ignore")
            yield
    finally:
        body.generation_config = own
