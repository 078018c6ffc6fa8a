"""A model with its tokenizer, ready to run; a folder without the right head is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Self, TypedDict, TypeVar

from bertsmith.errors import ModelError
from bertsmith.inference.encoding import encode_texts
from bertsmith.inference.running import EncodedSequence, run_packed
from bertsmith.model import (
    BertForMaskedLM,
    PackedSequences,
    Precision,
    PretrainedModel,
    find_device,
)
from bertsmith.model.hub import find_folder
from bertsmith.model.weights import read_json
from bertsmith.wordpiece import Encoding, Tokenizer

__all__ = ["Columns", "Runner", "RunnerOptions", "option_names"]

Columns = tuple[tuple[str, ...], ...]
"""The sets of arguments that a pipeline can be called with, the best first; each argument is also
the name of a column in a file of inputs, and takes one input or a list of them."""

ModelT = TypeVar("ModelT", bound=PretrainedModel[Any])
S = TypeVar("S", bound=EncodedSequence)
R = TypeVar("R")


class RunnerOptions(TypedDict, total=False):
    """What every pipeline's `from_pretrained` takes beside its own options.

    Attributes:
        device: where to run; `auto` is the first GPU, or else the CPU.
        precision: `fp32`, `bf16`, `fp16` (on GPUs), or `auto` for bf16 where the hardware
            multiplies in it.
        max_tokens_per_batch: tokens in a batch.
        truncate: whether to cut text that is too long instead of refusing it.
    """

    device: str
    precision: Precision
    max_tokens_per_batch: int
    truncate: bool


@dataclass(frozen=True)
class Runner(Generic[ModelT]):
    """A model, its tokenizer, and how to run them.

    Attributes:
        model: on its device.
        tokenizer: the model's.
        precision: see `RunnerOptions`; likewise the others.
    """

    model: ModelT
    tokenizer: Tokenizer
    precision: Precision = "fp32"
    max_tokens_per_batch: int = 8192
    truncate: bool = False

    @classmethod
    def from_pretrained(
        cls,
        path_or_hub_id: str | Path,
        model_class: type[ModelT],
        *,
        architectures: Sequence[str] | None,
        may_lack: Sequence[str] = (),
        device: str = "auto",
        precision: Precision = "fp32",
        max_tokens_per_batch: int = 8192,
        truncate: bool = False,
    ) -> Self:
        """Loads a model with a trained head; never with one drawn afresh.

        Args:
            path_or_hub_id: a Hugging Face folder, or a hub id.
            model_class: what to load it as.
            architectures: the classes, as config.json names them, whose heads will do; None: any.
                Two heads can have the same weight names, so the names alone don't tell.
            may_lack: beginnings of the Hugging Face names of weights that aren't needed.
            device: see `RunnerOptions`.
            precision: see `RunnerOptions`.
            max_tokens_per_batch: see `RunnerOptions`.
            truncate: see `RunnerOptions`.

        Raises:
            ModelError: the folder has another head, or none, or isn't a BERT.
            InputError: there's no such device.
        """
        folder = find_folder(path_or_hub_id)
        named = _architectures(folder)
        if architectures is not None and named and not set(named) & set(architectures):
            raise _wrong_head(path_or_hub_id, named, architectures)
        model = model_class.from_pretrained(folder)
        if isinstance(model, BertForMaskedLM) and model.config.attention == "causal":
            raise ModelError(
                "reads from left to right: at [MASK] it says what comes after",
                where=path_or_hub_id,
                fix="give a model that was pre-trained with model.attention=bidirectional",
            )
        missing = model.loading_report.missing if model.loading_report else ()
        if needed := [name for name in missing if not name.startswith(tuple(may_lack))]:
            raise _wrong_head(path_or_hub_id, named, architectures or (needed[0],), needed[0])
        tokenizer = Tokenizer.from_pretrained(folder)
        if len(tokenizer.vocabulary) != model.config.vocab_size:
            sizes = f"{len(tokenizer.vocabulary)} tokens, its model {model.config.vocab_size}"
            raise ModelError(f"the vocabulary has {sizes}", where=folder)
        model.to(find_device(device))
        return cls(model, tokenizer, precision, max_tokens_per_batch, truncate)

    @property
    def max_length(self) -> int:
        """Longest sequence that the model takes, in tokens."""
        return self.model.config.max_position_embeddings

    def run(
        self,
        sequences: Sequence[S],
        forward: Callable[[PackedSequences, Sequence[S]], Sequence[R]],
    ) -> list[R]:
        """`run_packed` with this model and these settings."""
        return run_packed(
            self.model,
            sequences,
            forward,
            max_tokens_per_batch=self.max_tokens_per_batch,
            precision=self.precision,
        )

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        special_tokens: bool = False,
    ) -> list[Encoding]:
        """`encode_texts` with this tokenizer, up to the model's longest sequence."""
        if pairs is not None:
            self.require_segments()
        return encode_texts(
            texts,
            pairs,
            self.tokenizer,
            max_length=self.max_length,
            truncate=self.truncate,
            special_tokens=special_tokens,
        )

    def require_segments(self) -> None:
        """Raises `ModelError` if the model knows one segment only, and so takes no pairs."""
        if self.model.config.type_vocab_size < 2:
            raise ModelError("the model has type_vocab_size 1 and takes no pairs of texts")


def option_names(pipeline_class: type[Any]) -> tuple[str, ...]:
    """The options of a pipeline class beside `RunnerOptions`: its fields, the runner left out."""
    return tuple(field.name for field in fields(pipeline_class) if field.name != "runner")


def _architectures(folder: Path) -> tuple[str, ...]:
    named = read_json(folder / "config.json").get("architectures")
    return tuple(str(name) for name in named) if isinstance(named, list) else ()


def _wrong_head(
    source: str | Path,
    named: Sequence[str],
    wanted: Sequence[str],
    missing: str | None = None,
) -> ModelError:
    what = f"holds {', '.join(named) or 'a model of no named kind'}"
    if missing is not None:
        what += f" without {missing}"
    return ModelError(what, where=source, fix=f"give a folder of {' or '.join(wanted)}")
