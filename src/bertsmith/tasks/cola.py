"""CoLA: is the sentence acceptable English? GLUE's files, whose train and dev have no header."""

from bertsmith.tasks.data.tables import Layout
from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="cola",
    summary="CoLA, acceptable or not (GLUE: train.tsv, dev.tsv without a header)",
    columns=Columns(
        first=("sentence",),
        layout=Layout(
            headerless=("source", "label", "annotation", "sentence"), header_mark="sentence"
        ),
    ),
    fixed_labels=("0", "1"),
    metrics=("matthews_correlation", "accuracy"),
)
