"""Tokens per second of processor time: texts written one by one, in batches, and in batches that ended rows leave.

Without ``--model`` a random model of Llama's kind draws texts whose lengths vary as those of real ones do: geometric,
of a given mean, up to the limit. With it a folder is opened and writes greedily after pieces of English and Chinese.

    python benchmarks/generation.py [--model FOLDER] [--prompts 64] [--new 256] [--mean 40] [--repeats 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from supertune.generate import Generated, GenerationSettings, generate, stream, writing

TEXTS = (
    "Once upon a time there was a king who",
    "The three most important things to know about",
    "从前有一座山，山里有",
    "今天的天气",
    "To whom it may concern: I am writing to complain about the parcel that",
    "Q: What is the capital of France?\nA:",
)


def random_model(vocabulary: int) -> Any:
    """Of Llama's kind with 4 layers of width 256."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=4,
            intermediate_size=768,
        )
    ).eval()


def timed(write: Callable[[], Sequence[Generated]]) -> tuple[float, int]:
    """Seconds of the processor, which what else runs on the machine does not change much, and tokens written."""
    begun = time.process_time()
    found = write()
    return time.process_time() - begun, sum(one.tokens for one in found)


def main() -> None:
    """Measure the ways in turn, several times over, and print the medians."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--model")
    asked.add_argument("--prompts", type=int, default=64)
    asked.add_argument("--new", type=int, default=256)
    asked.add_argument("--mean", type=int, default=40)
    asked.add_argument("--repeats", type=int, default=3)
    options = asked.parse_args()
    generator = np.random.default_rng(0)
    decode: Callable[[Sequence[int]], str] = lambda ids: " ".join(map(str, ids))  # noqa: E731
    if options.model:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model: Any = AutoModelForCausalLM.from_pretrained(options.model).eval()
        tokenizer: Any = AutoTokenizer.from_pretrained(options.model)
        prompts = [tokenizer(TEXTS[row % len(TEXTS)])["input_ids"] for row in range(options.prompts)]
        decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=True)  # noqa: E731
        settings = GenerationSettings(max_new_tokens=options.new, stop_strings=("\n", "。", ". "))
    else:
        vocabulary = 8192
        model = random_model(vocabulary)
        prompts = [
            generator.integers(0, vocabulary, size).tolist() for size in generator.integers(8, 90, options.prompts)
        ]
        stops = tuple(range(vocabulary // options.mean))
        settings = GenerationSettings(max_new_tokens=options.new, stop_ids=stops, temperature=1.0)

    def one_by_one() -> list[Generated]:
        return [generate(model, [prompt], settings, decode=decode)[0] for prompt in prompts]

    def streamed() -> list[Generated]:
        found: list[Generated] = []
        for prompt in prompts[:8]:
            for _ in stream(model, prompt, settings, decode=decode, done=found.append):
                pass
        return found

    def batched(steps: int) -> Callable[[], list[Generated]]:
        def write() -> list[Generated]:
            writing._STEPS = steps
            return generate(model, prompts, settings, decode=decode)

        return write

    ways: dict[str, Callable[[], Sequence[Generated]]] = {"one by one": one_by_one, "streamed (8)": streamed}
    ways |= {"batches, rows stay to the end": batched(options.new)}
    ways |= {f"batches, rows leave every {steps} steps": batched(steps) for steps in (8, 16, 32)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, write in ways.items():
            seconds, tokens = timed(write)
            rates[name].append(tokens / seconds)
            print(f"  {name}: {tokens} tokens in {seconds:.1f} s", flush=True)
    for name, found in rates.items():
        print(f"{name}: {statistics.median(found):.1f} tokens/s (of {len(found)}: {min(found):.1f}–{max(found):.1f})")


if __name__ == "__main__":
    main()
