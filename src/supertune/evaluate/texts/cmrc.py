"""Exact match and F1 of short answers by the rules of CMRC 2018: for Chinese, also mixed with other scripts.

Source: Cui et al. 2019, "A Span-Extraction Dataset for Chinese Machine Reading Comprehension", section 4, and the rules
of its evaluation script, version 5. That script cuts what is not Chinese into sentences before it cuts it into words,
with a model that must be downloaded; here all of it is one sentence, so that a full stop stays with its word unless it
is the last.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import judged, row_mean

# Of the curly single quotes only the closing one, and no ellipsis: the script's list has it twice over, as one mark.
_NO_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
# The characters that the script takes singly; rarer ones are parts of words to it.
_CHINESE_OR_RUN = re.compile(r"[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")


def exact_match_cmrc() -> Metric:
    """Share of rows whose answer is one of the references, but for case and the punctuation of CMRC's list."""
    return row_mean(judged(_exact), lambda _: "rules:cmrc")


def f1_cmrc() -> Metric:
    """Mean F1 of the longest run that each answer has in common with the reference for which it is best.

    Runs are of Chinese characters and of the words between them: not a bag, as SQuAD's is.
    """
    return row_mean(judged(_best_f1), lambda _: "rules:cmrc")


def _exact(references: tuple[str, ...], answer: str) -> float:
    given = _bare(answer)
    if not references:
        return float(not given.strip())
    return float(given in map(_bare, references))


def _best_f1(references: tuple[str, ...], answer: str) -> float:
    given = segments(answer)
    if not references:
        return float(not given)
    return max(_common_run(segments(reference), given) for reference in references)


def segments(text: str) -> list[str]:
    """Chinese characters singly and the words between them, in lower case, without punctuation of CMRC's list."""
    found: list[str] = []
    for run in _CHINESE_OR_RUN.findall(_bare(text)):
        found.extend([run] if "\u4e00" <= run[0] <= "\u9fa5" else _words(run))
    return found


def _bare(text: str) -> str:
    return text.lower().strip().translate(_NO_PUNCTUATION)


def _words(run: str) -> list[str]:
    # Chinese answers are full of bare numbers, and nltk takes seconds to import.
    if run.isdecimal():
        return [run]
    from nltk.tokenize import word_tokenize

    words: list[str] = word_tokenize(run, preserve_line=True)
    return words


def _common_run(wanted: list[str], given: list[str]) -> float:
    longest = SequenceMatcher(None, wanted, given, autojunk=False).find_longest_match().size
    if not longest:
        return 0.0
    precision, recall = longest / len(given), longest / len(wanted)
    return 2 * precision * recall / (precision + recall)
