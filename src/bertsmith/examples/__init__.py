"""Examples: sentence pairs and masks as pure functions of (store, settings, seed, epoch, index)."""

from bertsmith.examples.build import PackedExamples, build_examples
from bertsmith.examples.choosing import num_predictions
from bertsmith.examples.export import ExportSummary, export_examples
from bertsmith.examples.masking import MaskedTokens, mask_tokens
from bertsmith.examples.plan import PairPlan, plan_epoch
from bertsmith.examples.sample import SampledExample, sample_examples
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import SpecialIds, TokenSource
from bertsmith.examples.spans import ExampleSpans
from bertsmith.examples.split import epoch_order, split_documents

__all__ = [
    "ExampleSettings",
    "ExampleSpans",
    "ExportSummary",
    "MaskedTokens",
    "PackedExamples",
    "PairPlan",
    "SampledExample",
    "SpecialIds",
    "TokenSource",
    "build_examples",
    "epoch_order",
    "export_examples",
    "mask_tokens",
    "num_predictions",
    "plan_epoch",
    "sample_examples",
    "split_documents",
]
