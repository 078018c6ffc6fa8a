"""QQP: do the two questions ask the same? GLUE's files, which have some broken rows."""

from bertsmith.tasks.data.tables import Layout
from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="qqp",
    summary="QQP, duplicate questions (GLUE: question1, question2, is_duplicate)",
    columns=Columns(
        first=("question1",),
        second=("question2",),
        label=("is_duplicate", "label"),
        layout=Layout(skip_broken_rows=True),
    ),
    fixed_labels=("0", "1"),
    metrics=("f1", "accuracy"),
)
