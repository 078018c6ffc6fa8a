"""The encoder with its pooler."""

import torch
from jaxtyping import Float
from torch import Tensor

from bertsmith.model.attention import layout_for
from bertsmith.model.base import PretrainedModel
from bertsmith.model.config import BertConfig
from bertsmith.model.encoder import Embeddings, Encoder
from bertsmith.model.heads import Pooler
from bertsmith.model.initialization import initialize
from bertsmith.model.outputs import BertModelOutput
from bertsmith.model.packing import PackedSequences, rows_at

__all__ = ["BertModel"]


class BertModel(PretrainedModel[BertModelOutput]):
    """Embeddings, encoder and pooler.

    **Source**: Devlin et al. 2019, section 3; google-research/bert `BertModel`.

    Args:
        config: the model's shape.
        add_pooler: whether to have a pooler; heads on single tokens need none.
        generator: where the first weights come from; the default generator if None.

    Example:
        >>> config = BertConfig.of_size("tiny", vocab_size=10)
        >>> model = BertModel(config, generator=torch.Generator().manual_seed(0)).eval()
        >>> input_ids = torch.tensor([[2, 5, 3], [2, 3, 0]])
        >>> output = model(input_ids, attention_mask=input_ids != 0)
        >>> tuple(output.last_hidden_state.shape), tuple(output.pooler_output.shape)
        ((2, 3, 128), (2, 128))
        >>> output.last_hidden_state[1, 2].abs().sum().item()
        0.0
    """

    optional_parts = ("pooler",)

    def __init__(
        self,
        config: BertConfig,
        *,
        add_pooler: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Pooler(config) if add_pooler else None
        initialize(self, config.initializer_range, generator)

    def forward_packed(
        self, packed: PackedSequences, *, output_hidden_states: bool = False
    ) -> BertModelOutput:
        """Returns hidden states [T, D] and pooled sequences [B, D].

        Args:
            packed: the batch. Its ids are not checked.
            output_hidden_states: whether to return the states of all layers.
        """
        embedded_TD = self.embeddings(packed)
        layout = layout_for(packed, embedded_TD, self.config.head_size)
        hidden_TD, states = self.encoder(embedded_TD, layout, keep_all=output_hidden_states)
        pooled_BD = None
        if self.pooler is not None:
            pooled_BD = self.pooler(rows_at(hidden_TD, packed.first_token_positions))
        return BertModelOutput(hidden_TD, pooled_BD, hidden_states=states)

    @torch.no_grad()
    def set_position_embeddings(self, table: Float[Tensor, "S D"]) -> None:
        """Replaces the position embeddings, which stay trainable.

        Args:
            table: one row for each position, [max_position_embeddings, D].
        """
        self.embeddings.position.weight.copy_(table)

    @property
    def word_embeddings(self) -> Tensor:
        """The word embeddings, [V, D], which are also the output weights of a masked-LM head."""
        return self.embeddings.word.weight
