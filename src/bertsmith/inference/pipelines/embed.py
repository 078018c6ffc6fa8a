"""Vectors for texts, and hidden states of chosen layers for every token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertsmith.errors import InputError
from bertsmith.inference.encoding import as_list
from bertsmith.inference.features import TokenFeatures, write_features
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.inference.running import split_tokens
from bertsmith.model import BertModel, PackedSequences
from bertsmith.wordpiece import Encoding

__all__ = ["Embed", "Strategy"]

Strategy = Literal["mean", "cls", "pooler"]

# Hidden states of so many texts are held at once while a file is written.
_TEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class Embed:
    """Turns texts into vectors.

    Attributes:
        runner: a model; any folder of a BERT will do, whatever its head.
        strategy: `mean` of the last hidden states of all tokens, `[CLS]` and `[SEP]` counted;
            `cls`, the last hidden state of `[CLS]`; or `pooler`, the pooled `[CLS]`.
    """

    columns: ClassVar[Columns] = (("text",),)

    runner: Runner[BertModel]
    strategy: Strategy = "mean"

    def __post_init__(self) -> None:
        """Checks the strategy."""
        if self.strategy not in get_args(Strategy):
            fix = f"use {', '.join(get_args(Strategy))}"
            raise InputError(f"is {self.strategy!r}", where="strategy", fix=fix)

    @classmethod
    def from_pretrained(
        cls,
        path_or_hub_id: str | Path,
        *,
        strategy: Strategy = "mean",
        **options: Unpack[RunnerOptions],
    ) -> Self:
        """Loads a folder of a pre-trained or fine-tuned model.

        Raises:
            ModelError: it isn't a BERT; or the strategy is `pooler` and it has no pooler.
        """
        runner = Runner.from_pretrained(
            path_or_hub_id,
            BertModel,
            architectures=None,
            may_lack=() if strategy == "pooler" else ("pooler.",),
            **options,
        )
        return cls(runner, strategy)

    def __call__(self, text: str | list[str]) -> Float[np.ndarray, "*B D"]:
        """Returns the vector of a text [D], or of each of a list of texts [B, D].

        Args:
            text: the texts.

        Raises:
            InputError: a text is blank or too long.
        """
        encodings = self.runner.encode(as_list(text))
        vectors = self.runner.run(encodings, self._vectors)
        result = torch.stack(vectors) if vectors else torch.empty(0, self._hidden_size)
        return (result[0] if isinstance(text, str) else result).numpy()

    def features(self, text: list[str], layers: Sequence[int] | None = None) -> list[TokenFeatures]:
        """Hidden states of chosen layers for every token: the paper's feature-based approach.

        **Source**: section 5.3 of the paper; google-research/bert `extract_features.py`.

        Args:
            text: the texts.
            layers: 0 for the output of the embeddings, 1 up to L for the layers, and −1 down to
                −(L + 1) counted from the last. None: the last four, or all where there are fewer.

        Returns:
            One for each text.

        Raises:
            InputError: there is no such layer, or a text is blank or too long.
        """
        return list(self._features(self.runner.encode(list(text)), self._checked(layers)))

    def write_features(
        self, path: Path | str, text: list[str], layers: Sequence[int] | None = None
    ) -> None:
        """Writes `features` to a file, a few texts at a time; see `features.write_features`.

        Args:
            path: the file: `.jsonl`, `.npz` or `.parquet`.
            text: the texts.
            layers: as for `features`.

        Raises:
            InputError: as for `features`, or the file's ending is unknown.
        """
        layers = self._checked(layers)
        encodings = self.runner.encode(list(text))
        write_features(Path(path), self._features(encodings, layers), layers, self._hidden_size)

    @property
    def _hidden_size(self) -> int:
        return self.runner.model.config.hidden_size

    def _checked(self, layers: Sequence[int] | None) -> tuple[int, ...]:
        num_layers = self.runner.model.config.num_hidden_layers
        if layers is None:
            return (-1, -2, -3, -4)[:num_layers]
        for layer in layers:
            if not -num_layers - 1 <= layer <= num_layers:
                what = f"there is no layer {layer}"
                fix = f"use 0 (embeddings) to {num_layers}, or -1 to {-num_layers - 1}"
                raise InputError(what, where="layers", fix=fix)
        if not layers or len(set(layers)) < len(layers):
            raise InputError("name no layer, or one twice", where="layers", fix="name each once")
        return tuple(layers)

    def _features(
        self, encodings: Sequence[Encoding], layers: tuple[int, ...]
    ) -> Iterator[TokenFeatures]:
        def states(packed: PackedSequences, _: Sequence[Any]) -> tuple[Tensor, ...]:
            output = self.runner.model.forward_packed(packed, output_hidden_states=True)
            hidden_states = output.hidden_states or ()
            chosen = torch.stack([hidden_states[layer] for layer in layers], dim=1)
            return split_tokens(packed, chosen)

        for start in range(0, len(encodings), _TEXTS_AT_ONCE):
            chunk = encodings[start : start + _TEXTS_AT_ONCE]
            for encoding, values in zip(chunk, self.runner.run(chunk, states), strict=True):
                array = values.transpose(0, 1).contiguous().numpy()
                yield TokenFeatures(encoding.tokens, encoding.offsets, array)

    def _vectors(self, packed: PackedSequences, _: Sequence[Any]) -> list[Tensor]:
        output = self.runner.model.forward_packed(packed)
        if self.strategy == "mean":
            per_text = split_tokens(packed, output.last_hidden_state)
            return [values.mean(dim=0) for values in per_text]
        if self.strategy == "pooler" and output.pooler_output is not None:
            vectors = output.pooler_output
        else:
            vectors = output.last_hidden_state[packed.first_token_positions]
        return list(vectors.float().cpu())
