"""Words and their parts of speech, in English and Chinese.

Chinese is divided and tagged by jieba (rjieba, MIT); English is divided by the rules of the Penn Treebank (nltk, Apache
2.0) and tagged by the model of gruut (MIT; a linear-chain CRF learned from Universal Dependencies' English corpora).
"""

from __future__ import annotations

from supertune.data.words.dividing import words_in
from supertune.data.words.tagging import check_tagger, tagged_words

__all__ = ["check_tagger", "tagged_words", "words_in"]
