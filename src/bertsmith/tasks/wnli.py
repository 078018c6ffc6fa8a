"""WNLI: Winograd schemas as entailment. GLUE's files."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="wnli",
    summary="WNLI, Winograd schemas as pairs (GLUE: sentence1, sentence2, label)",
    columns=Columns(first=("sentence1",), second=("sentence2",)),
    fixed_labels=("0", "1"),
)
