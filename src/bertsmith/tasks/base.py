"""What a fine-tuning task is: reading, encoding, predicting and scoring one kind of data."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from bertsmith._files import atomic_json_lines
from bertsmith.errors import DataError
from bertsmith.tasks.data.splits import files_of_split, find_files, hold_out, require_folder

if TYPE_CHECKING:
    from bertsmith.batches import LabelledBatch
    from bertsmith.model import Precision
    from bertsmith.model.base import PretrainedModel
    from bertsmith.model.config import ProblemType
    from bertsmith.objectives import Objective
    from bertsmith.wordpiece import Tokenizer

__all__ = ["Feature", "Task", "TaskData"]


class Feature(Protocol):
    """What a model is fed for an example or a part of one.

    Batches are made of whole features; `num_tokens` says how much room one takes.
    """

    @property
    def example_index(self) -> int:
        """Which of the encoded examples it belongs to."""
        ...

    @property
    def num_tokens(self) -> int:
        """Length in tokens, of all its sequences together."""
        ...


ExampleT = TypeVar("ExampleT")
FeatureT = TypeVar("FeatureT", bound=Feature)
PredictionT = TypeVar("PredictionT")


@dataclass(frozen=True)
class TaskData(Generic[ExampleT]):
    """Examples in file order, and what the user should know about how they were read.

    Attributes:
        examples: at least one.
        files: the files that they come from.
        notes: one line each, such as how many broken rows were left out.
    """

    examples: list[ExampleT]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Task(ABC, Generic[ExampleT, FeatureT, PredictionT]):
    """A fine-tuning task: the paper's recipe is one added layer and these few functions.

    Attributes:
        name: the task's name, which is its module's name too.
        summary: what it is and what data it reads, in one line.
        metrics: names of the scores, the one that models are chosen by first.
        max_seq_length: default length that sequences are cut to, in tokens.
        num_epochs: default number of passes over the training data.
        extensions: endings of the files that it reads.
        extra_stems: further names of a split's file, by split.
        dev_splits: the dev sets; models are chosen by the first.
        test_splits: the test sets.
    """

    name: str
    summary: str
    metrics: tuple[str, ...]
    max_seq_length: int = 128
    num_epochs: float = 3.0
    extensions: tuple[str, ...]
    extra_stems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dev_splits: tuple[str, ...] = ("dev",)
    test_splits: tuple[str, ...] = ("test",)

    @property
    def main_metric(self) -> str:
        """The score that models are chosen by."""
        return self.metrics[0]

    @property
    @abstractmethod
    def model_class(self) -> "type[PretrainedModel[Any]]":
        """The model with this task's head."""

    @property
    def problem_type(self) -> "ProblemType | None":
        """What the config of the model says about its numbers; None for "nothing"."""
        return None

    @abstractmethod
    def labels(self, examples: Sequence[ExampleT]) -> tuple[str, ...]:
        """The names of the classes, by id, from the training examples.

        They go into the model's config. () where the head has no classes: the config keeps its.
        """

    @abstractmethod
    def read_file(self, path: Path, *, labelled: bool) -> TaskData[ExampleT]:
        """Reads all examples of one file.

        Args:
            path: the file.
            labelled: whether examples without a label are an error.

        Raises:
            DataError: see `read`.
        """

    def read(self, data: Path, split: str) -> TaskData[ExampleT]:
        """Reads a split of a folder or of a single file.

        In a folder, files are found by their names (see `data.splits.files_of_split`). Where a
        folder has no dev file, and from a single file, a tenth of the training examples is held
        out as dev, the same tenth every time (`data.splits.hold_out`).

        Args:
            data: a folder, or a file.
            split: `train`; `dev` or one of `dev_splits`; `test` or one of `test_splits` (labels
                are optional there); `all` for a whole file, labelled.

        Returns:
            The examples, with notes.

        Raises:
            DataError: a file is missing, unreadable, empty, broken, or an example is; one line
                with the file, the line and what to do.
        """
        self._require_split(data, split)
        if split in ("dev", "test"):
            split = (self.dev_splits if split == "dev" else self.test_splits)[0]
        if data.is_file():
            return self._read_single(data, split)
        require_folder(data)
        lacks_dev = not self._files(data, self.dev_splits[0])
        if lacks_dev and split == "train":
            return self._held_out(self._read_split(data, "train"), 0)
        if lacks_dev and split == self.dev_splits[0] and self._files(data, "train"):
            return self._held_out(self._read_split(data, "train"), 1)
        return self._read_split(data, split)

    def dev_splits_in(self, data: Path) -> tuple[str, ...]:
        """The dev sets that `data` has; the first one always, since it can be held out."""
        if not data.is_dir():
            return self.dev_splits[:1]
        return self.dev_splits[:1] + tuple(
            split for split in self.dev_splits[1:] if self._files(data, split)
        )

    @abstractmethod
    def encode(
        self,
        examples: Sequence[ExampleT],
        tokenizer: "Tokenizer",
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[FeatureT]:
        """Turns examples into features, in order; an example may give several.

        Args:
            examples: as read.
            tokenizer: the model's.
            labels: the model's classes, as from `labels`.
            max_seq_length: tokens in a sequence; longer ones are cut or windowed.

        Raises:
            DataError: a label is not one of `labels`.
        """

    def trainable(self, features: Sequence[FeatureT]) -> list[FeatureT]:
        """The features that can be trained on; all, unless the task says otherwise."""
        return list(features)

    @abstractmethod
    def collate(self, features: Sequence[FeatureT]) -> "LabelledBatch":
        """Packs features into a batch with its labels.

        Raises:
            DataError: a feature has no label.
        """

    @abstractmethod
    def objective(self) -> "Objective":
        """The loss of the task, for batches from `collate`."""

    @abstractmethod
    def predict(
        self,
        model: "PretrainedModel[Any]",
        examples: Sequence[ExampleT],
        features: Sequence[FeatureT],
        *,
        max_tokens_per_batch: int = 8192,
        precision: "Precision" = "fp32",
    ) -> list[PredictionT]:
        """Runs the model and returns one prediction for each example, in order.

        Args:
            model: of class `model_class`.
            examples: the examples.
            features: all their features, from `encode`.
            max_tokens_per_batch: see `inference.run_packed`.
            precision: see `inference.run_packed`.
        """

    @abstractmethod
    def score(
        self, examples: Sequence[ExampleT], predictions: Sequence[PredictionT]
    ) -> dict[str, float]:
        """Scores predictions; the keys are `metrics`, and more where a task says so.

        Raises:
            DataError: an example has no label, or there are none.
        """

    def same_answer(self, examples: Sequence[ExampleT]) -> list[PredictionT] | None:
        """For every example the one answer that scores best if it is always given.

        None where nothing is such.

        What a model has to beat to be worth anything.

        Args:
            examples: labelled ones, at least one.
        """
        return None

    @abstractmethod
    def record(self, example: ExampleT, prediction: PredictionT) -> dict[str, Any]:
        """An example with its label and prediction, as a JSON object."""

    def write_predictions(
        self, path: Path, examples: Sequence[ExampleT], predictions: Sequence[PredictionT]
    ) -> None:
        """Writes one JSON object a line: `index` from 0, then `record`; whole or not at all."""
        with atomic_json_lines(path) as write:
            pairs = zip(examples, predictions, strict=True)
            for index, (example, prediction) in enumerate(pairs):
                write({"index": index, **self.record(example, prediction)})

    def group(self, example: ExampleT) -> Hashable | None:
        """Examples of one group stay together when a tenth is held out; None: no groups."""
        return None

    def _files(self, folder: Path, split: str) -> list[Path]:
        return files_of_split(folder, split, self.extensions, self.extra_stems.get(split, ()))

    def _require_split(self, data: Path, split: str) -> None:
        known = ["train", "dev", *self.dev_splits, "test", *self.test_splits]
        if data.is_file():
            known.append("all")
        if split not in known:
            names = ", ".join(dict.fromkeys(known))
            raise DataError(f"has no split {split!r}", where=data, fix=f"use {names}")

    def _read_single(self, path: Path, split: str) -> TaskData[ExampleT]:
        if split == "all" or split in self.test_splits:
            return self.read_file(path, labelled=split == "all")
        if split not in ("train", self.dev_splits[0]):
            raise DataError(
                f"is one file and has no {split} set", where=path, fix="give a folder with a file"
            )
        return self._held_out(self.read_file(path, labelled=True), int(split != "train"))

    def _read_split(self, folder: Path, split: str) -> TaskData[ExampleT]:
        files = find_files(folder, split, self.extensions, self.extra_stems.get(split, ()))
        labelled = split not in self.test_splits
        parts = [self.read_file(path, labelled=labelled) for path in files]
        told = f"{folder}: {split} is read from {', '.join(path.name for path in files)}"
        parts[0] = replace(parts[0], notes=(*parts[0].notes, *[told] * (len(files) > 1)))
        examples = [example for part in parts for example in part.examples]
        notes = tuple(note for part in parts for note in part.notes)
        return TaskData(examples, tuple(files), notes)

    def _held_out(self, whole: TaskData[ExampleT], side: int) -> TaskData[ExampleT]:
        has_groups = self.group(whole.examples[0]) is not None
        parts = hold_out(whole.examples, self.group if has_groups else None)
        note = f"no dev file: {len(parts[1])} of {len(whole.examples)} examples are held out as dev"
        return TaskData(parts[side], whole.files, (*whole.notes, note))
