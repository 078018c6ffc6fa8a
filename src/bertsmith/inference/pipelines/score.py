"""Scoring a text by the masked LM: its pseudo-log-likelihood."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self, TypedDict, Unpack, overload

import torch

from bertsmith.inference.encoding import as_list
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.model import BertForMaskedLM, PackedSequences
from bertsmith.wordpiece import Encoding

__all__ = ["PseudoLikelihood", "Score"]

# A text of n tokens is run n times; so many tokens are laid out before they are run.
_TOKENS_AT_ONCE = 2**20

# exp of more is beyond a float.
_LARGEST_EXPONENT = 709.0


class PseudoLikelihood(TypedDict):
    """How well a text fits the model.

    Attributes:
        score: the pseudo-log-likelihood, in nats; higher fits better.
        pseudo_perplexity: exp(−score / num_tokens), at least 1; lower fits better.
        num_tokens: tokens of the text, `[CLS]` and `[SEP]` not counted.
    """

    score: float
    pseudo_perplexity: float
    num_tokens: int


@dataclass(frozen=True)
class _MaskedCopy:
    """A text with the token at `position` masked; `label` is what stood there."""

    input_ids: list[int]
    token_type_ids: list[int]
    position: int
    label: int


@dataclass(frozen=True)
class Score:
    """Scores texts by their pseudo-log-likelihood.

    PLL(W) = Σₜ log P(wₜ | W without wₜ), every token masked once, all others seen

    **Source**: Salazar et al. 2020, "Masked Language Model Scoring", equation 1.

    Attributes:
        runner: a model with a masked-LM head.
    """

    columns: ClassVar[Columns] = (("text",),)

    runner: Runner[BertForMaskedLM]

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path, **options: Unpack[RunnerOptions]) -> Self:
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
        return cls(runner)

    @overload
    def __call__(self, text: str) -> PseudoLikelihood: ...
    @overload
    def __call__(self, text: list[str]) -> list[PseudoLikelihood]: ...
    def __call__(self, text: str | list[str]) -> PseudoLikelihood | list[PseudoLikelihood]:
        """Scores a text, or each of a list of texts.

        Args:
            text: the texts. `[MASK]` in a text is text.

        Returns:
            The score. For a list of texts, a list of these.

        Raises:
            InputError: a text is blank or too long.
        """
        encodings = self.runner.encode(as_list(text))
        results = []
        for group in _groups(encodings):
            copies = [copy for encoding in group for copy in self._copies(encoding)]
            log_probs = iter(self.runner.run(copies, self._log_probs))
            for encoding in group:
                num_tokens = len(encoding) - 2
                score = math.fsum(next(log_probs) for _ in range(num_tokens))
                loss = -score / num_tokens
                perplexity = math.exp(loss) if loss < _LARGEST_EXPONENT else math.inf
                results.append(
                    PseudoLikelihood(
                        score=score, pseudo_perplexity=perplexity, num_tokens=num_tokens
                    )
                )
        return results[0] if isinstance(text, str) else results

    def _copies(self, encoding: Encoding) -> Iterator[_MaskedCopy]:
        mask_id = self.runner.tokenizer.vocabulary.mask_id
        ids, token_type_ids = encoding.input_ids, encoding.token_type_ids
        for position in range(1, len(ids) - 1):
            masked = [*ids[:position], mask_id, *ids[position + 1 :]]
            yield _MaskedCopy(masked, token_type_ids, position, ids[position])

    def _log_probs(self, packed: PackedSequences, copies: Sequence[_MaskedCopy]) -> list[float]:
        device = packed.input_ids.device
        offsets = torch.tensor([copy.position for copy in copies], device=device)
        labels = torch.tensor([copy.label for copy in copies], device=device)
        positions = packed.first_token_positions + offsets
        logits = self.runner.model.forward_packed(packed, positions).logits.float()
        return logits.log_softmax(dim=-1).gather(1, labels[:, None]).squeeze(1).tolist()


def _groups(encodings: Sequence[Encoding]) -> Iterator[list[Encoding]]:
    """Neighbouring texts whose masked copies come to about `_TOKENS_AT_ONCE` tokens."""
    group: list[Encoding] = []
    num_tokens = 0
    for encoding in encodings:
        group.append(encoding)
        num_tokens += len(encoding) ** 2
        if num_tokens >= _TOKENS_AT_ONCE:
            yield group
            group, num_tokens = [], 0
    if group:
        yield group
