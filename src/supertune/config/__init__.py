"""Typed, strict configuration: every key known, every mistake answered with file, line and the closest key.

A configuration is complete: written into a run directory and given to ``supertune train`` again, it repeats
the run. What is chosen by measurement (``auto``) is replaced there by what was chosen.
"""

from supertune.config.augmentation import Augmentation, dump_augmentation, load_augmentation
from supertune.config.configuration import (
    WRITING,
    Config,
    absolute_paths,
    dump_config,
    known_keys,
    load_config,
    parse_assignments,
    parse_value,
)
from supertune.config.preparation import (
    Preparation,
    WrittenStep,
    dump_preparation,
    load_preparation,
    parse_steps,
    steps_of,
)
from supertune.config.sections import (
    DataConfig,
    EvaluateConfig,
    ModelConfig,
    StrategyConfig,
    TrainConfig,
)
from supertune.config.source_section import SourceConfig
from supertune.config.task_section import TaskConfig

__all__ = [
    "WRITING",
    "Augmentation",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "ModelConfig",
    "Preparation",
    "SourceConfig",
    "StrategyConfig",
    "TaskConfig",
    "TrainConfig",
    "WrittenStep",
    "absolute_paths",
    "dump_augmentation",
    "dump_config",
    "dump_preparation",
    "known_keys",
    "load_augmentation",
    "load_config",
    "load_preparation",
    "parse_assignments",
    "parse_steps",
    "parse_value",
    "steps_of",
]
