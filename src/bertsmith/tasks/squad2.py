"""SQuAD 2.0: some questions have no answer in their text."""

from bertsmith.tasks.families.answering import AnsweringTask

__all__ = ["TASK"]

TASK = AnsweringTask(
    name="squad2",
    summary="SQuAD 2.0, answers as spans, or none (train*.json, dev*.json)",
    unanswerable=True,
    num_epochs=2.0,
)
