"""What strategies share that add weights through peft: everything that was pre-trained stays as it is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from supertune.contracts import FrozenPrefix, ParameterGroup
from supertune.errors import UserError
from supertune.strategies.parts import WRITING, base_lines, head_modules, writes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIGURATION, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

TASK_TYPES: Mapping[str, str] = {
    "ForSequenceClassification": "SEQ_CLS",
    "ForQuestionAnswering": "QUESTION_ANS",
    "ForTokenClassification": "TOKEN_CLS",
    "ForCausalLM": "CAUSAL_LM",
    "LMHeadModel": "CAUSAL_LM",
}
"""End of a model class's name → what peft calls its task.

Encoder-decoders that write have none: peft 0.21 asks transformers for a method that it has no more. What is injected
into layers works and opens without.
"""


@dataclass(frozen=True)
class PeftStrategy:
    """Added weights and the head learn, and are saved alone, as plain peft opens them.

    Attributes:
        head_rate: Rate of the head as a multiple of the others'.
    """

    head_rate: float = 1.0

    adapter = True
    own_head = False
    passes = 1.0
    mergeable = False

    @property
    def extra_tokens(self) -> int:
        """None."""
        return 0

    def configuration(self, model: PreTrainedModel) -> Any:
        """Peft's configuration for this model, without task and head."""
        raise NotImplementedError

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model with the added weights, which begin by changing nothing or little; seed torch first.

        Raises:
            UserError: The model has no layers that can be told apart.
        """
        import peft

        with _quietly():
            configuration = self.configuration(model)
        kind = type(model).__name__
        body = cast(Any, model).base_model is model
        known = next((task for end, task in TASK_TYPES.items() if kind.endswith(end)), None)
        # A T5 that writes is its own body.
        configuration.task_type = "FEATURE_EXTRACTION" if body and not writes(model) else known
        # Those that peft names by itself may lack a pooler, and a head that is not saved is lost (peft#876).
        configuration.modules_to_save = head_modules(model) or None
        with _quietly():
            prepared: Any = peft.get_peft_model(model, configuration)
        return prepared  # type: ignore[no-any-return]

    def rate_of(self, name: str) -> float:
        """Rate of an added parameter as a share of the full one."""
        return 1.0

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Matrices with decay, vectors and columns without; groups with the highest rate first."""
        members: dict[tuple[float, bool], list[str]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                share = self.head_rate if ".modules_to_save." in name else self.rate_of(name)
                # IA3's factors are columns, and neutral at 1.
                matrix = sum(size > 1 for size in parameter.shape) > 1
                members.setdefault((share, matrix), []).append(name)
        return [
            ParameterGroup(tuple(names), learning_rate * share, weight_decay if matrices else 0.0)
            for (share, matrices), names in sorted(members.items(), reverse=True)
        ]

    def joins(self, model: PreTrainedModel) -> dict[str, float]:
        """Everything learns from the first step on."""
        return {}

    def frozen_prefix(self, model: PreTrainedModel) -> FrozenPrefix:
        """What is added reaches down to the first layer."""
        return FrozenPrefix()

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """``adapter_model.safetensors`` and ``adapter_config.json``: what was added, and the head."""
        import copy

        opened: Any = model
        kept = opened.peft_config["default"]
        opened.peft_config["default"] = self.stored(copy.copy(kept), base)
        try:
            self.write(model, folder)
        finally:
            opened.peft_config["default"] = kept

    def write(self, model: PreTrainedModel, folder: str, **options: Any) -> None:
        """Peft's own saving."""
        opened: Any = model
        with _quietly():
            # peft would ask the hub whether the base's vocabulary has changed, and it never does here.
            opened.save_pretrained(folder, save_embedding_layers=False, **options)

    def stored(self, configuration: Any, base: str) -> Any:
        """The configuration as it is saved: of no use for where the base happens to lie on this machine."""
        configuration.base_model_name_or_path = base
        for name in ("target_modules", "feedforward_modules", "modules_to_save"):
            if isinstance(found := getattr(configuration, name, None), (set, list)):
                # Sets have another order in every process, and the same run must write the same file.
                setattr(configuration, name, sorted(set(found)))
        return configuration

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """The model with what was saved put on it.

        Raises:
            UserError: A file is missing or damaged, or of another model.
        """
        import peft
        from safetensors import SafetensorError

        for name in (CONFIGURATION, WEIGHTS):
            # peft would look for it on the hub.
            if not (Path(folder) / name).is_file():
                raise UserError("is missing", where=str(Path(folder) / name), fix="restore the file")
        try:
            with _quietly():
                opened: Any = peft.PeftModel.from_pretrained(model, folder, local_files_only=True)
                self._check_whole(opened, Path(folder) / WEIGHTS)
        except (KeyError, ValueError, TypeError, RuntimeError, OSError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"does not fit the model ({reason})",
                where=str(Path(folder) / WEIGHTS),
                fix=f"restore {WEIGHTS} and {CONFIGURATION}",
            ) from error
        loaded: PreTrainedModel = opened
        return loaded

    def _check_whole(self, model: Any, file: Path) -> None:
        """Peft passes over tensors for which the model has no place, such as those of layers that it has no more."""
        import peft
        from safetensors import safe_open

        with safe_open(str(file), framework="pt") as stored:
            lost = set(stored.keys()) ^ set(peft.get_peft_model_state_dict(model, save_embedding_layers=False))
        # The network that prompts came out of is not needed any more.
        lost = {name for name in lost if not name.startswith("prompt_encoder.")}
        if lost:
            raise ValueError(f"{min(lost)} is in one of the two only")

    def caution(self, parameters: int) -> str | None:
        """Nothing is known against it."""
        return None

    def load_lines(self, auto_class: str) -> str:
        """Plain peft opens it."""
        # Labels are read from a file.
        return f"""\
{"" if auto_class in WRITING else "import json" + chr(10) * 2}\
from peft import PeftModel
from transformers import {auto_class}, AutoTokenizer

{base_lines(auto_class)}model = PeftModel.from_pretrained(model, folder).eval()
"""

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """The plain model that computes the same; only where `mergeable`. Takes the given one apart.

        peft's own ``merge_and_unload`` fails for IA3 where the head is more than linear layers (0.21).
        """
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import ModulesToSaveWrapper

        opened: Any = model
        opened.merge_adapter()
        plain: PreTrainedModel = opened.get_base_model()
        for name, module in list(plain.named_modules()):
            if isinstance(module, BaseTunerLayer):
                plain.set_submodule(name, module.get_base_layer())
            elif isinstance(module, ModulesToSaveWrapper):
                plain.set_submodule(name, module.modules_to_save["default"])
        return plain


class _quietly(warnings.catch_warnings):  # noqa: N801 - a context, called like a function
    """Keep from the user what is meant for those who write against transformers and peft, and is looked after here."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        # It is about peft's conversion, which is not used.
        warnings.filterwarnings("ignore", message="Using Rank-Stabilized LoRA with rank_pattern", category=UserWarning)
