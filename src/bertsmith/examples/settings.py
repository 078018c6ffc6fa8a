"""Settings of pre-training examples."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from bertsmith._settings import Settings

__all__ = ["ExampleSettings"]


class ExampleSettings(Settings):
    """How sentence pairs are cut and masked; the defaults are the paper's.

    **Source**: the paper, appendix A.2; `create_pretraining_data.py` of google-research/bert.

    Example:
        >>> ExampleSettings().max_predictions, ExampleSettings(max_seq_length=512).max_predictions
        (20, 77)
    """

    # A pair needs three special tokens and a token a side; positions are packed into 16 bits.
    max_seq_length: int = Field(
        128,
        ge=5,
        le=65_535,
        description="longest example, in tokens, [CLS] and [SEP] counted",
    )
    short_seq_prob: float = Field(
        0.1,
        ge=0,
        le=1,
        description="chance, drawn once a document and epoch, that its examples aim at a shorter "
        "length, uniform from 2 tokens to the maximum",
    )
    masked_lm_prob: float = Field(
        0.15, gt=0, le=1, description="share of an example's tokens that is to be predicted"
    )
    max_predictions_per_seq: int | None = Field(
        None,
        ge=1,
        description="most predictions in an example, in tokens; by default "
        "masked_lm_prob × max_seq_length, rounded up (20 at length 128)",
    )
    mask_token_prob: float = Field(
        0.8, ge=0, le=1, description="share of the chosen tokens that [MASK] replaces"
    )
    random_token_prob: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the chosen tokens that a random token of the vocabulary replaces; "
        "the rest stay as they are",
    )
    whole_word_masking: bool = Field(
        False,
        description="choose whole words instead of single tokens: a word is a piece and those "
        "after it that begin with ##, or what `prepare --words jieba` found",
    )
    next_sentence: bool = Field(
        True,
        description="true: pairs of segments with a label, see pair_labels; false: one segment of "
        "whole sentences, without labels",
    )
    pair_labels: Literal["random", "order"] = Field(
        "random",
        description="what label 1 of a pair means. random: the second segment is random text "
        "instead of what follows (the paper). order: the two segments are swapped (ALBERT)",
    )

    @property
    def num_special_tokens(self) -> int:
        """[CLS] A [SEP] B [SEP] has 3 special tokens, [CLS] A [SEP] has 2."""
        return 3 if self.next_sentence else 2

    @property
    def max_text_tokens(self) -> int:
        """Most tokens of text in an example: the maximum length less the special tokens."""
        return self.max_seq_length - self.num_special_tokens

    @property
    def max_predictions(self) -> int:
        """`max_predictions_per_seq`, or what follows from length and share where it is None."""
        if self.max_predictions_per_seq is not None:
            return self.max_predictions_per_seq
        return math.ceil(self.masked_lm_prob * self.max_seq_length)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.mask_token_prob + self.random_token_prob > 1 + 1e-9:
            raise ValueError("mask_token_prob + random_token_prob is over 1; lower one of them")
        if self.pair_labels == "order" and not self.next_sentence:
            raise ValueError(
                "pair_labels=order needs next_sentence=true: single segments have none"
            )
        return self
