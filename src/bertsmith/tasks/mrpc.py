"""MRPC: do the two sentences mean the same? GLUE's files."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="mrpc",
    summary="MRPC, paraphrases (GLUE: Quality, #1 String, #2 String)",
    columns=Columns(
        first=("#1 String", "sentence1"),
        second=("#2 String", "sentence2"),
        label=("Quality", "label"),
    ),
    fixed_labels=("0", "1"),
    metrics=("f1", "accuracy"),
)
