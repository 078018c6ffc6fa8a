"""Questions on a text: SQuAD 1.1 and 2.0 JSON, and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.errors import DataError
from bertsmith.tasks.data.tables import Row, read_table
from bertsmith.tasks.data.text import parse_json, read_text

__all__ = ["QUESTION_EXTENSIONS", "Answer", "Question", "read_questions"]

#: Endings of the files that `read_questions` reads.
QUESTION_EXTENSIONS = (".json", ".jsonl", ".csv", ".tsv")


@dataclass(frozen=True)
class Answer:
    """A right answer: `context[start:start + len(text)]`, or start None where it isn't there."""

    text: str
    start: int | None


@dataclass(frozen=True)
class Question:
    """A question on a context.

    Attributes:
        id: the data's own id, or the place where it stands.
        question: the question.
        context: the text to search.
        answers: the right answers; () where the context holds none, None where nobody says.
        where: where it stands in the data.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None
    where: str


def read_questions(path: Path, *, labelled: bool) -> list[Question]:
    """Reads the questions of a file.

    `.json` is SQuAD's form, 1.1 or 2.0. `.jsonl`, `.csv` and `.tsv` are tables with the columns
    `question`, `context` and, optionally, `id`; the answers are

    - JSON lines: `answers`, a list of `{"text", "answer_start"}` or of texts, or SQuAD's columns
      `{"text": [...], "answer_start": [...]}`; an empty list means "no answer";
    - CSV and TSV: `answer`, and `answer_start` if wanted; an empty answer means "no answer".

    An answer without a start is taken where it first occurs in the context.

    Args:
        path: the file.
        labelled: whether questions that don't say what their answers are are an error.

    Raises:
        DataError: the file cannot be read or is not of its form; the message says where.
    """
    if path.suffix == ".json":
        questions = list(_from_squad(path, labelled))
    else:
        questions = [_from_row(row, labelled) for row in read_table(path).rows]
    if not questions:
        raise DataError("holds no questions", where=path, fix="give SQuAD's form")
    for question in questions:
        if not question.context.strip():
            raise DataError("its context is empty", where=question.where, fix="remove it")
    return questions


def _from_squad(path: Path, labelled: bool) -> Iterator[Question]:
    articles = _get(parse_json(read_text(path), str(path)), "data", list, str(path))
    for i, article in enumerate(articles):
        for j, paragraph in enumerate(_get(article, "paragraphs", list, f"{path}: data[{i}]")):
            where = f"{path}: data[{i}].paragraphs[{j}]"
            context = _get(paragraph, "context", str, where)
            for k, item in enumerate(_get(paragraph, "qas", list, where)):
                yield _from_item(item, context, f"{where}.qas[{k}]", labelled)


def _from_item(item: Any, context: str, where: str, labelled: bool) -> Question:
    question = _get(item, "question", str, where)
    if item.get("is_impossible"):
        answers: tuple[Answer, ...] | None = ()
    elif "answers" in item:
        answers = _answers(item["answers"], context, where)
    elif labelled:
        raise DataError("has no 'answers'", where=where, fix="give SQuAD's form")
    else:
        answers = None
    return Question(str(item.get("id", where)), question, context, answers, where)


def _from_row(row: Row, labelled: bool) -> Question:
    question, context = row.text(("question",)) or "", row.text(("context",)) or ""
    if row.values.get("answers") is not None:
        answers: tuple[Answer, ...] | None = _answers(row.values["answers"], context, row.where)
    elif row.values.get("answer") is not None:
        answers = _answers(_single(row), context, row.where)
    elif labelled:
        row.value(("answers", "answer"))
    else:
        answers = None
    return Question(
        row.text(("id",), required=False) or row.where, question, context, answers, row.where
    )


def _single(row: Row) -> list[Any]:
    """The columns `answer` and `answer_start` as a list of at most one answer."""
    text = row.text(("answer",))
    start = row.text(("answer_start",), required=False)
    if not text:
        return []
    if not start:
        return [text]
    if not start.strip().isdecimal():
        raise DataError(
            f"answer_start {start!r} is not a position", where=row.where, fix="count from 0"
        )
    return [{"text": text, "answer_start": int(start)}]


def _answers(value: Any, context: str, where: str) -> tuple[Answer, ...]:
    if isinstance(value, Mapping):
        texts = _get(value, "text", list, where)
        starts = value.get("answer_start") or [None] * len(texts)
        if len(starts) != len(texts):
            raise DataError(f"{len(texts)} texts and {len(starts)} starts", where=where)
        pairs: Sequence[tuple[Any, Any]] = list(zip(texts, starts, strict=True))
    elif isinstance(value, list):
        pairs = [
            (item, None)
            if isinstance(item, str)
            else (_get(item, "text", str, where), item.get("answer_start"))
            for item in value
        ]
    else:
        fix = "give SQuAD's form, or the columns answer and answer_start"
        raise DataError("its 'answers' are no list", where=where, fix=fix)
    return tuple(_located(text, start, context, where) for text, start in pairs)


def _located(text: Any, start: Any, context: str, where: str) -> Answer:
    """The answer, with its start checked against the context, or found there."""
    if not isinstance(text, str):
        raise DataError(f"answer {text!r} is not text", where=where)
    if start is None:
        found = context.find(text)
        return Answer(text, found if found >= 0 and text.strip() else None)
    if not isinstance(start, int) or isinstance(start, bool):
        raise DataError(f"answer_start {start!r} is not a position", where=where)
    is_there = start >= 0 and bool(text.strip()) and context.startswith(text, start)
    return Answer(text, start if is_there else None)


def _get(holder: Any, name: str, kind: type, where: str) -> Any:
    """`holder[name]`, checked to be there and of its kind."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    if not isinstance(value, kind):
        form = "list" if kind is list else "text"
        raise DataError(f"has no {form} {name!r}", where=where, fix="give SQuAD's form")
    return value
