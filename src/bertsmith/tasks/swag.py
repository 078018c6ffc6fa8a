"""SWAG: how does the scene go on? Its official CSV, or CODAH's TSV."""

from bertsmith.tasks.families.choosing import ChoosingTask

__all__ = ["TASK"]

TASK = ChoosingTask(
    name="swag",
    summary="SWAG, the right one of four endings (train.csv, val.csv; CODAH's full_data.tsv)",
    extra_stems={"train": ("full_data",)},
)
