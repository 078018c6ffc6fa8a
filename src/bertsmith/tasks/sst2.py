"""SST-2: is the movie review positive? GLUE's files."""

from bertsmith.tasks.families.classification import ClassificationTask
from bertsmith.tasks.families.sequences import Columns

__all__ = ["TASK"]

TASK = ClassificationTask(
    name="sst2",
    summary="SST-2, sentiment of a sentence (GLUE: sentence, label)",
    columns=Columns(first=("sentence",)),
    fixed_labels=("0", "1"),
)
