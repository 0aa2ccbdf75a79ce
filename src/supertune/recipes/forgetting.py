"""What a model that learned to write has forgotten: how likely it finds general texts, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.config import WRITING, Config
from supertune.console import Console
from supertune.contracts import Features, FloatArray, Generation, Outcome, Score
from supertune.conversations import Conversation, Message
from supertune.data import conversations_in, infer_columns, read
from supertune.evaluate import measure, metrics_for, paired_difference
from supertune.general_texts import GENERAL_LANGUAGES, general_probes, general_texts
from supertune.recipes.saved import SavedModel
from supertune.tasks import GenerationTask, joined

GENERAL = "general"
_BITS = "bits_per_character"
_MOST_TOKENS = 1024
"""Of a text; longer ones are cut. How long the rows may be that are learned has nothing to do with it."""
_ENDS = ("right", "wrong", "wrong too", "also wrong")


@dataclass(frozen=True)
class General:
    """How a model does on general texts, and how it did before it was trained.

    Attributes:
        scores: ``general_en`` and so on, and ``general_en_untrained``: metric → score. Likelihoods of texts, and the
            share of probes (``accuracy``) of which the right end is the likeliest.
        differences: ``general_en`` and so on → bits per character after minus before, paired by text.
    """

    scores: Mapping[str, Mapping[str, Score]]
    differences: Mapping[str, Score]


def measure_forgetting(
    saved: SavedModel, before: SavedModel, task: GenerationTask, config: Config, console: Console
) -> General | None:
    """Measure both on the general texts of this package, or on those of a file.

    Args:
        saved: The trained model.
        before: The one that it was.
        task: Brings the tokens and their likelihoods.
        config: Which texts; resamples and seed.
        console: Where to show progress.

    Returns:
        None where nothing is asked for, or a model does not go on with texts by itself.

    Raises:
        UserError: The file cannot be read.
    """
    named = config.evaluate.general
    if named == "none" or task.head().auto_class != "AutoModelForCausalLM":
        return None
    own = {f"{GENERAL}_{language}": _plain(general_texts(language)) for language in GENERAL_LANGUAGES}
    sets = own if named == "auto" else {GENERAL: _of_file(named)}
    settings = {"seed": config.train.seed, "resamples": config.evaluate.resamples}
    scores: dict[str, Mapping[str, Score]] = {}
    differences: dict[str, Score] = {}
    with console.progress("reading general texts", 2 * len(sets)) as bar:
        for place, (name, conversations) in enumerate(sets.items()):
            encoded = _encoded(saved, task, conversations)
            outcomes: dict[str, Outcome] = {}
            for number, (model, suffix) in enumerate(((saved, ""), (before, "_untrained"))):
                outcome = task.outcome(model.outputs(encoded, config.evaluate.batch_size), encoded)
                found = dict(measure(outcome, metrics_for(outcome.answers), **settings).scores)
                outcomes[suffix] = outcome
                if named == "auto":
                    language = name.removeprefix(f"{GENERAL}_")
                    probed = probe_outcome(model, task, language, config.evaluate.batch_size)
                    found |= measure(probed, ("accuracy",), **settings).scores
                scores[name + suffix] = found
                bar(2 * place + number + 1)
            differences[name] = paired_difference(outcomes[""], outcomes["_untrained"], _BITS, **settings)
    return General(scores, differences)


def check_general(config: Config) -> None:
    """Check, before any work is done, that the texts by which forgetting is to be measured are there.

    Raises:
        UserError: They cannot be read.
    """
    if config.task.name in WRITING and config.evaluate.general not in ("auto", "none"):
        _of_file(config.evaluate.general)


def probe_outcome(model: SavedModel, task: GenerationTask, language: str, batch_size: int = 64) -> Outcome:
    """Which end of each probe the model finds likeliest: classes, of which the first is always right."""
    probes = general_probes(language)
    texts = [text for probe in probes for text in probe.texts(language)]
    encoded = _encoded(model, task, _plain(texts))
    costs: FloatArray = np.asarray(model.outputs(encoded, batch_size), np.float64).reshape(len(probes), -1)
    shares = np.exp(costs.min(axis=1, keepdims=True) - costs)
    shares /= shares.sum(axis=1, keepdims=True)
    return Outcome(np.zeros(len(probes), np.int64), shares, _ENDS)


def _plain(texts: Sequence[str]) -> list[Conversation]:
    return [Conversation((Message("assistant", text),), plain=True) for text in texts]


def _of_file(path: str) -> list[Conversation]:
    table = read(path)
    columns = infer_columns(table, answers="generated", generation=Generation("text"), need_label=False)
    return list(conversations_in(table, columns))


def _encoded(saved: SavedModel, task: GenerationTask, conversations: Sequence[Conversation]) -> Features:
    positions = getattr(saved.model.config.get_text_config(), "max_position_embeddings", None) or _MOST_TOKENS
    return joined(task.encoder(saved.tokenizer, min(positions, _MOST_TOKENS)).batches(conversations))
