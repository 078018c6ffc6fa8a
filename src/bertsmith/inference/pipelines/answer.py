"""Answering questions with a piece of a given text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, overload

import numpy as np
from torch import Tensor

from bertsmith.errors import InputError
from bertsmith.inference.answering import (
    AnswerCandidates,
    AnswerWindow,
    answer_windows,
    best_answers,
)
from bertsmith.inference.encoding import ItemError, as_list, check_text, same_length
from bertsmith.inference.loading import Columns, Runner, option_names
from bertsmith.inference.running import split_tokens
from bertsmith.model import BertForQuestionAnswering, PackedSequences

__all__ = ["Answer", "FoundAnswer"]


class FoundAnswer(TypedDict):
    """An answer, under the keys of `transformers`.

    Attributes:
        answer: the piece of the context; "" for "there is no answer".
        score: its probability among the `n_best` candidates.
        start: its first character in the context; 0 for "no answer", as `end` is.
        end: one past its last character.
    """

    answer: str
    score: float
    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """Finds answers in contexts of any length.

    Attributes:
        runner: a model with a question answering head.
        top_k: how many answers to give, at least 1.
        null_threshold: in logits; None gives always an answer, a number allows "no answer" and
            gives it where it leads the best answer by more than that.
        n_best: how many candidates share the probability, at least `top_k`.
        max_answer_length: tokens in an answer.
        max_seq_length: tokens in a window; the model's longest sequence where that is shorter.
        stride: context tokens between the starts of two windows.
        max_query_length: tokens of a question that are read.
    """

    columns: ClassVar[Columns] = (("question", "context"),)

    runner: Runner[BertForQuestionAnswering]
    top_k: int = 1
    null_threshold: float | None = None
    n_best: int = 20
    max_answer_length: int = 30
    max_seq_length: int = 384
    stride: int = 128
    max_query_length: int = 64

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("top_k", "n_best", "max_answer_length", "stride", "max_query_length"):
            if getattr(self, name) < 1:
                raise InputError(f"is {getattr(self, name)}", where=name, fix="give at least 1")

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path, **options: Any) -> Self:
        """Loads a folder of a fine-tuned model.

        Args:
            path_or_hub_id: a Hugging Face folder, or a hub id.
            **options: attributes of this class, and `RunnerOptions`.

        Raises:
            ModelError: it has no question answering head.
        """
        own = {name: options.pop(name) for name in option_names(cls) if name in options}
        name = BertForQuestionAnswering.__name__
        runner = Runner.from_pretrained(
            path_or_hub_id, BertForQuestionAnswering, architectures=(name,), **options
        )
        return cls(runner, **own)

    @overload
    def __call__(self, question: str, context: str) -> list[FoundAnswer]: ...
    @overload
    def __call__(self, question: list[str], context: list[str]) -> list[list[FoundAnswer]]: ...
    def __call__(
        self, question: str | list[str], context: str | list[str]
    ) -> list[FoundAnswer] | list[list[FoundAnswer]]:
        """Answers a question, or each of a list of questions.

        Args:
            question: the question.
            context: the text to find the answer in, of any length.

        Returns:
            Up to `top_k` answers, best first. For a list of questions, a list of these.

        Raises:
            InputError: a question or context is blank.
        """
        questions, contexts = as_list(question), as_list(context)
        self.runner.require_segments()
        same_length("question", questions, "context", contexts)
        check_text(questions, "question")
        check_text(contexts, "context")
        windows = [self._windows(item, questions, contexts) for item in range(len(questions))]
        flat = [window for group in windows for window in group]
        logits = iter(self.runner.run(flat, self._logits))
        results = []
        for text, group in zip(contexts, windows, strict=True):
            starts, ends = zip(*(next(logits) for _ in group), strict=True)
            candidates = best_answers(
                text,
                group,
                starts,
                ends,
                n_best=max(self.n_best, self.top_k),
                max_answer_length=self.max_answer_length,
            )
            results.append(self._rank(candidates))
        return results[0] if isinstance(question, str) else results

    def _windows(
        self, item: int, questions: Sequence[str], contexts: Sequence[str]
    ) -> list[AnswerWindow]:
        try:
            return answer_windows(
                questions[item],
                contexts[item],
                self.runner.tokenizer,
                max_seq_length=min(self.max_seq_length, self.runner.max_length),
                stride=self.stride,
                max_query_length=self.max_query_length,
            )
        except InputError as error:
            name = str(error.where)
            raise ItemError(error.what, item=item, num_items=len(contexts), name=name) from None

    def _logits(self, packed: PackedSequences, _: Sequence[Any]) -> list[tuple[Tensor, Tensor]]:
        output = self.runner.model.forward_packed(packed)
        starts = split_tokens(packed, output.start_logits)
        return list(zip(starts, split_tokens(packed, output.end_logits), strict=True))

    def _rank(self, candidates: AnswerCandidates) -> list[FoundAnswer]:
        """Probabilities among the candidates; "no answer" takes its place in the ranking."""
        answers = [
            FoundAnswer(answer=s.text, score=s.score, start=s.start, end=s.end)
            for s in candidates.spans
        ]
        if self.null_threshold is not None:
            null = FoundAnswer(answer="", score=candidates.null_score, start=0, end=0)
            lead = candidates.null_score - self.null_threshold
            place = sum(span.score >= lead for span in candidates.spans)
            answers.insert(place, null)
        logits = np.array([answer["score"] for answer in answers])
        weights = np.exp(logits - logits.max())
        for answer, score in zip(answers, weights / weights.sum(), strict=True):
            answer["score"] = float(score)
        return answers[: self.top_k]
