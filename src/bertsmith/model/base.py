"""What every model shares: building, the padded interface, loading and saving."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from bertsmith.model.config import BertConfig
from bertsmith.model.hub import find_folder
from bertsmith.model.inputs import pack_inputs
from bertsmith.model.outputs import ModelOutput
from bertsmith.model.packing import PackedSequences
from bertsmith.model.pretrained import (
    LoadingReport,
    load_weights,
    read_config,
    save_model,
)

__all__ = ["PretrainedModel"]

OutputT = TypeVar("OutputT", bound=ModelOutput)


class PretrainedModel(nn.Module, Generic[OutputT]):
    """A model that runs on packed or padded batches and lives in a Hugging Face folder.

    Attributes:
        config: the model's shape.
        loading_report: what `from_pretrained` found and didn't find; None for a new model.
    """

    #: Parts that a folder may lack: they are drawn afresh, and listed.
    optional_parts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.loading_report: LoadingReport | None = None

    @abstractmethod
    def forward_packed(
        self, packed: PackedSequences, *, output_hidden_states: bool = False
    ) -> OutputT:
        """Runs the model on packed sequences."""

    def forward(
        self,
        input_ids: Int[Tensor, "B S"],
        attention_mask: Int[Tensor, "B S"] | Bool[Tensor, "B S"] | None = None,
        token_type_ids: Int[Tensor, "B S"] | None = None,
        *,
        output_hidden_states: bool = False,
    ) -> OutputT:
        """Runs the model on a padded batch.

        A token's position is its column, as in Hugging Face's, so padding may stand on either
        side. **Differs**: outputs at padding are zero; and the pooler takes a row's first *token*,
        where Hugging Face's takes column 0 even if that is padding.

        Args:
            input_ids: token ids; what stands at padding doesn't matter.
            attention_mask: True or 1 at tokens, False or 0 at padding; None means no padding.
            token_type_ids: 0 for segment A, 1 for segment B; None means all 0.
            output_hidden_states: whether to return the states of all layers.

        Returns:
            The output in its padded form.

        Raises:
            InputError: if shapes, lengths or ids don't fit the model.
        """
        packed, mask = pack_inputs(self.config, input_ids, attention_mask, token_type_ids)
        return self.forward_packed(packed, output_hidden_states=output_hidden_states).padded(mask)

    @classmethod
    def from_pretrained(
        cls,
        path_or_hub_id: str | Path,
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
        **changes: Any,
    ) -> Self:
        """Loads a model from a Hugging Face folder, or from the hub.

        Reads `model.safetensors` and `pytorch_model.bin`, whole or in shards, with the names of
        any age. Pickles are read as tensors only. A pooler or head that the folder lacks is drawn
        afresh; `loading_report` lists it. The model is in evaluation mode.

        Args:
            path_or_hub_id: a folder, or a hub id such as "google-bert/bert-base-uncased".
            dtype: type that the weights are cast to.
            generator: where the weights of a fresh head come from.
            **changes: config fields to set otherwise, such as `labels`.

        Raises:
            ModelError: if the folder is missing, incomplete, damaged, contradicts itself, or holds
                another kind of model.
        """
        folder = find_folder(path_or_hub_id)
        with torch.device("meta"):
            model = cls(read_config(folder, **changes)).to(dtype)
        model.loading_report = load_weights(
            model,
            folder,
            cls.optional_parts,
            std=model.config.initializer_range,
            generator=generator,
        )
        return model.eval()

    def save_pretrained(
        self, path: str | Path, *, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        """Writes config.json and model.safetensors, as Hugging Face's library would.

        Each file is whole or absent. Other files in the folder stay as they are.

        Args:
            path: the folder; made if absent.
            weights: what to write instead of the weights as they stand: a copy of `state_dict()`
                that was taken earlier.
        """
        save_model(self, Path(path), weights)

    def num_parameters(self) -> int:
        """Number of weights, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())
