"""Sentences with a tag for each word: CoNLL columns, BMES characters, tables of words and tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bertsmith._words import counted
from bertsmith.errors import DataError
from bertsmith.inference.entities import decode_tags, encode_tags, scheme_of
from bertsmith.tasks.data.tables import Row, read_table
from bertsmith.tasks.data.text import numbered_lines, read_text

__all__ = ["TAGGED_EXTENSIONS", "TaggedSentence", "read_tagged"]

#: Endings of the files that `read_tagged` reads. CoNLL-2003's own names end in their split.
TAGGED_EXTENSIONS = (
    ".txt", ".conll", ".bmes", ".bio", ".bioes", ".iob", ".iob2", ".tsv", ".csv", ".jsonl",
    ".train", ".dev", ".test", ".testa", ".testb",
)  # fmt: skip


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence's words with their tags.

    Attributes:
        words: the words, at least one.
        tags: one tag for each word, or None where the data has none.
        where: where the first word stands (`file:line`).
        first_line: the line of the first word where each word has a line of its own, else None.
    """

    words: list[str]
    tags: list[str] | None
    where: str
    first_line: int | None = None

    def word_where(self, word: int) -> str:
        """Where a word stands."""
        if self.first_line is None:
            return self.where
        return f"{self.where.rpartition(':')[0]}:{self.first_line + word}"


def read_tagged(path: Path, *, labelled: bool) -> list[TaggedSentence]:
    """Reads the sentences of a file; IOB tags come out as IOB2.

    `.jsonl` and `.csv`, and a `.tsv` whose first line names a column `words`, are tables with the
    columns `words` and `tags`: lists in JSON, else separated by spaces. Everything else is
    columns: one word a line, its tag in the last column, columns between spaces or tabs,
    sentences between blank lines; `-DOCSTART-` lines are no words.

    Args:
        path: the file.
        labelled: whether sentences without tags are an error.

    Raises:
        DataError: the file cannot be read, a line lacks its tag, words and tags differ in
            number, or there are no sentences.
    """
    if _is_table(path):
        sentences = [_from_row(row, labelled) for row in read_table(path).rows]
    else:
        sentences = _from_columns(path, labelled)
    scheme = scheme_of({tag for sentence in sentences for tag in sentence.tags or ()})
    if scheme != "IOB2":
        return sentences
    return [
        sentence if sentence.tags is None else replace(sentence, tags=_to_iob2(sentence.tags))
        for sentence in sentences
    ]


def _to_iob2(tags: Sequence[str]) -> list[str]:
    return encode_tags(decode_tags(tags, "IOB1"), len(tags), "IOB2")


def _is_table(path: Path) -> bool:
    if path.suffix == ".tsv":
        return "words" in read_text(path).split("\n", 1)[0].rstrip("\r").split("\t")
    return path.suffix in (".csv", ".jsonl")


def _from_columns(path: Path, labelled: bool) -> list[TaggedSentence]:
    sentences: list[TaggedSentence] = []
    current: TaggedSentence | None = None
    for number, line in numbered_lines(read_text(path)):
        columns = _columns(line)
        if not columns or columns[0] == "-DOCSTART-":
            current = None
            continue
        has_tag = len(columns) > 1
        if current is None:
            where = f"{path}:{number}"
            is_tagged = labelled or has_tag
            current = TaggedSentence([], [] if is_tagged else None, where, number)
            sentences.append(current)
        if has_tag != (current.tags is not None):
            raise DataError(
                f"{counted(len(columns), 'column')} ({line!r}) where "
                f"{'a word and its tag are' if current.tags is not None else 'a word is'} expected",
                where=f"{path}:{number}",
                fix="write `word tag`, and nothing on the lines between sentences",
            )
        current.words.append(columns[0])
        if current.tags is not None:
            current.tags.append(columns[-1])
    if not sentences:
        raise DataError("holds no sentences", where=path, fix="give lines of `word tag`")
    return sentences


def _columns(line: str) -> list[str]:
    """Cells between spaces and tabs alone: other white space can be a word of Chinese data."""
    return [cell for cell in line.replace("\t", " ").split(" ") if cell]


def _from_row(row: Row, labelled: bool) -> TaggedSentence:
    words = _words(row, "words", required=True)
    tags = _words(row, "tags", required=labelled)
    if not words:
        raise DataError("has no words", where=row.where, fix="remove the row")
    if tags is not None and len(tags) != len(words):
        raise DataError(
            f"{counted(len(tags), 'tag')} for {counted(len(words), 'word')}",
            where=row.where,
            fix="give one tag a word",
        )
    return TaggedSentence(words or [], tags, row.where)


def _words(row: Row, name: str, *, required: bool) -> list[str] | None:
    value = row.value((name,), required=required)
    if isinstance(value, str):
        return value.split()
    if value is not None and not (
        isinstance(value, list) and all(isinstance(word, str) for word in value)
    ):
        raise DataError(
            f"column {name!r} is no list of texts", where=row.where, fix='write ["a", "b"]'
        )
    return value
