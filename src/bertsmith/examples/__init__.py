"""Examples: sentence pairs and masks as pure functions of (store, settings, seed, epoch, index)."""

from bertsmith.examples.build import PackedExamples, build_examples
from bertsmith.examples.masking import MaskedTokens, mask_tokens, num_predictions
from bertsmith.examples.plan import PairPlan, plan_epoch
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import SpecialIds, TokenSource
from bertsmith.examples.spans import ExampleSpans
from bertsmith.examples.split import epoch_order, split_documents

__all__ = [
    "ExampleSettings",
    "ExampleSpans",
    "MaskedTokens",
    "PackedExamples",
    "PairPlan",
    "SpecialIds",
    "TokenSource",
    "build_examples",
    "epoch_order",
    "mask_tokens",
    "num_predictions",
    "plan_epoch",
    "split_documents",
]
