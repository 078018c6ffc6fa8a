"""Classes of your own pairs of texts."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import FIRST_TEXT, SECOND_TEXT, Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="pair",
    summary="classes of your pairs of texts (CSV, TSV, JSONL: text_a, text_b, label)",
    columns=Columns(first=FIRST_TEXT, second=SECOND_TEXT),
    metrics=("accuracy", "macro_f1"),
)
