"""Metrics: predictions in, scores from 0 to 1 (correlations from -1 to 1) out."""

from bertsmith.metrics.answers import (
    AnswerScores,
    NullThreshold,
    answer_scores,
    best_null_threshold,
    exact_match,
    normalize_answer,
    token_f1,
)
from bertsmith.metrics.classification import accuracy, binary_f1, macro_f1, matthews_correlation
from bertsmith.metrics.correlation import pearson_correlation, spearman_correlation
from bertsmith.metrics.entities import EntityScores, entity_scores

__all__ = [
    "AnswerScores",
    "EntityScores",
    "NullThreshold",
    "accuracy",
    "answer_scores",
    "best_null_threshold",
    "binary_f1",
    "entity_scores",
    "exact_match",
    "macro_f1",
    "matthews_correlation",
    "normalize_answer",
    "pearson_correlation",
    "spearman_correlation",
    "token_f1",
]
