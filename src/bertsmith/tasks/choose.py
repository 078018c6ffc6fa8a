"""The right one of your own choices."""

from bertsmith.tasks.families.choosing import ChoosingTask

__all__ = ["TASK"]

TASK = ChoosingTask(
    name="choose",
    summary="the right choice (JSONL: context, choices, label; CSV: context, choice0, …, label)",
    extra_stems={"train": ("full_data",)},
)
