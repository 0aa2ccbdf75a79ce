"""Adversarial training: learn from word embeddings that were moved to where the loss is higher.

A text cannot be changed a little, but its word vectors can. Both ways below compute gradients at moved vectors and
leave the parameters alone. Each text is moved by itself, within a ball around its own vectors: a text's move is one
vector over all its real tokens (tokens × width), and padding stays where it is. What is moved is what the embedding
gives out, so it does not matter whether the embedding itself learns, or holds sparse gradients.

All passes of a descent draw the same dropout masks (Zhu et al. 2020, section 3.3): a move is found for the network
whose loss it raises, not for another one. On Apple's GPUs torch cannot repeat its draws; there the masks differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from supertune.errors import UserError
from supertune.train.regularisation.fast_dropout import BITS

if TYPE_CHECKING:
    import torch

    from supertune.train.learner import Batch, Descent, Objective


def fgm(epsilon: float) -> Descent:
    """The fast gradient method: the mean of the loss and of the loss one step of length ``epsilon`` uphill.

    The mean, where implementations usually add the two: the minimum is the same, while the reported loss, the
    clipping of gradients and the learning rate keep their meaning. Costs two passes.

    Args:
        epsilon: Length of a text's move, in units of the word embeddings.

    Source: Miyato, Dai and Goodfellow 2017, "Adversarial training methods for semi-supervised text classification",
    section 3. They first normalise the embeddings, which pre-trained ones would not survive.
    """

    def descent(objective: Objective, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        with _Moved(model, batch, torch.zeros_like) as moved:
            with _repeatable_draws(model):
                clean, count = moved.descend(objective, share=0.5)
            moved.place(epsilon * moved.uphill(), last=True)
            raised, _ = moved.descend(objective, share=0.5)
        return (clean + raised) / 2, count

    return descent


def freelb(epsilon: float, steps: int, step_size: float | None = None) -> Descent:
    """Free large-batch training: the mean of the losses at ``steps`` points, each further uphill than the last.

    The first point is drawn at random; every step moves by ``step_size`` along the gradient and back onto the ball.
    Costs ``steps`` passes: the gradient that tells the way is also learned from.

    Args:
        epsilon: Radius of the ball, in units of the word embeddings; of a text's whole move.
        steps: Points, at least 1.
        step_size: Length of a step; None for ``epsilon / (steps - 1)``, with which the steps just lead from the
            centre of the ball to its edge.

    Source: Zhu et al. 2020, "FreeLB: enhanced adversarial training for natural language understanding", algorithm 1.
    """
    length = epsilon / max(1, steps - 1) if step_size is None else step_size

    def descent(objective: Objective, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        # From a generator of its own: passes that begin at the same state must draw the same masks.
        device = next(model.parameters()).device
        noise = torch.Generator(device).manual_seed(int(torch.randint(2**63 - 1, ())))

        def start(real: torch.Tensor) -> torch.Tensor:
            uniform = torch.rand(real.shape, generator=noise, device=real.device) * 2 - 1
            return epsilon * real * uniform / _each(real.flatten(1).sum(1).clamp(min=1).sqrt())

        losses = []
        with _Moved(model, batch, start, last=steps == 1) as moved:
            for step in range(steps):
                last = step == steps - 1
                with _repeatable_draws(model, enabled=not last):
                    loss, count = moved.descend(objective, share=1 / steps)
                losses.append(loss)
                if not last:
                    moved.place(_onto_ball(moved.delta + length * moved.uphill(), epsilon), last=step == steps - 2)
        return torch.stack(losses).mean(), count

    return descent


class _Moved:
    """A model whose word embeddings are moved while the block lasts.

    Only the first look-up of a pass is moved: with an encoder-decoder, that of the source.

    Args:
        model: Any model of transformers.
        batch: Its ``attention_mask`` (items, tokens) tells real tokens from padding; without one all are real.
        start: Makes the first move, given float32 (rows, tokens, width) that is 1 for real tokens and 0 for padding.
        last: The first move is the only one, so that its gradient is not needed.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        batch: Batch,
        start: Callable[[torch.Tensor], torch.Tensor],
        *,
        last: bool = False,
    ) -> None:
        self._model, self._batch, self._start, self._last = model, batch, start, last
        self._delta: torch.Tensor | None = None
        self._real: torch.Tensor | None = None
        self._looked_up = 0
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> _Moved:
        embedding = cast(Any, self._model).get_input_embeddings()
        # Encoder-decoders name a shared embedding that only lends its weight to those that are called.
        shared = [
            module
            for module in self._model.modules()
            if module is embedding or getattr(module, "weight", self) is getattr(embedding, "weight", None)
        ]
        self._handles = [
            module.register_forward_hook(self._move) for module in shared if type(module) is type(embedding)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _move(self, module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor | None:
        self._looked_up += 1
        if self._looked_up > 1:
            return None
        if self._delta is None:
            self._real = self._real_tokens(output)
            self.place(self._start(self._real), last=self._last)
        return output + self.delta.to(output.dtype)

    def _real_tokens(self, output: torch.Tensor) -> torch.Tensor:
        import torch

        mask = self._batch.get("attention_mask")
        if mask is None:
            return torch.ones_like(output, dtype=torch.float32)
        # An objective may run its items several times in one pass, one copy after the other, as R-Drop does.
        copies = len(output) // len(mask)
        return mask.repeat(copies, 1).unsqueeze(-1).expand(output.shape).float()

    @property
    def delta(self) -> torch.Tensor:
        """The present move, float32 (rows, tokens, width)."""
        assert self._delta is not None
        return self._delta

    def place(self, delta: torch.Tensor, *, last: bool) -> None:
        """Move by ``delta`` from now on; its gradient is found unless this is the last move."""
        self._delta = delta.detach().requires_grad_(not last)

    def descend(self, objective: Objective, *, share: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Add ``share`` of the gradients at the present move; returns the summed loss and the count.

        Raises:
            UserError: The model did not look its words up in its embedding, so that nothing was moved.
        """
        self._looked_up = 0
        loss, count = objective(self._model, self._batch)
        if not self._looked_up:
            raise UserError(
                "the model's word embeddings were not looked up through its embedding layer, so none could be moved",
                where="train.adversarial",
                fix="--set train.adversarial=none",
            )
        (share * loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), count

    def uphill(self) -> torch.Tensor:
        """The direction of each text in which its loss grows fastest, of length 1; 0 where there is none."""
        assert self._real is not None
        if self.delta.grad is None:
            return self._real * 0
        gradient = self.delta.grad * self._real
        norms = gradient.flatten(1).norm(dim=1)
        return gradient / _each(norms.where(norms > 0, 1))


def _onto_ball(delta: torch.Tensor, radius: float) -> torch.Tensor:
    norms = delta.flatten(1).norm(dim=1)
    return delta * _each(radius / norms.clamp(min=radius))


def _each(values: torch.Tensor) -> torch.Tensor:
    """One value per row, to be spread over its tokens and their width."""
    return values.view(-1, 1, 1)


@contextmanager
def _repeatable_draws(model: torch.nn.Module, *, enabled: bool = True) -> Iterator[None]:
    """Whatever comes after the block draws the random numbers that the block drew."""
    import torch

    device = next(model.parameters()).device
    devices = [device] if device.type == "cuda" else []
    bits = BITS.state_dict()
    with torch.random.fork_rng(devices, enabled=enabled, device_type=device.type):
        yield
    if enabled:
        BITS.load_state_dict(bits)
