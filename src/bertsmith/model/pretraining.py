"""Models with a masked-LM head: for pre-training, and for filling masks."""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from bertsmith.model.base import PretrainedModel
from bertsmith.model.bert import BertModel
from bertsmith.model.config import BertConfig
from bertsmith.model.cross_entropy import Sums, chunked_sums
from bertsmith.model.heads import MaskedLMHead
from bertsmith.model.initialization import initialize
from bertsmith.model.outputs import MaskedLMOutput, PreTrainingOutput, PreTrainingSums
from bertsmith.model.packing import PackedSequences, rows_at
from bertsmith.model.rounding import num_rows_for, with_rows

__all__ = ["BertForMaskedLM", "BertForPreTraining"]


class BertForPreTraining(PretrainedModel[PreTrainingOutput]):
    """BERT with both heads that it is pre-trained with: masked LM and next sentence.

    **Source**: Devlin et al. 2019, section 3.1; google-research/bert `run_pretraining.py`.

    Args:
        config: the model's shape.
        generator: where the first weights come from; the default generator if None.

    Example:
        >>> config = BertConfig.of_size("tiny", vocab_size=10)
        >>> model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0)).eval()
        >>> packed = PackedSequences.from_lists([[2, 5, 4, 3], [2, 4, 3]])
        >>> output = model.forward_packed(packed, masked_positions=torch.tensor([2, 5]))
        >>> tuple(output.prediction_logits.shape), tuple(output.seq_relationship_logits.shape)
        ((2, 10), (2, 2))
    """

    optional_parts = ("bert.pooler", "mlm_head", "nsp_head")

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__(config)
        self.bert = BertModel(config, generator=generator)
        self.mlm_head = MaskedLMHead(config)
        self.nsp_head = nn.Linear(config.hidden_size, 2)
        initialize(self.mlm_head, config.initializer_range, generator)
        initialize(self.nsp_head, config.initializer_range, generator)

    def forward_packed(
        self,
        packed: PackedSequences,
        masked_positions: Int[Tensor, "P"] | None = None,
        *,
        output_hidden_states: bool = False,
    ) -> PreTrainingOutput:
        """Returns the logits of both heads.

        Args:
            packed: the batch. Its ids are not checked.
            masked_positions: positions on the token axis; the masked-LM head runs on these alone.
                None runs it on all.
            output_hidden_states: whether to return the states of all layers.

        Returns:
            `prediction_logits` [P, V] or [T, V] and `seq_relationship_logits` [B, 2].
        """
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        logits = _masked_lm_logits(self, output.last_hidden_state, masked_positions)
        return PreTrainingOutput(
            logits, self.nsp_head(output.pooler_output), hidden_states=output.hidden_states
        )

    def forward_sums(
        self,
        packed: PackedSequences,
        masked_positions: Int[Tensor, "P"],
        labels: Int[Tensor, "P"],
        sums: Sums = chunked_sums,
    ) -> PreTrainingSums:
        """Returns the cross-entropy of the masked-LM head, and the other's logits.

        The same as `sums` of what `forward_packed` returns, without the logits [P, V] in memory
        where a kernel can do without them.

        Args:
            packed: the batch. Its ids are not checked.
            masked_positions: positions on the token axis.
            labels: the tokens' ids there.
            sums: how cross-entropy is worked out.

        Raises:
            ValueError: not as many labels as positions.
        """
        if len(labels) != len(masked_positions):
            raise ValueError(f"{len(labels)} labels for {len(masked_positions)} positions")
        output = self.bert.forward_packed(packed)
        total, num_correct = self.mlm_head.sums(
            _at_positions(output.last_hidden_state, masked_positions),
            self.bert.embeddings.output_weights(),
            labels,
            sums,
        )
        return PreTrainingSums(total, num_correct, self.nsp_head(output.pooler_output))


class BertForMaskedLM(PretrainedModel[MaskedLMOutput]):
    """BERT with the masked-LM head alone, without a pooler.

    Args:
        config: the model's shape.
        generator: where the first weights come from; the default generator if None.
    """

    optional_parts = ("mlm_head",)

    def __init__(self, config: BertConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooler=False, generator=generator)
        self.mlm_head = MaskedLMHead(config)
        initialize(self.mlm_head, config.initializer_range, generator)

    def forward_packed(
        self,
        packed: PackedSequences,
        masked_positions: Int[Tensor, "P"] | None = None,
        *,
        output_hidden_states: bool = False,
    ) -> MaskedLMOutput:
        """Returns logits [P, V] at the positions given, or [T, V] at all."""
        output = self.bert.forward_packed(packed, output_hidden_states=output_hidden_states)
        logits = _masked_lm_logits(self, output.last_hidden_state, masked_positions)
        return MaskedLMOutput(logits, hidden_states=output.hidden_states)


def _masked_lm_logits(
    model: BertForPreTraining | BertForMaskedLM, hidden_TD: Tensor, positions: Tensor | None
) -> Tensor:
    """Logits at the positions, [P, V], or at all, [T, V]."""
    output_weights = model.bert.embeddings.output_weights()
    if positions is None:
        all_TV: Tensor = model.mlm_head(hidden_TD, output_weights)
        return all_TV
    logits_PV: Tensor = model.mlm_head(_at_positions(hidden_TD, positions), output_weights)
    return logits_PV[: positions.shape[0]]


def _at_positions(hidden_TD: Tensor, positions: Tensor) -> Tensor:
    """States at the positions, and at the first token until there are `num_rows_for` them."""
    rows = with_rows(positions, num_rows_for(positions.shape[0], positions.device))
    return rows_at(hidden_TD, rows)
