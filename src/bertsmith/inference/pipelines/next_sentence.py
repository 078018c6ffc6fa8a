"""Next-sentence prediction: does the second text follow the first?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, Unpack, overload

from bertsmith.inference.encoding import as_list
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.model import BertForPreTraining, PackedSequences

__all__ = ["NextSentence", "NextSentencePrediction"]


class NextSentencePrediction(TypedDict):
    """Two probabilities that add up to 1.

    Attributes:
        is_next: of the second text following the first.
        is_random: of its being from elsewhere.
    """

    is_next: float
    is_random: float


@dataclass(frozen=True)
class NextSentence:
    """Tells whether a text follows another, with the head that BERT is pre-trained with.

    Attributes:
        runner: a model with a next-sentence head.
    """

    columns: ClassVar[Columns] = (("text", "text_pair"),)

    runner: Runner[BertForPreTraining]

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path, **options: Unpack[RunnerOptions]) -> Self:
        """Loads a folder of a pre-trained model.

        Raises:
            ModelError: it has no next-sentence head.
        """
        runner = Runner.from_pretrained(
            path_or_hub_id,
            BertForPreTraining,
            architectures=("BertForPreTraining", "BertForNextSentencePrediction"),
            may_lack=("cls.predictions.",),
            **options,
        )
        return cls(runner)

    @overload
    def __call__(self, text: str, text_pair: str) -> NextSentencePrediction: ...
    @overload
    def __call__(self, text: list[str], text_pair: list[str]) -> list[NextSentencePrediction]: ...
    def __call__(
        self, text: str | list[str], text_pair: str | list[str]
    ) -> NextSentencePrediction | list[NextSentencePrediction]:
        """Rates a pair, or each of a list of pairs.

        Args:
            text: the first text.
            text_pair: the one that may follow.

        Returns:
            The probabilities. For a list of pairs, a list of these.

        Raises:
            InputError: a text is blank, or a pair too long.
        """
        encodings = self.runner.encode(as_list(text), as_list(text_pair))
        results = self.runner.run(encodings, self._predict)
        return results[0] if isinstance(text, str) else results

    def _predict(self, packed: PackedSequences, _: Sequence[Any]) -> list[NextSentencePrediction]:
        no_position = packed.first_token_positions[:0]
        logits = self.runner.model.forward_packed(packed, no_position).seq_relationship_logits
        return [
            NextSentencePrediction(is_next=is_next, is_random=is_random)
            for is_next, is_random in logits.float().softmax(dim=-1).tolist()
        ]
