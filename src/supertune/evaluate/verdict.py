"""One paragraph in plain words: how good the model is, how sure we are, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.evaluate.facts import Facts, find_facts
from supertune.evaluate.words_en import english
from supertune.evaluate.words_zh import chinese

LANGUAGES: Mapping[str, Callable[[Facts], str]] = {"en": english, "zh": chinese}


def verdict(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    n_test: int,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int] | None = None,
    language: str = "en",
) -> str:
    """Four to seven sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows; ``accuracy`` at least, better with ``f1_macro ece f1/<label>``.
        baselines: Name (``majority``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF from `paired_difference`, or None.
        n_test: Number of test rows.
        test_counts: Label → number of test rows that truly have it.
        train_counts: Label → number of training rows, for the advice.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    if language not in LANGUAGES:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(LANGUAGES)}")
    facts = find_facts(
        scores,
        baselines,
        difference,
        n_test=n_test,
        test_counts=test_counts,
        train_counts=train_counts,
    )
    return LANGUAGES[language](facts)
