"""Answers to questions, as spans of a text."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.inference.answering import (
    AnswerCandidates,
    answer_windows,
    best_answers,
)
from bertsmith.inference.running import run_packed, split_tokens
from bertsmith.metrics import answer_scores, best_null_threshold, normalize_answer, token_f1
from bertsmith.model import BertForQuestionAnswering, Precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.spans import AnswerSpans
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.data.questions import QUESTION_EXTENSIONS, Answer, Question, read_questions
from bertsmith.tasks.families.answer_features import AnswerFeature, answer_label, is_lost
from bertsmith.tasks.families.labels import labels_given
from bertsmith.wordpiece import Tokenizer

__all__ = ["AnsweringTask"]


@dataclass(frozen=True, kw_only=True)
class AnsweringTask(Task[Question, AnswerFeature, AnswerCandidates]):
    """Answers a question by the span of the context with the best start and end.

    **Source**: the paper, sections 4.2 and 4.3; `run_squad.py` of google-research/bert.

    Attributes:
        unanswerable: whether questions without an answer belong to the task, as in SQuAD 2.0.
            Where they don't, they are left out, and a note says how many there were.
        stride: context tokens between the starts of two windows.
        max_query_length: tokens of the question that are kept.
        n_best: how many spans a prediction holds.
        max_answer_length: tokens in an answer.
    """

    unanswerable: bool
    metrics: tuple[str, ...] = ("f1", "exact_match")
    max_seq_length: int = 384
    extensions: tuple[str, ...] = QUESTION_EXTENSIONS
    stride: int = 128
    max_query_length: int = 64
    n_best: int = 20
    max_answer_length: int = 30

    @property
    def model_class(self) -> type[PretrainedModel[Any]]:
        """`BertForQuestionAnswering`."""
        return BertForQuestionAnswering

    def labels(self, examples: Sequence[Question]) -> tuple[str, ...]:
        """None: the head has a start and an end."""
        return ()

    def group(self, example: Question) -> Hashable:
        """Questions on one context are held out together."""
        return example.context

    def read_file(self, path: Path, *, labelled: bool) -> TaskData[Question]:
        """Reads SQuAD JSON or a table; says how many questions were left out or can't be learnt."""
        questions = read_questions(path, labelled=labelled)
        notes = []
        if not self.unanswerable:
            answerable = [question for question in questions if question.answers != ()]
            if len(answerable) < len(questions):
                left_out = len(questions) - len(answerable)
                notes.append(
                    f"{path}: {left_out} questions without an answer left out (squad2 keeps them)"
                )
            questions = answerable
        if not questions:
            raise DataError("holds no question with an answer", where=path, fix="use squad2")
        num_lost = sum(is_lost(question) for question in questions)
        if num_lost:
            notes.append(
                f"{path}: {num_lost} of {len(questions)} questions have no answer that stands in "
                "the context at its answer_start; training leaves them out"
            )
        if labelled and num_lost == len(questions):
            raise DataError(
                "no answer stands in its context at its answer_start",
                where=path,
                fix="count answer_start in characters from 0",
            )
        return TaskData(questions, (path,), tuple(notes))

    def encode(
        self,
        examples: Sequence[Question],
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[AnswerFeature]:
        """One feature for each window; the first answer that stands in the context is the label."""
        features: list[AnswerFeature] = []
        for index, example in enumerate(examples):
            windows = answer_windows(
                example.question,
                example.context,
                tokenizer,
                max_seq_length=max_seq_length,
                stride=self.stride,
                max_query_length=self.max_query_length,
            )
            features.extend(
                AnswerFeature(window, index, answer_label(example, window)) for window in windows
            )
        return features

    def trainable(self, features: Sequence[AnswerFeature]) -> list[AnswerFeature]:
        """All but those of questions whose answers don't stand in the context."""
        return [feature for feature in features if feature.label is not None]

    def collate(self, features: Sequence[AnswerFeature]) -> LabelledBatch:
        """Labels are offsets of the first and last token of the answer, int64 [B, 2]."""
        labels = [feature.label for feature in features]
        if any(label is None for label in labels):
            raise DataError("a question has no answer in its context", fix="give labelled data")
        return LabelledBatch.from_lists(
            [feature.input_ids for feature in features],
            [feature.token_type_ids for feature in features],
            labels=torch.tensor(labels, dtype=torch.int64),
        )

    def objective(self) -> AnswerSpans:
        """Cross-entropy of start and end."""
        return AnswerSpans()

    def predict(
        self,
        model: PretrainedModel[Any],
        examples: Sequence[Question],
        features: Sequence[AnswerFeature],
        *,
        max_tokens_per_batch: int = 8192,
        precision: Precision = "fp32",
    ) -> list[AnswerCandidates]:
        """The best spans of each question's context, and the score of "no answer"."""

        def find(
            packed: PackedSequences, _: Sequence[AnswerFeature]
        ) -> list[tuple[torch.Tensor, torch.Tensor]]:
            outputs = model.forward_packed(packed)
            starts = split_tokens(packed, outputs.start_logits)
            ends = split_tokens(packed, outputs.end_logits)
            return list(zip(starts, ends, strict=True))

        logits = run_packed(
            model, features, find, max_tokens_per_batch=max_tokens_per_batch, precision=precision
        )
        by_example: list[list[int]] = [[] for _ in examples]
        for place, feature in enumerate(features):
            by_example[feature.example_index].append(place)
        return [
            best_answers(
                example.context,
                [features[place].window for place in places],
                [logits[place][0].numpy() for place in places],
                [logits[place][1].numpy() for place in places],
                n_best=self.n_best,
                max_answer_length=self.max_answer_length,
            )
            for example, places in zip(examples, by_example, strict=True)
        ]

    def score(
        self, examples: Sequence[Question], predictions: Sequence[AnswerCandidates]
    ) -> dict[str, float]:
        """F1 and exact match, as SQuAD's official scripts.

        With unanswerable questions in the task and among the examples, "no answer" is given where
        the null difference is above the threshold that is best for F1 on these very examples; it
        is returned as `null_threshold`, together with `answerable_f1` and
        `unanswerable_accuracy`.
        """
        given = labels_given((example.answers, example.where) for example in examples)
        answers = [_texts(own, only_words=self.unanswerable) for own in given]
        texts = [prediction.spans[0].text for prediction in predictions]
        if not self.unanswerable or all(given):
            scores = answer_scores(answers, texts)
            return {"f1": scores.f1, "exact_match": scores.exact_match}
        threshold = self._null_threshold(answers, given, predictions)
        chosen = [
            "" if prediction.null_difference > threshold else text
            for text, prediction in zip(texts, predictions, strict=True)
        ]
        scores = answer_scores(answers, chosen)
        result = {"f1": scores.f1, "exact_match": scores.exact_match, "null_threshold": threshold}
        for name, kind in (("answerable_f1", True), ("unanswerable_accuracy", False)):
            part = [place for place, own in enumerate(given) if bool(own) == kind]
            if part:
                own_scores = answer_scores([answers[i] for i in part], [chosen[i] for i in part])
                result[name] = own_scores.f1
        return result

    def _null_threshold(
        self,
        answers: Sequence[Sequence[str]],
        given: Sequence[Sequence[Answer]],
        predictions: Sequence[AnswerCandidates],
    ) -> float:
        texts = [prediction.spans[0].text for prediction in predictions]
        raw = [token_f1(wanted, text) for wanted, text in zip(answers, texts, strict=True)]
        differences = [prediction.null_difference for prediction in predictions]
        return best_null_threshold(raw, [bool(own) for own in given], differences).threshold

    def write_predictions(
        self, path: Path, examples: Sequence[Question], predictions: Sequence[AnswerCandidates]
    ) -> None:
        """As any task's; "no answer" where `score` gives it. Without labels that isn't known."""
        given = [example.answers for example in examples if example.answers is not None]
        if self.unanswerable and len(given) == len(examples) and not all(given):
            answers = [_texts(own, only_words=True) for own in given]
            threshold = self._null_threshold(answers, given, predictions)
            predictions = [
                replace(prediction, is_null=prediction.null_difference > threshold)
                for prediction in predictions
            ]
        super().write_predictions(path, examples, predictions)

    def record(self, example: Question, prediction: AnswerCandidates) -> dict[str, Any]:
        """`id`, `question`, `answers`, `prediction`, `null_difference`, `candidates` (five)."""
        return {
            "id": example.id,
            "question": example.question,
            "answers": None if example.answers is None else [a.text for a in example.answers],
            "prediction": "" if prediction.is_null else prediction.spans[0].text,
            "null_difference": round(prediction.null_difference, 4),
            "candidates": [
                {"text": span.text, "start": span.start, "score": round(span.score, 4)}
                for span in prediction.spans[:5]
            ],
        }


def _texts(answers: Sequence[Answer], *, only_words: bool) -> list[str]:
    """The answers' texts; SQuAD 2.0's script drops those of articles and punctuation alone."""
    return [a.text for a in answers if not only_words or normalize_answer(a.text)]
