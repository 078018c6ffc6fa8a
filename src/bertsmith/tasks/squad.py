"""SQuAD 1.1: every question has an answer in its text."""

from bertsmith.tasks.families.answering import AnsweringTask

__all__ = ["TASK"]

TASK = AnsweringTask(
    name="squad",
    summary="SQuAD 1.1, answers as spans of a text (train*.json, dev*.json)",
    unanswerable=False,
)
