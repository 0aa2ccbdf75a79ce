"""Rankings: metrics and the verdict."""

from supertune.evaluate.rankings.metrics import mean_average_precision, mrr, ndcg, recall
from supertune.evaluate.rankings.verdict import verdict_on_rankings

__all__ = ["mean_average_precision", "mrr", "ndcg", "recall", "verdict_on_rankings"]
