"""Classes, or a number, for a text or a pair of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NotRequired, Self, TypedDict, Unpack, overload

from torch import Tensor

from bertsmith.inference.encoding import as_list
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.model import BertForSequenceClassification, PackedSequences

__all__ = ["Classification", "Classify"]


class Classification(TypedDict):
    """A class and its probability; for a regression the predicted number alone.

    Attributes:
        label: the class.
        score: its probability, or the number.
    """

    label: NotRequired[str]
    score: float


Classifications = list[Classification] | Classification


@dataclass(frozen=True)
class Classify:
    """Classifies texts or pairs of texts.

    Probabilities are a softmax over the classes; where config.json's `problem_type` is
    `multi_label_classification`, a sigmoid of each. A model with one label is a regression.

    Attributes:
        runner: a model with a sequence classification head.
    """

    columns: ClassVar[Columns] = (("text", "text_pair"), ("text",))

    runner: Runner[BertForSequenceClassification]

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path, **options: Unpack[RunnerOptions]) -> Self:
        """Loads a folder of a fine-tuned model.

        Raises:
            ModelError: it has no sequence classification head.
        """
        name = BertForSequenceClassification.__name__
        runner = Runner.from_pretrained(
            path_or_hub_id, BertForSequenceClassification, architectures=(name,), **options
        )
        return cls(runner)

    @overload
    def __call__(self, text: str, text_pair: str | None = None) -> Classifications: ...
    @overload
    def __call__(
        self, text: list[str], text_pair: list[str] | None = None
    ) -> list[Classifications]: ...
    def __call__(
        self, text: str | list[str], text_pair: str | list[str] | None = None
    ) -> Classifications | list[Classifications]:
        """Classifies a text or pair, or each of a list of them.

        Args:
            text: the texts.
            text_pair: the second text of each, where the model was trained on pairs.

        Returns:
            All classes, the most probable first; for a regression `{"score": …}`. For a list of
            texts, a list of these.

        Raises:
            InputError: a text is blank or too long.
        """
        pairs = None if text_pair is None else as_list(text_pair)
        encodings = self.runner.encode(as_list(text), pairs)
        results = [self._read(logits) for logits in self.runner.run(encodings, self._logits)]
        return results[0] if isinstance(text, str) else results

    def _logits(self, packed: PackedSequences, _: Sequence[Any]) -> list[Tensor]:
        return list(self.runner.model.forward_packed(packed).logits.float().cpu())

    def _read(self, logits: Tensor) -> Classifications:
        config = self.runner.model.config
        if config.problem_type == "multi_label_classification":
            scores = logits.sigmoid()
        elif config.problem_type == "regression" or config.num_labels == 1:
            return Classification(score=logits[0].item())
        else:
            scores = logits.softmax(dim=-1)
        best = scores.sort(descending=True, stable=True)
        return [
            Classification(label=config.labels[label], score=score)
            for score, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
