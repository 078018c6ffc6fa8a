"""Rows with named columns, from TSV, CSV and JSON lines."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith._words import counted
from bertsmith.errors import DataError
from bertsmith.tasks.data.text import numbered_lines, parse_json, read_text

__all__ = ["TABLE_EXTENSIONS", "Layout", "Row", "Table", "read_table"]

#: Endings of the files that `read_table` reads.
TABLE_EXTENSIONS = (".tsv", ".csv", ".jsonl", ".txt")


@dataclass(frozen=True)
class Row:
    """One row: its values by column name, and where it stands (`file:line`)."""

    values: Mapping[str, Any]
    where: str

    def text(self, names: Sequence[str], *, required: bool = True) -> str | None:
        """The text in the first of the named columns that the row has.

        Args:
            names: column names that mean the same, the preferred one first.
            required: whether a row without any of them is an error; else it gives None.

        Raises:
            DataError: no such column, or its value is not text (JSON lines).
        """
        value = self.value(names, required=required)
        if value is None:
            return None
        if isinstance(value, bool | list | dict):
            fix = f'write "{str(value).lower()}"' if isinstance(value, bool) else "give text"
            what = f"column {names[0]!r} holds {value!r}, not text"
            raise DataError(what, where=self.where, fix=fix)
        return str(value)

    def value(self, names: Sequence[str], *, required: bool = True) -> Any:
        """The value in the first of the named columns that the row has; see `text`."""
        for name in names:
            if self.values.get(name) is not None:
                return self.values[name]
        if required:
            wanted = " or ".join(repr(name) for name in names)
            if empty := [name for name in names if name in self.values]:
                fix = "give a value, or remove the row"
                raise DataError(f"its {empty[0]!r} is null", where=self.where, fix=fix)
            found = ", ".join(repr(name) for name in self.values)
            raise DataError(f"no column {wanted}", where=self.where, fix=f"there are: {found}")
        return None


@dataclass(frozen=True)
class Layout:
    """What an official file deviates in from "a header, then rows as long as it".

    Attributes:
        headerless: column names of files whose first line is no header. A first line that holds
            `header_mark` among its cells is a header all the same.
        header_mark: the column by which a header is known.
        skip_broken_rows: rows with another number of columns are left out and counted instead of
            being an error: for an official file that is known to have such rows.
    """

    headerless: tuple[str, ...] = ()
    header_mark: str = ""
    skip_broken_rows: bool = False


@dataclass(frozen=True)
class Table:
    """The rows of a file, and how many broken ones were left out."""

    rows: list[Row]
    num_skipped: int = 0


def read_table(path: Path, layout: Layout | None = None) -> Table:
    """Reads a table by its file's ending.

    `.tsv` and `.txt`: columns between tabs, no quoting at all, so that quotes are ordinary
    characters (GLUE's form). `.csv`: commas, with quotes as in RFC 4180. `.jsonl`: a JSON object
    a line, its keys the columns. TSV and CSV have a header line unless `layout` says otherwise.
    Blank lines are skipped.

    Raises:
        DataError: the file cannot be read (see `read_text`), has no rows, or a row has too few
            or too many columns; with file and line.
    """
    layout = layout or Layout()
    text = read_text(path)
    if path.suffix == ".jsonl":
        table = Table(list(_json_rows(text, path)))
    else:
        cells = _csv_cells(text, path) if path.suffix == ".csv" else _tsv_cells(text)
        table = _with_names(cells, path, layout)
    if not table.rows:
        raise DataError("has no rows below its header", where=path, fix="give examples")
    return table


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    for number, line in numbered_lines(text):
        if line.strip():
            where = f"{path}:{number}"
            values = parse_json(line, where)
            if not isinstance(values, dict):
                raise DataError("is not a JSON object", where=where, fix="write {...} a line")
            yield Row(values, where)


def _tsv_cells(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in numbered_lines(text):
        if line.strip():
            yield number, line.split("\t")


def _csv_cells(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"is not CSV: {error}", where=f"{path}:{number}") from None
        if cells is None:
            return
        if cells:
            yield number, cells
        number = reader.line_num + 1


def _with_names(cells: Iterator[tuple[int, list[str]]], path: Path, layout: Layout) -> Table:
    first_number, first = next(cells)
    has_header = not layout.headerless or layout.header_mark in first
    names = [name.strip() for name in first] if has_header else list(layout.headerless)
    rows, num_skipped = [], 0
    for number, values in [*([] if has_header else [(first_number, first)]), *cells]:
        if len(values) != len(names):
            if layout.skip_broken_rows:
                num_skipped += 1
                continue
            verb = "is" if len(names) == 1 else "are"
            raise DataError(
                f"{counted(len(values), 'column')} where {len(names)} {verb} "
                f"expected ({', '.join(names)})",
                where=f"{path}:{number}",
                fix="correct or remove the row",
            )
        rows.append(Row(dict(zip(names, values, strict=True)), f"{path}:{number}"))
    return Table(rows, num_skipped)
