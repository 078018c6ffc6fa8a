"""QNLI: does the sentence answer the question? GLUE's files."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="qnli",
    summary="QNLI, does the sentence answer the question (GLUE: question, sentence, label)",
    columns=Columns(first=("question",), second=("sentence",)),
    fixed_labels=("entailment", "not_entailment"),
)
