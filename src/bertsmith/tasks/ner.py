"""Named entities in CoNLL's columns."""

from bertsmith.tasks.families.tagging import TaggingTask

__all__ = ["TASK"]

TASK = TaggingTask(
    name="ner",
    only_entities=True,
    summary="named entities (CoNLL columns, IOB1 or IOB2: eng.train, eng.testa, eng.testb)",
)
