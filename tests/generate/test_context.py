"""A conversation goes on from what was read and written before, and says what it would have said without."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from test_generate import DECODERS, SETTINGS, adapted, agree
from test_shared_beginnings import read
from tiny_writers import decode, encode, writer

from supertune.generate import Context, Generated, GenerationSettings, stream

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False"),
]
SETTINGS = replace(SETTINGS, max_new_tokens=6)
SYSTEM = encode("Be brief. 简短。 Answer in one word, whatever is asked.")


def told(
    model: Any, prompt: Sequence[int], context: Context | None, settings: GenerationSettings = SETTINGS
) -> Generated:
    found: list[Generated] = []
    pieces = list(stream(model, prompt, settings, decode=decode, done=found.append, context=context))
    assert "".join(pieces) == found[0].text
    return found[0]


def same(model: Any, prompt: Sequence[int], context: Context) -> Generated:
    """What is said, with and without what was read before."""
    with_it, without = told(model, prompt, context), told(model, prompt, None)
    agree([with_it], [without])
    return with_it


def writers() -> list[Any]:
    plain = [pytest.param(name, None, id=name) for name in DECODERS]
    kinds = ("lora", "prompt", "p-tuning", "prefix")
    return plain + [pytest.param(name, kind, id=f"{name}-{kind}") for name in ("llama", "gemma") for kind in kinds]


@pytest.mark.parametrize(("name", "kind"), writers())
def test_turn_after_turn_the_same_is_said(name: str, kind: str | None) -> None:
    """Longer than Gemma's window from the first turn."""
    model, context = adapted(name, kind) if kind else writer(name), Context()
    said = list(SYSTEM)
    for asked in ("a?", "好吗？", "and why?"):
        said += encode(asked)
        said += same(model, said, context).ids.tolist()
    # History that is written otherwise than before, such as without what was thought.
    again = [*SYSTEM, *encode("a?"), *said[-30:]]
    again += same(model, again, context).ids.tolist()
    # Back to the beginning, and to something else altogether.
    same(model, [*SYSTEM, *encode("b!")], context)
    same(model, encode("nothing before"), context)
    same(model, SYSTEM[:3], context)
    same(model, said[: len(SYSTEM) + 20], context)


@pytest.mark.parametrize("name", DECODERS)
def test_only_what_is_new_is_read(name: str) -> None:
    model, context = writer(name), Context()
    first = [*SYSTEM, *encode("a?")]
    written = told(model, first, context).ids.tolist()
    new = encode("and then?")
    with read(model) as counts:
        told(model, [*first, *written, *new], context)
    # The last token that was written has not been read yet.
    assert counts == [1 + len(new)] + [1] * 5
    with read(model) as counts:
        told(model, [*first, *new], context)
    assert counts[0] == len(new)
    # The same again: one token must be read to go on from.
    with read(model) as counts:
        told(model, [*first, *new], context)
    assert counts[0] == 1


@pytest.mark.parametrize("name", DECODERS)
def test_what_was_stopped_is_gone_on_with(name: str) -> None:
    model, context = writer(name), Context()
    said = [*SYSTEM, *encode("a?")]
    with contextlib.closing(stream(model, said, SETTINGS, decode=decode, context=context)) as pieces:
        next(pieces)
    same(model, [*said, *encode("x?")], context)

    class StoppedError(Exception):
        pass

    steps = 0

    def broken(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise StoppedError

    # In the middle of a step: the first layer has what the second has not.
    layers = [module for name, module in model.named_modules() if name.endswith((".layers.1", ".h.1"))]
    hook = layers[0].register_forward_pre_hook(broken)
    said += encode("and now?")
    with pytest.raises(StoppedError):
        told(model, said, context)
    hook.remove()
    with read(model) as counts:
        told(model, said, context)
    assert counts[0] == 1
    same(model, [*said, *encode("y?")], context)


def test_what_another_model_has_read_is_not_taken() -> None:
    context = Context()
    told(writer("llama"), SYSTEM, context)
    model = writer("llama")
    with read(model) as counts:
        same(model, SYSTEM, context)
    assert counts[0] == len(SYSTEM)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_encoders_read_everything_again(name: str) -> None:
    model, context = writer(name), Context()
    for asked in ("a?", "a? b?"):
        same(model, encode(asked), context)


def test_without_a_cache_nothing_is_kept() -> None:
    model, context = writer("llama"), Context()
    settings = replace(SETTINGS, use_cache=False)
    for _ in range(2):
        with read(model) as counts:
            told(model, SYSTEM, context, settings)
        assert counts[0] == len(SYSTEM)
