"""MNLI: does the premise entail or contradict the hypothesis? GLUE's files, two dev sets."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="mnli",
    summary="MNLI, entailment, both dev sets (GLUE: sentence1, sentence2, gold_label)",
    columns=Columns(
        first=("sentence1", "premise"),
        second=("sentence2", "hypothesis"),
        label=("gold_label", "label"),
    ),
    fixed_labels=("contradiction", "entailment", "neutral"),
    dev_splits=("dev_matched", "dev_mismatched"),
    test_splits=("test_matched", "test_mismatched"),
)
