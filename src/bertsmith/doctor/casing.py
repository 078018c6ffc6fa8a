"""From which share of entries with capitals on a vocabulary is one for text that keeps its case."""

from bertsmith.doctor.finding import Limits
from bertsmith.wordpiece.casing import MANY_CAPITALS, capitalised_entries, own_entries

__all__ = ["CAPITALS_LIMITS", "capitalised_entries", "own_entries"]

CAPITALS_LIMITS = Limits(problem=MANY_CAPITALS)
