"""Word embeddings: only the rows that occur are trained, and only those in the batch are moved."""

from supertune.train.embeddings.row_adam import row_adam
from supertune.train.embeddings.rows import RowEmbedding
from supertune.train.embeddings.vocabulary import UsedVocabulary

__all__ = ["RowEmbedding", "UsedVocabulary", "row_adam"]
