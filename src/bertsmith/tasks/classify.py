"""Classes of your own texts."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import FIRST_TEXT, Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="classify",
    summary="classes of your texts (CSV, TSV, JSONL: text, label)",
    columns=Columns(first=FIRST_TEXT),
    metrics=("accuracy", "macro_f1"),
)
