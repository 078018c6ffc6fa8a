"""The model: packed sequences in, hidden states and logits out; plain PyTorch.

A model's folder on disk is a Hugging Face folder.
"""

from bertsmith.model.attention import AttentionLayout, PaddedLayout, layout_for, packed_attention
from bertsmith.model.base import PretrainedModel
from bertsmith.model.bert import BertModel
from bertsmith.model.classification import (
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from bertsmith.model.config import SIZES, BertConfig
from bertsmith.model.cross_entropy import Sums, chunked_sums, whole_sums
from bertsmith.model.device import find_device
from bertsmith.model.extension import extend_embeddings
from bertsmith.model.initialization import sinusoidal_positions
from bertsmith.model.outputs import (
    BertModelOutput,
    MaskedLMOutput,
    ModelOutput,
    MultipleChoiceOutput,
    PreTrainingOutput,
    PreTrainingSums,
    QuestionAnsweringOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from bertsmith.model.packing import PackedSequences
from bertsmith.model.precision import PRECISIONS, Precision, resolve_precision
from bertsmith.model.pretrained import LoadingReport
from bertsmith.model.pretraining import BertForMaskedLM, BertForPreTraining

__all__ = [
    "PRECISIONS",
    "SIZES",
    "AttentionLayout",
    "BertConfig",
    "BertForMaskedLM",
    "BertForMultipleChoice",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "BertModelOutput",
    "LoadingReport",
    "MaskedLMOutput",
    "ModelOutput",
    "MultipleChoiceOutput",
    "PackedSequences",
    "PaddedLayout",
    "PreTrainingOutput",
    "PreTrainingSums",
    "Precision",
    "PretrainedModel",
    "QuestionAnsweringOutput",
    "SequenceClassifierOutput",
    "Sums",
    "TokenClassifierOutput",
    "chunked_sums",
    "extend_embeddings",
    "find_device",
    "layout_for",
    "packed_attention",
    "resolve_precision",
    "sinusoidal_positions",
    "whole_sums",
]
