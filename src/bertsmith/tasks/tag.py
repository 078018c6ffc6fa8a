"""A tag for each word of your own sentences."""

from bertsmith.tasks.families.tagging import TaggingTask

__all__ = ["TASK"]

TASK = TaggingTask(
    name="tag",
    summary="tags of your words (CoNLL columns, BMES; CSV, TSV, JSONL: words, tags)",
)
