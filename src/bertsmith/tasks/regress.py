"""A number for your own texts or pairs."""

from bertsmith.tasks.families.regression import RegressionTask
from bertsmith.tasks.families.sequences import FIRST_TEXT, SECOND_TEXT, Columns

__all__ = ["TASK"]

TASK = RegressionTask(
    name="regress",
    summary="a number for your texts or pairs (CSV, TSV, JSONL: text, score; or text_a, text_b)",
    columns=Columns(
        first=FIRST_TEXT, second=SECOND_TEXT, label=("score", "label"), second_optional=True
    ),
)
