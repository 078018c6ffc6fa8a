"""STS-B: how alike are the two sentences, from 0 to 5? GLUE's files."""

from bertsmith.tasks.families.regression import RegressionTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = RegressionTask(
    name="stsb",
    summary="STS-B, likeness from 0 to 5 (GLUE: sentence1, sentence2, score)",
    columns=Columns(first=("sentence1",), second=("sentence2",), label=("score", "label")),
)
