"""The parts on top of the encoder: pooler and masked-LM head.

Shape suffixes: B sequences, T tokens (all, or the P masked ones), D hidden, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from bertsmith.model import cpu_kernels
from bertsmith.model.activations import activation
from bertsmith.model.config import BertConfig
from bertsmith.model.cross_entropy import Sums, chunked_sums
from bertsmith.model.linear import is_plain, products_and_bias

__all__ = ["MaskedLMHead", "Pooler"]

# A GPU multiplies matrices of other widths by half the speed: 30,522 is no multiple of 8.
_COLUMNS = 64


class Pooler(nn.Module):
    """A dense layer and tanh on the hidden state of each sequence's first token, its [CLS].

    **Source**: google-research/bert `BertModel.__init__`, scope "pooler".
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, first_BD: Tensor) -> Tensor:
        """Returns the pooled sequences, [B, D]."""
        return torch.tanh(self.dense(first_BD))


class MaskedLMHead(nn.Module):
    """Dense, activation, LayerNorm, then the word embeddings as output weights, and a bias.

    **Source**: google-research/bert `run_pretraining.get_masked_lm_output`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.transform = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden_TD: Tensor, word_embeddings_VD: Tensor) -> Tensor:
        """Returns a logit for every token id, [T, V]."""
        return self._logits(self._transformed(hidden_TD), word_embeddings_VD)

    def sums(
        self, hidden_TD: Tensor, word_embeddings_VD: Tensor, labels_P: Tensor, sums: Sums
    ) -> tuple[Tensor, Tensor]:
        """Returns what `sums` gives for the logits of the first P tokens and their labels.

        A kernel that can do both at once has the logits nowhere as a matrix.
        """
        num_labels = labels_P.shape[0]
        if num_labels > 0 and sums is chunked_sums and is_plain(self, MaskedLMHead):
            transformed_TD = self._transformed(hidden_TD)
            if cpu_kernels.fits_vocabulary(transformed_TD, word_embeddings_VD):
                return cpu_kernels.vocabulary_cross_entropy(
                    transformed_TD, word_embeddings_VD, self.bias, labels_P
                )
            logits_TV = self._logits(transformed_TD, word_embeddings_VD)
        else:
            logits_TV = self(hidden_TD, word_embeddings_VD)
        return sums(logits_TV[:num_labels], labels_P)

    def _transformed(self, hidden_TD: Tensor) -> Tensor:
        values_TD: Tensor = self.activation(*products_and_bias(self.transform, hidden_TD))
        transformed_TD: Tensor = self.layer_norm(values_TD)
        return transformed_TD

    def _logits(self, transformed_TD: Tensor, word_embeddings_VD: Tensor) -> Tensor:
        if cpu_kernels.fits_vocabulary(transformed_TD, word_embeddings_VD):
            return cpu_kernels.vocabulary_logits(transformed_TD, word_embeddings_VD, self.bias)
        if cpu_kernels.fits_floats(transformed_TD, word_embeddings_VD, self.bias):
            return cpu_kernels.biased_product(transformed_TD, word_embeddings_VD, self.bias)
        V = word_embeddings_VD.shape[0]
        if transformed_TD.device.type == "cpu" or V % _COLUMNS == 0:
            return linear(transformed_TD, word_embeddings_VD, self.bias)
        missing = -V % _COLUMNS
        wide_VD, wide_V = pad(word_embeddings_VD, (0, 0, 0, missing)), pad(self.bias, (0, missing))
        return linear(transformed_TD, wide_VD, wide_V)[:, :V]
