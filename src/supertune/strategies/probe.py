"""Linear probe: a linear head on the mean of what a frozen model gives out for a text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from supertune.errors import UserError
from supertune.strategies.own_weights import OwnWeights, quiet_saving

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

HEAD = "head.safetensors"


@dataclass(frozen=True)
class ProbeStrategy(OwnWeights):
    """Only a linear head learns, on the mean over a text's tokens; the model is read once for each text.

    For a quick first answer, for very few rows, and to learn how much fine-tuning would add. Weak where the
    labels are about something that the pre-trained model does not tell texts apart by.

    The mean stands in the place of the first token, which was pre-trained for another task.

    Source: Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes".
    """

    name = "probe"
    own_head = True
    passes = 10.0

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model's body, frozen, under a new linear head; seed torch first."""
        body: Any = model.base_model
        # A pooler is part of the body here: the mean stands in its place.
        body.requires_grad_(False)
        probe: PreTrainedModel = _probe_class()(body, int(cast(Any, model.config).num_labels))
        return probe

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """The body as a model folder, and the head in ``head.safetensors`` (``weight``, ``bias``)."""
        from safetensors.torch import save_file

        opened: Any = model
        with quiet_saving():
            opened.body.save_pretrained(folder)
        head = {name: value.detach().contiguous().cpu() for name, value in opened.classifier.named_parameters()}
        save_file(head, str(Path(folder) / HEAD), metadata={"format": "pt"})

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """The model's body with the head of ``folder``.

        Raises:
            UserError: The head's file is missing or damaged, or of other labels.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder) / HEAD
        opened: Any = self.prepare(model)
        try:
            opened.classifier.load_state_dict(load_file(str(path)))
        except (RuntimeError, OSError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"does not fit the model ({reason})", where=str(path), fix="restore the file") from error
        probe: PreTrainedModel = opened
        return probe

    def load_lines(self, auto_class: str) -> str:
        """Plain transformers opens the body; the head is one product."""
        return f"""\
from types import SimpleNamespace

from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
encoder = AutoModel.from_pretrained(folder).eval()
head = load_file(f"{{folder}}/{HEAD}")


def model(input_ids, attention_mask, **others):
    mask = attention_mask.unsqueeze(-1)
    states = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    mean = (states * mask).sum(1) / mask.sum(1)
    return SimpleNamespace(logits=torch.nn.functional.linear(mean, head["weight"], head["bias"]))


model.config = encoder.config
"""

    def default_learning_rate(self) -> float:
        """1e-2: a single layer that begins at random, over few weights."""
        return 1e-2


@cache
def _probe_class() -> Any:
    # A class in a function, so that this module can be imported without torch.
    import torch
    from transformers.modeling_outputs import SequenceClassifierOutput

    class Probe(torch.nn.Module):
        """A body, the mean over the tokens, and a linear head; used like a model of transformers."""

        def __init__(self, body: Any, labels: int) -> None:
            super().__init__()
            self.config, self.body = body.config, body
            self.classifier = torch.nn.Linear(body.config.get_text_config().hidden_size, labels)

        @property
        def base_model(self) -> Any:
            return self.body

        def set_attn_implementation(self, *given: Any, **named: Any) -> None:
            self.body.set_attn_implementation(*given, **named)

        def get_input_embeddings(self) -> Any:
            return self.body.get_input_embeddings()

        def set_input_embeddings(self, value: Any) -> None:
            self.body.set_input_embeddings(value)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            states = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1)
            return SequenceClassifierOutput(logits=self.classifier(mean))

    return Probe
