"""Answers to your own questions, as spans of a text; or none."""

from bertsmith.tasks.families.answering import AnsweringTask

__all__ = ["TASK"]

TASK = AnsweringTask(
    name="answer",
    summary="answers to your questions (SQuAD JSON; CSV, TSV, JSONL: question, context, answers)",
    unanswerable=True,
)
