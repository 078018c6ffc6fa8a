"""Model folders in Hugging Face's form: finding, reading and writing them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bertsmith._files import atomic_file
from bertsmith.errors import ModelError
from bertsmith.model.config import BertConfig
from bertsmith.model.config_json import from_hf, to_hf
from bertsmith.model.initialization import initialize
from bertsmith.model.names import canonical, hf_names, is_redundant, to_hf_tensors
from bertsmith.model.weights import read_json, read_weights, write_weights

if TYPE_CHECKING:
    from bertsmith.model.base import PretrainedModel

__all__ = ["LoadingReport", "load_weights", "read_config", "save_model"]

#: Layers that depend on the task's labels: with another number of labels they start afresh.
_LABEL_LAYERS = ("classifier.", "qa_outputs.")


@dataclass(frozen=True)
class LoadingReport:
    """What was and wasn't in a folder that a model was loaded from.

    Attributes:
        source: the file that the weights come from.
        missing: weights of the model that the folder lacks, or has in another size: they were
            drawn afresh. Hugging Face's names.
        unused: weights in the folder that the model has no place for.
    """

    source: Path
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def read_config(folder: Path, **changes: Any) -> BertConfig:
    """Reads a folder's config.json; `changes` are fields to set otherwise.

    Raises:
        ModelError: if it is missing, broken or of another kind of model, or if the folder's
            vocabulary has another size.
    """
    if "labels" in changes:
        changes["labels"] = tuple(changes["labels"])
    config = from_hf(read_json(folder / "config.json"), str(folder / "config.json"), **changes)
    vocabulary = folder / "vocab.txt"
    if vocabulary.is_file():
        num_tokens = len(vocabulary.read_bytes().rstrip(b"\r\n").split(b"\n"))
        if num_tokens != config.vocab_size:
            raise ModelError(
                f"has {num_tokens} tokens, but config.json has vocab_size {config.vocab_size}",
                where=vocabulary,
                fix="put the vocabulary there that the model was trained with",
            )
    return config


def load_weights(
    model: nn.Module,
    folder: Path,
    optional_parts: Sequence[str],
    *,
    std: float,
    generator: torch.Generator | None = None,
) -> LoadingReport:
    """Fills a model that is on the meta device with the weights of a folder.

    Args:
        model: the model; it comes to the CPU.
        folder: where the weights are.
        optional_parts: modules that may be absent from the folder; they are drawn afresh.
        std: standard deviation of fresh weights, before the cut.
        generator: where fresh weights come from.

    Raises:
        ModelError: if weights are missing, damaged, or of another size than the config says.
    """
    source, tensors = read_weights(folder)
    found = {canonical(name): x for name, x in tensors.items() if not is_redundant(name)}
    if hasattr(model, "mlm_head"):
        _require_tied(tensors, found, source)
    state: dict[str, Tensor] = {}
    missing: list[str] = []
    fresh: set[str] = set()
    for name, parameter in model.named_parameters():
        absent, loaded = _find(name, parameter.shape, found, source)
        if loaded is not None:
            state[name] = loaded
            continue
        part = next((part for part in optional_parts if name.startswith(f"{part}.")), None)
        if part is None:
            raise ModelError(f"lacks {absent[0]}", where=source)
        missing += absent
        fresh.add(part)
    _leave_meta(model)
    for part in sorted(fresh):
        initialize(model.get_submodule(part), std, generator)
    model.load_state_dict(state, strict=False)
    used = {canonical(theirs) for name in state for theirs in hf_names(name)}
    unused = (name for name in tensors if canonical(name) not in used and not is_redundant(name))
    return LoadingReport(source, tuple(missing), tuple(sorted(unused)))


def save_model(
    model: "PretrainedModel[Any]", folder: Path, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Writes a model's config.json and model.safetensors; `weights` stand for its own."""
    if folder.exists() and not folder.is_dir():
        raise ModelError("is a file", where=folder, fix="give a folder to save to")
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "model.safetensors", to_hf_tensors(weights or model.state_dict()))
    # FSDP2 puts its name before that of the class whose model it shards.
    config = to_hf(model.config, type(model).__name__.removeprefix("FSDP"))
    with atomic_file(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _leave_meta(model: nn.Module) -> None:
    """Room on the CPU for all weights; PyTorch's `to_empty` imports half a compiler for it."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            room = torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")
            setattr(module, name, nn.Parameter(room, requires_grad=parameter.requires_grad))


def _find(
    name: str, shape: torch.Size, found: Mapping[str, Tensor], source: Path
) -> tuple[list[str], Tensor | None]:
    """The tensor for one of our weights, or the names of what is absent or for other labels."""
    names = hf_names(name)
    shape_of_part = [shape[0] // len(names), *shape[1:]]
    parts: list[Tensor] = []
    absent: list[str] = []
    for theirs in names:
        part = found.get(canonical(theirs))
        if part is not None and list(part.shape) == shape_of_part:
            parts.append(part)
        elif part is None or name.startswith(_LABEL_LAYERS):
            absent.append(theirs)
        else:
            raise ModelError(
                f"{theirs} has shape {list(part.shape)}, but config.json makes it {shape_of_part}",
                where=source,
            )
    if absent:
        return absent, None
    return [], parts[0] if len(parts) == 1 else torch.cat(parts)


def _require_tied(tensors: Mapping[str, Tensor], found: Mapping[str, Tensor], source: Path) -> None:
    decoder = tensors.get("cls.predictions.decoder.weight")
    embeddings = found.get("embeddings.word_embeddings.weight")
    if decoder is not None and embeddings is not None and not torch.equal(decoder, embeddings):
        raise ModelError(
            "cls.predictions.decoder.weight differs from the word embeddings, but this BERT has "
            "one matrix for both",
            where=source,
        )
    biases = [
        tensors[name]
        for prefix in ("", "bert.")
        for name in (f"{prefix}cls.predictions.bias", f"{prefix}cls.predictions.decoder.bias")
        if name in tensors
    ]
    if any(not torch.equal(bias, biases[0]) for bias in biases):
        raise ModelError(
            "cls.predictions.decoder.bias differs from cls.predictions.bias, but this BERT has one",
            where=source,
        )
