"""RTE: does the first text entail the second? GLUE's files."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="rte",
    summary="RTE, entailment (GLUE: sentence1, sentence2, label)",
    columns=Columns(first=("sentence1",), second=("sentence2",)),
    fixed_labels=("entailment", "not_entailment"),
    num_epochs=4.0,
)
