"""Objectives: a model and a batch in, sums and counts out."""

from bertsmith.objectives.base import LossSum, Measure, Objective
from bertsmith.objectives.choices import MultipleChoice
from bertsmith.objectives.classification import SequenceClassification
from bertsmith.objectives.pretraining import LeftToRight, MaskedLM
from bertsmith.objectives.regression import SequenceRegression
from bertsmith.objectives.spans import AnswerSpans
from bertsmith.objectives.token_labels import IGNORED, TokenLabels

__all__ = [
    "IGNORED",
    "AnswerSpans",
    "LeftToRight",
    "LossSum",
    "MaskedLM",
    "Measure",
    "MultipleChoice",
    "Objective",
    "SequenceClassification",
    "SequenceRegression",
    "TokenLabels",
]
