"""Running a pipeline over the rows of a file, some at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bertsmith.errors import DataError
from bertsmith.inference.encoding import ItemError
from bertsmith.inference.pipelines import Pipeline
from bertsmith.inference.reading import InputRow

__all__ = ["predict_rows"]


def predict_rows(
    pipeline: Pipeline, rows: Iterable[InputRow], *, rows_at_once: int = 256
) -> Iterator[tuple[InputRow, Any]]:
    """Runs a pipeline over rows and gives every row's result.

    The first row says which columns are read: the richest set that the pipeline takes.

    Args:
        pipeline: from `pipeline(task, folder)`.
        rows: from `read_inputs`.
        rows_at_once: how many rows are run together; bounds the memory.

    Yields:
        Rows and results, in order.

    Raises:
        DataError: a row lacks a column, or has one more that the first row has not.
        ItemError: an input is too long or otherwise wrong; the message names file and line.
    """
    rows = iter(rows)
    columns: tuple[str, ...] | None = None
    while chunk := list(islice(rows, rows_at_once)):
        columns = columns or _columns(pipeline, chunk[0])
        for row in chunk:
            if lacking := [name for name in columns if name not in row.values]:
                raise DataError(f"has no {lacking[0]}", where=row.where, fix="add it to the row")
            if further := set(_columns(pipeline, row)) - set(columns):
                what = f"has a {further.pop()}, and the first row has none"
                raise DataError(
                    what, where=row.where, fix="put the two kinds into files of their own"
                )
        inputs = {name: [row.values[name] for row in chunk] for name in columns}
        try:
            results = pipeline(**inputs)
        except ItemError as error:
            raise error.at(chunk[error.item].where) from None
        yield from zip(chunk, results, strict=True)


def _columns(pipeline: Pipeline, row: InputRow) -> tuple[str, ...]:
    for columns in pipeline.columns:
        if row.values.keys() >= set(columns):
            return columns
    wanted = " or ".join(" and ".join(columns) for columns in pipeline.columns)
    raise DataError(f"has {', '.join(row.values)}", where=row.where, fix=f"give {wanted}")
