"""The loss over a large vocabulary and its gradients: ours, all logits at once, torch's chunks, and as TRL has it.

Usage: python benchmarks/output_head.py [--shapes gemma,qwen,llama] [--tokens 128] [--rounds 5] [--learns] [--bf16]
                                        [--memory]

What is timed is loss and gradient from hidden states on, of a head that does not learn (or does, with --learns). The
floor is the products alone, which nobody can do without: logits, and the gradients made of them. All ways take turns in
one process; time is the processor's, of which other programs take nothing, and told are medians of the ratios to the
floor, round by round, with their range. Loss and gradients of all ways are compared first. With --memory each way runs
in a process of its own, and what it takes at its highest beyond its inputs is told.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHAPES = {"gemma": (640, 262_144), "qwen": (896, 151_936), "llama": (960, 49_152), "small": (768, 32_000)}
"""Width and vocabulary: Gemma-3-270M, Qwen2.5-0.5B, SmolLM2-360M, and what models had before."""
CHUNK = 128
"""Tokens of a chunk for torch's own loss; what it chooses by itself, one token at a time here, is many times slower."""
TRL_BLOCK = 8192
"""Vocabulary that TRL 1.16 looks at together."""


def main() -> int:
    """Compare, time, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--learns", action="store_true", help="the head learns too")
    parser.add_argument("--bf16", action="store_true", help="hidden states and weight in bfloat16")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.shapes.split(","):
        if options.only:
            print(highest_memory(options, name))
        elif options.memory:
            told_memory(options, name)
        else:
            told_times(options, name)
    return 0


def told_times(options: argparse.Namespace, name: str) -> None:
    """Print a table of one shape."""
    import torch

    ways = ways_of(options, name)
    wanted = [one.float() for one in ways["all logits"]()]
    for way, run in ways.items():
        if way != "floor":
            for one, other in zip(run(), wanted, strict=True):
                error = float((one.float() - other).norm() / other.norm())
                assert error < (0.05 if options.bf16 else 1e-5), f"{way} is {error:.1e} away"
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, run in ways.items():
            begun = time.process_time()
            run()
            seconds[way].append(time.process_time() - begun)
    width, vocabulary = SHAPES[name]
    print(
        f"{name}: width {width}, vocabulary {vocabulary:,}, {options.tokens} tokens, "
        f"{'bf16' if options.bf16 else 'fp32'}, head {'learns' if options.learns else 'frozen'}, "
        f"{torch.get_num_threads()} threads, {options.rounds} rounds"
    )
    for way, found in seconds.items():
        ratios = [one / floor for one, floor in zip(found, seconds["floor"], strict=True)]
        ours = [one / our for one, our in zip(found, seconds["supertune"], strict=True)]
        print(
            f"  {way:12} {statistics.median(found):6.2f} s, {statistics.median(ratios):.2f} × the floor "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {statistics.median(ours):.2f} × supertune "
            f"({min(ours):.2f} to {max(ours):.2f})",
            flush=True,
        )


def told_memory(options: argparse.Namespace, name: str) -> None:
    """Print what each way takes, in a process of its own."""
    print(f"{name}: MB beyond hidden states and weight, {options.tokens} tokens")
    for way in ("supertune", "all logits", "torch", "as TRL"):
        command = [sys.executable, __file__, "--shapes", name, "--tokens", str(options.tokens), "--only", way]
        command += ["--learns"] * options.learns + ["--bf16"] * options.bf16
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        print(f"  {way:12} {int(found):6,}", flush=True)


def highest_memory(options: argparse.Namespace, name: str) -> int:
    """What one way takes at its highest, in MB."""
    run = ways_of(options, name)[options.only]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS")
    run()
    return memory("VmHWM") - before


def memory(entry: str) -> int:
    """An entry of the process's status, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) // 1024


def ways_of(options: argparse.Namespace, name: str) -> dict[str, Callable[[], list[Any]]]:
    """Name → what computes [loss, gradient of the hidden states, and of the weight if it learns]."""
    import torch
    from torch.nn import functional

    from supertune.train import linear_cross_entropy

    torch.manual_seed(0)
    width, vocabulary = SHAPES[name]
    kind = torch.bfloat16 if options.bf16 else torch.float32
    head = torch.nn.Linear(width, vocabulary, bias=False, dtype=kind).requires_grad_(options.learns)
    hidden = (4 * torch.randn(options.tokens, width)).to(kind)
    targets = torch.randint(0, vocabulary, (options.tokens,))

    def differentiated(loss: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], list[torch.Tensor]]:
        def run() -> list[torch.Tensor]:
            states = hidden.clone().requires_grad_()
            summed = loss(states)
            return [summed.detach(), *torch.autograd.grad(summed, [states, *([head.weight] if options.learns else [])])]

        return run

    def torchs(states: torch.Tensor) -> torch.Tensor:
        chunks = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=CHUNK, chunking_method=None)
        return functional.linear_cross_entropy(states, head.weight, targets, reduction="sum", options=chunks)

    def floor() -> list[torch.Tensor]:
        weight, total = head.weight.detach(), torch.zeros_like(hidden)
        block = torch.empty(options.tokens, 2048, dtype=kind)
        found = torch.empty_like(weight) if options.learns else None
        for start in range(0, vocabulary, 2048):
            part = weight[start : start + 2048]
            logits = block[:, : len(part)]
            torch.mm(hidden, part.T, out=logits)
            total.addmm_(logits, part)
            if found is not None:
                torch.mm(logits.T, hidden, out=found[start : start + 2048])
        return [total]

    return {
        "floor": floor,
        "supertune": differentiated(lambda states: linear_cross_entropy(states, head, targets)[0]),
        "all logits": differentiated(
            lambda states: functional.cross_entropy(head(states).float(), targets, reduction="sum")
        ),
        "torch": differentiated(torchs),
        "as TRL": lambda: as_trl(hidden, head.weight.detach(), targets, learns=options.learns),
    }


def as_trl(hidden: Any, weight: Any, targets: Any, *, learns: bool) -> list[Any]:
    """TRL 1.16's way without its GPU kernels: normalisers of all blocks first, then every block's logits again."""
    import torch

    highest = torch.full((len(hidden),), -torch.inf)
    total, of_target = torch.zeros(len(hidden)), torch.zeros(len(hidden))
    for start in range(0, len(weight), TRL_BLOCK):
        part = weight[start : start + TRL_BLOCK]
        logits = (hidden @ part.T).float()
        higher = torch.maximum(highest, logits.amax(dim=1))
        total = total * (highest - higher).exp() + (logits - higher[:, None]).exp().sum(dim=1)
        highest, place = higher, targets - start
        inside = (place >= 0) & (place < len(part))
        chosen = logits.gather(1, place.clamp(0, len(part) - 1)[:, None])[:, 0]
        of_target = torch.where(inside, chosen, of_target)
    log_sum = highest + total.log()
    of_hidden = torch.zeros(hidden.shape)
    of_weight = torch.empty_like(weight) if learns else None
    for start in range(0, len(weight), TRL_BLOCK):
        part = weight[start : start + TRL_BLOCK]
        gradient = ((hidden @ part.T).float() - log_sum[:, None]).exp()
        place = torch.arange(start, start + len(part))
        gradient = (gradient - (targets[:, None] == place[None]).float()).to(hidden.dtype)
        of_hidden.addmm_(gradient.float(), part.float())
        if of_weight is not None:
            of_weight[start : start + len(part)] = gradient.T @ hidden
    return [(log_sum - of_target).sum(), of_hidden, *([of_weight] if of_weight is not None else [])]


if __name__ == "__main__":
    sys.exit(main())
