"""Filling masks: which tokens fit in place of `[MASK]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self, TypedDict, Unpack, overload

from bertsmith.errors import InputError
from bertsmith.inference.encoding import ItemError, as_list
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.model import BertForMaskedLM, PackedSequences
from bertsmith.wordpiece import Encoding
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["FillMask", "Filling"]


class Filling(TypedDict):
    """A token in place of a mask, under the keys of `transformers`.

    Attributes:
        score: the token's probability.
        token: its id.
        token_str: the token itself, `##` included.
        sequence: the text with this mask replaced.
    """

    score: float
    token: int
    token_str: str
    sequence: str


Fillings = list[Filling] | list[list[Filling]]


@dataclass(frozen=True)
class FillMask:
    """Predicts the tokens behind `[MASK]`.

    **Differs** from `transformers`: `sequence` is the text as it was given with the mask replaced
    (a `##` piece is joined to what stands before it), not a decoding of ids, which would be
    lower-cased and spaced out.

    Attributes:
        runner: a model with a masked-LM head.
        top_k: how many tokens to give for each mask, at least 1.
    """

    columns: ClassVar[Columns] = (("text",),)

    runner: Runner[BertForMaskedLM]
    top_k: int = 5

    def __post_init__(self) -> None:
        """Checks `top_k`."""
        if not 1 <= self.top_k <= len(self.runner.tokenizer.vocabulary):
            what = f"is {self.top_k}"
            raise InputError(what, where="top_k", fix="give 1 up to the vocabulary's size")

    @classmethod
    def from_pretrained(
        cls, path_or_hub_id: str | Path, *, top_k: int = 5, **options: Unpack[RunnerOptions]
    ) -> Self:
        """Loads a folder of a pre-trained model.

        Raises:
            ModelError: it has no masked-LM head, or reads from left to right.
        """
        runner = Runner.from_pretrained(
            path_or_hub_id,
            BertForMaskedLM,
            architectures=("BertForMaskedLM", "BertForPreTraining"),
            **options,
        )
        return cls(runner, top_k)

    @overload
    def __call__(self, text: str) -> Fillings: ...
    @overload
    def __call__(self, text: list[str]) -> list[Fillings]: ...
    def __call__(self, text: str | list[str]) -> Fillings | list[Fillings]:
        """Fills the masks of a text, or of each of a list of texts.

        Args:
            text: with at least one `[MASK]`.

        Returns:
            For a text with one mask, its fillings, best first; for several masks, such a list for
            each, from left to right. For a list of texts, a list of these.

        Raises:
            InputError: a text is blank, too long or without `[MASK]`.
        """
        texts = as_list(text)
        encodings = self.runner.encode(texts, special_tokens=True)
        mask_id = self.runner.tokenizer.vocabulary.mask_id
        for item, encoding in enumerate(encodings):
            if mask_id not in encoding.input_ids:
                fix = "write [MASK] where a token is to be predicted"
                raise ItemError("has no [MASK]", item=item, num_items=len(texts), fix=fix)
        ranked = self.runner.run(encodings, self._rank)
        results = [self._fillings(*item) for item in zip(texts, encodings, ranked, strict=True)]
        return results[0] if isinstance(text, str) else results

    def _rank(
        self, packed: PackedSequences, encodings: Sequence[Encoding]
    ) -> list[list[list[tuple[float, int]]]]:
        """For every sequence and mask the best probabilities and ids."""
        mask_id = self.runner.tokenizer.vocabulary.mask_id
        positions = (packed.input_ids == mask_id).nonzero().squeeze(1)
        logits = self.runner.model.forward_packed(packed, positions).logits
        best = logits.float().softmax(dim=-1).topk(self.top_k)
        masks = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ranked = iter([list(zip(scores, ids, strict=True)) for scores, ids in masks])
        counts = [encoding.input_ids.count(mask_id) for encoding in encodings]
        return [list(islice(ranked, count)) for count in counts]

    def _fillings(
        self, text: str, encoding: Encoding, ranked: list[list[tuple[float, int]]]
    ) -> Fillings:
        vocabulary = self.runner.tokenizer.vocabulary
        places = [
            offsets
            for token_id, offsets in zip(encoding.input_ids, encoding.offsets, strict=True)
            if token_id == vocabulary.mask_id
        ]
        fillings = [
            [
                Filling(
                    score=score,
                    token=token,
                    token_str=vocabulary.tokens[token],
                    sequence=_replaced(text, place, vocabulary.tokens[token]),
                )
                for score, token in best
            ]
            for place, best in zip(places, ranked, strict=True)
        ]
        return fillings[0] if len(fillings) == 1 else fillings


def _replaced(text: str, place: tuple[int, int], token: str) -> str:
    """The text with a token in place of a stretch."""
    before, after = text[: place[0]], text[place[1] :]
    if token.startswith(CONTINUATION) and token != CONTINUATION:
        return before.rstrip() + token.removeprefix(CONTINUATION) + after
    return before + token + after
