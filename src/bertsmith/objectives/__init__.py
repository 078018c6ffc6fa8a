"""Objectives: a model and a batch in, sums and counts out."""

from bertsmith.objectives.base import LossSum, Measure, Objective
from bertsmith.objectives.pretraining import LeftToRight, MaskedLM, cross_entropy_measure

__all__ = ["LeftToRight", "LossSum", "MaskedLM", "Measure", "Objective", "cross_entropy_measure"]
