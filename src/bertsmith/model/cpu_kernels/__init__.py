"""Kernels in C for training on a CPU, compiled where they run.

Between the matrix products of a small model PyTorch's own steps take two thirds of the time under
bf16: each reads and writes all of memory, and several run on one thread. These do in one pass what
stands between two products, in bf16 or float32; and the products too where a processor has AMX
or AVX512-BF16, or where PyTorch's library, Intel's, is slow on it. Without a C compiler everything
works as before, more slowly.
"""

from bertsmith.model.cpu_kernels.adamw import adamw_update, gradient_norm, is_updatable
from bertsmith.model.cpu_kernels.attention import padded_attention
from bertsmith.model.cpu_kernels.cross_entropy import cross_entropy_sums
from bertsmith.model.cpu_kernels.dropout import can_drop, hashed_dropout
from bertsmith.model.cpu_kernels.embeddings import (
    EmbeddingWeights,
    TokenIds,
    embed,
    fits_embeddings,
)
from bertsmith.model.cpu_kernels.encoder_layer import (
    EncoderLayerSettings,
    EncoderLayerWeights,
    encoder_layer,
    fits_encoder_layer,
)
from bertsmith.model.cpu_kernels.feed_forward import feed_forward, feed_forward_and_values
from bertsmith.model.cpu_kernels.float_products import fits_floats
from bertsmith.model.cpu_kernels.gelu import gelu
from bertsmith.model.cpu_kernels.head_attention import AttendedBatch
from bertsmith.model.cpu_kernels.library import wants_products, why_no_kernels
from bertsmith.model.cpu_kernels.products import biased_product, product, product_and_values
from bertsmith.model.cpu_kernels.residual_norm import residual_norm
from bertsmith.model.cpu_kernels.running import HashedDropout, has_cpu_kernels, is_looked_at
from bertsmith.model.cpu_kernels.tiles import fits_tiles
from bertsmith.model.cpu_kernels.vocabulary import fits_vocabulary, vocabulary_logits
from bertsmith.model.cpu_kernels.vocabulary_loss import vocabulary_cross_entropy

__all__ = [
    "AttendedBatch",
    "EmbeddingWeights",
    "EncoderLayerSettings",
    "EncoderLayerWeights",
    "HashedDropout",
    "TokenIds",
    "adamw_update",
    "biased_product",
    "can_drop",
    "cross_entropy_sums",
    "embed",
    "encoder_layer",
    "feed_forward",
    "feed_forward_and_values",
    "fits_embeddings",
    "fits_encoder_layer",
    "fits_floats",
    "fits_tiles",
    "fits_vocabulary",
    "gelu",
    "gradient_norm",
    "has_cpu_kernels",
    "hashed_dropout",
    "is_looked_at",
    "is_updatable",
    "padded_attention",
    "product",
    "product_and_values",
    "residual_norm",
    "vocabulary_cross_entropy",
    "vocabulary_logits",
    "wants_products",
    "why_no_kernels",
]
