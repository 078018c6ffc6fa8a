"""Files of inputs for prediction: one text a line, or rows with named columns."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import DataError, InputError

__all__ = ["COLUMNS", "InputRow", "read_inputs"]

COLUMNS = ("text", "text_pair", "question", "context", "words")
"""What a column can be named; `words` is a list, or words with spaces between them."""

Value = str | list[str]
# Where it stands, and its columns.
Record = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class InputRow:
    """One input.

    Attributes:
        where: file and line, for messages.
        values: the known columns that the row has.
    """

    where: str
    values: dict[str, Value]


def read_inputs(
    path: Path | str, other_names: Sequence[Mapping[str, str]] = ()
) -> Iterator[InputRow]:
    r"""Reads inputs one at a time; the file's ending says what it is.

    `.txt`: a line is a `text`. `.jsonl`: a line is an object. `.csv`, `.tsv`: the first line names
    the columns; in `.tsv` a quotation mark is a character like any other, and a field holds no
    tab or line break. Columns with other names are passed over. UTF-8 throughout.

    Args:
        path: the file.
        other_names: what else columns are called, and which of `COLUMNS` they then are; of several
            such sets the first counts by which a row has all that the set names.

    Yields:
        The rows, in order.

    Raises:
        InputError: the file is missing, empty, of an unknown kind or not UTF-8.
        DataError: a row is broken: no text, no JSON, too few fields.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "in.tsv")
        ...     _ = file.write_text("question\tcontext\nWho?\tAnn did.\n")
        ...     [row.values for row in read_inputs(file)]
        [{'question': 'Who?', 'context': 'Ann did.'}]
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise InputError("is of an unknown kind", where=path, fix=f"give a file named {known}")
    is_empty = True
    for where, record in reader(path):
        yield _row(record, where, other_names)
        is_empty = False
    if is_empty:
        raise InputError("holds no input", where=path, fix="give at least one")


def _lines(path: Path) -> Iterator[str]:
    """The lines with their line breaks; only LF and CR LF end a line."""
    if not path.is_file():
        raise InputError("is no file", where=path, fix="give the path of a file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                where = f"{path}, line {number}"
                what = f"is not UTF-8 at byte {error.start} of the line"
                raise InputError(what, where=where, fix="save it as UTF-8") from None
            yield text


def _read_txt(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            raise DataError("is blank", where=where, fix="give one text a line")
        yield where, {"text": line.rstrip("\r\n")}


def _read_jsonl(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(f"is no JSON ({error})", where=where, fix="write an object") from None
        if not isinstance(record, dict):
            raise DataError("is no JSON object", where=where, fix='write {"text": "…"}')
        yield where, record


def _read_csv(path: Path) -> Iterator[Record]:
    return _read_table(path, csv.reader(_lines(path), strict=True))


def _read_tsv(path: Path) -> Iterator[Record]:
    plain = csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    return _read_table(path, plain)


def _read_table(path: Path, table: "Iterator[list[str]]") -> Iterator[Record]:
    names: list[str] | None = None
    number = 0
    while True:
        number += 1
        where = f"{path}, row {number}"
        try:
            fields = next(table, None)
        except csv.Error as error:
            raise DataError(f"cannot be read ({error})", where=where, fix="mend it") from None
        if fields is None:
            return
        if names is None:
            names = fields
            continue
        if len(fields) != len(names):
            what = f"has {len(fields)} fields where the first row names {len(names)}"
            raise DataError(what, where=where, fix="give every column a value")
        yield where, dict(zip(names, fields, strict=True))


def _row(
    record: Mapping[str, object], where: str, other_names: Sequence[Mapping[str, str]]
) -> InputRow:
    """The known columns of a record, checked."""
    known = {name: name for name in COLUMNS if name in record}
    for names in other_names:
        others = {name: name for name in names.values() if name in record}
        for other, name in names.items():
            if other in record:
                others.setdefault(name, other)
        if others.keys() == set(names.values()):
            known = {name: name for name in known if name not in names} | others
            break
    values = {name: _value(name, record[known[name]], where) for name in COLUMNS if name in known}
    if not values:
        raise DataError("has no known column", where=where, fix=f"name one {' | '.join(COLUMNS)}")
    return InputRow(where, values)


def _value(name: str, value: object, where: str) -> Value:
    """A field, checked."""
    if name == "words" and isinstance(value, str):
        value = value.split()
    if isinstance(value, list) and name == "words":
        words = [word for word in value if isinstance(word, str) and word.strip()]
        if words and len(words) == len(value):
            return words
    elif isinstance(value, str) and name != "words" and value.strip():
        return value
    kind = "a list of words" if name == "words" else "text"
    raise DataError(f"{name} is {value!r:.40}", where=where, fix=f"give {kind}")


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
}
