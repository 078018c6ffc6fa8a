"""How much arithmetic a training step is, and how much of it a device can do in a second.

Together they give the share of the hardware's limit that a run reaches (model FLOPs utilisation):
the FLOPs that the model needs, per second, over the rate at which the same device multiplies
matrices in the same precision.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn

from bertsmith.model import BertConfig, BertModel, cpu_kernels
from bertsmith.model.packing import PackedSequences

__all__ = ["FORWARD_AND_BACKWARD", "ModelFlops", "matmul_rate"]

#: A backward pass is two products for each of the forward pass.
FORWARD_AND_BACKWARD = 3

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_CPU_SIZES, _GPU_SIZES = (512, 1024, 2048), (2048, 4096, 8192)
_ROUNDS, _SECONDS = 3, 0.4
_rates: dict[tuple[torch.device, str, int], float] = {}


@dataclass(frozen=True)
class ModelFlops:
    r"""FLOPs of a forward pass, counting the matrix products alone.

    With L layers, hidden size D, feed-forward size F and vocabulary V, a product of [m, k] and
    [k, n] being $2mkn$ FLOPs:

    - a token: $L\,(8D^2 + 4DF)$, for query, key, value, output and the two feed-forward products;
    - a sequence of length S: $4LD\,S^2$ for scores and weighted sum, with its real length;
    - a position to predict: $2D^2 + 2DV$, the MLM head;
    - a sequence: $2D^2$ for the pooler, $2D$ for each class of a head on top of it.

    Padding, softmax, LayerNorm, activations and the optimizer count nothing: they are what a run
    loses, not what it needs. Training costs three times as much, less what frozen layers spare.
    What is computed twice to save memory isn't counted twice.

    **Source**: Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022 (PaLM), appendix B, for the
    utilisation. **Differs**: attention with real lengths, the head with real predictions.

    Attributes:
        per_token: FLOPs of a real token.
        per_square: FLOPs of a sequence for each square of its length.
        per_prediction: FLOPs of a position at which a token is predicted.
        per_sequence: FLOPs of a sequence, whatever its length.
        spared: what training needs less, where a part of the model is frozen.

    Example:
        >>> flops = ModelFlops.of_config(BertConfig.of_size("base"))
        >>> f"{flops.training(1, 128, 20) / 128 / 1e9:.2f} GFLOP a token"
        '0.55 GFLOP a token'
    """

    per_token: int
    per_square: int
    per_prediction: int = 0
    per_sequence: int = 0
    spared: "ModelFlops | None" = None

    @classmethod
    def of_config(cls, config: BertConfig) -> Self:
        """The formula of a model with both heads of pre-training."""
        D, V = config.hidden_size, config.vocab_size
        encoder = _encoder(config)
        return cls(*encoder, per_prediction=2 * D * (D + V), per_sequence=2 * D * (D + 2))

    @classmethod
    def of_model(cls, model: nn.Module, config: BertConfig) -> Self:
        """The formula of a model, whatever its heads.

        Args:
            model: the model, wrapped for parallel training or not.
            config: its shape.
        """
        heads = {name: module for name, module in model.named_modules() if _is_head(name, module)}
        sizes = {name: 2 * layer.in_features * layer.out_features for name, layer in heads.items()}
        in_mlm = {name for name in heads if "mlm_head" in name}
        other = sum(size for name, size in sizes.items() if name not in in_mlm)
        predicting = sum(sizes[name] for name in in_mlm)
        if in_mlm:
            predicting += 2 * config.hidden_size * config.vocab_size
        per_token, per_square = _encoder(config)
        spared = _spared(model, config, heads)
        if any("pooler" in name for name in heads):
            return cls(per_token, per_square, predicting, other, spared)
        return cls(per_token + other, per_square, predicting, spared=spared)

    def forward(
        self, num_tokens: int, sum_of_squares: int, num_predictions: int, num_sequences: int
    ) -> int:
        """FLOPs of a forward pass.

        Args:
            num_tokens: real tokens.
            sum_of_squares: sum over the sequences of their length squared, in tokens.
            num_predictions: positions at which the MLM head runs.
            num_sequences: sequences.
        """
        return (
            self.per_token * num_tokens
            + self.per_square * sum_of_squares
            + self.per_prediction * num_predictions
            + self.per_sequence * num_sequences
        )

    def training(self, num_sequences: int, length: int, num_predictions: int) -> int:
        """FLOPs of forward and backward, for sequences of one length.

        Args:
            num_sequences: sequences.
            length: tokens in each.
            num_predictions: positions to predict in each.
        """
        tokens, predictions = num_sequences * length, num_sequences * num_predictions
        return self._both_ways(tokens, tokens * length, predictions, num_sequences)

    def of_batch(self, batch: PackedSequences, num_predictions: int) -> int:
        """FLOPs of forward and backward on a batch, which lies in the CPU's memory."""
        squares = int(batch.lengths.long().square().sum())
        return self._both_ways(batch.num_tokens, squares, num_predictions, batch.batch_size)

    def _both_ways(self, *numbers: int) -> int:
        spared = self.spared.forward(*numbers) if self.spared else 0
        return FORWARD_AND_BACKWARD * self.forward(*numbers) - spared


def matmul_rate(device: torch.device, precision: str, *, again: bool = False) -> float:
    """Measures how fast a device multiplies matrices, in FLOPs a second; takes under a second.

    The best of square products of growing size, each repeated. It is measured once a process.

    Args:
        device: the CPU (with as many threads as PyTorch uses) or a GPU.
        precision: "fp32", "bf16" or "fp16".
        again: whether to measure once more, and keep the better. A core that slept, or that others
            used, is slower at first than a run that keeps it busy finds it.
    """
    which = device, precision, torch.get_num_threads()
    if again or which not in _rates:
        _rates[which] = max(_rates.get(which, 0.0), _measured_rate(device, precision))
    return _rates[which]


def _measured_rate(device: torch.device, precision: str) -> float:
    sizes = _GPU_SIZES if device.type == "cuda" else _CPU_SIZES
    repeats = _repeats(device)
    if device.type == "cuda":
        # The first product also loads the library, and wakes the device.
        _warm_up(device, _DTYPES[precision], sizes[0])
    best, started = 0.0, time.monotonic()
    for size in sizes:
        flops = 2 * size**3
        expected = (1 + _ROUNDS) * repeats * flops / best if best else 0.0
        if time.monotonic() - started + expected > _SECONDS:
            break
        seconds = _seconds_of_product(device, _DTYPES[precision], size)
        best = max(best, flops / seconds)
    return best


def _repeats(device: torch.device) -> int:
    """Products between two looks at the clock; a GPU's are short beside waiting for it."""
    return 10 if device.type == "cuda" else 1


def _warm_up(device: torch.device, dtype: torch.dtype, size: int) -> None:
    ones = torch.ones(size, size, device=device, dtype=dtype)
    _timed(lambda: ones @ ones, device)


def _seconds_of_product(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """The fastest of some products of random matrices; the global random state stays as it was.

    They are multiplied as the model's layers do it where that is faster than PyTorch's way.
    """
    generator = torch.Generator(device).manual_seed(0)
    left, right = (
        torch.randn(size, size, generator=generator, device=device).to(dtype) for _ in range(2)
    )
    repeats = _repeats(device)
    multiply = cpu_kernels.product if cpu_kernels.fits_floats(left, right) else torch.mm

    def product() -> None:
        for _ in range(repeats):
            multiply(left, right)

    with torch.inference_mode():
        product()
        return min(_timed(product, device) for _ in range(_ROUNDS)) / repeats


def _timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return max(time.perf_counter() - started, 1e-9)


def _encoder(config: BertConfig) -> tuple[int, int]:
    """FLOPs of the encoder for each token, and for each square of a length."""
    L, D, F = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    return L * (8 * D * D + 4 * D * F), 4 * L * D


def _spared(
    model: nn.Module, config: BertConfig, heads: Mapping[str, nn.Linear]
) -> ModelFlops | None:
    """What the backward pass needs less than two products for each of the forward pass.

    Of frozen layers, which are the lowest, nothing; of what comes next no gradient of its input.
    """
    bert = next(module for module in model.modules() if isinstance(module, BertModel))
    if _is_trained(bert.embeddings):
        return None
    D, V = config.hidden_size, config.vocab_size
    num_frozen = sum(not _is_trained(layer) for layer in bert.encoder.layers)
    a_layer, a_square = (number // config.num_hidden_layers for number in _encoder(config))
    per_token, per_square = 2 * num_frozen * a_layer, 2 * num_frozen * a_square
    in_mlm = any("mlm_head" in name for name in heads)
    per_prediction = 2 * D * V if in_mlm else 0  # the gradient of the word embeddings
    per_sequence = 0
    if num_frozen < config.num_hidden_layers:
        per_token += 3 * 2 * D * D
    elif any("pooler" in name for name in heads):
        per_prediction += 2 * D * D if in_mlm else 0
        per_sequence = 2 * D * D
    elif in_mlm:
        per_prediction += 2 * D * D
    else:
        per_token += sum(2 * head.in_features * head.out_features for head in heads.values())
    return ModelFlops(per_token, per_square, per_prediction, per_sequence)


def _is_trained(part: nn.Module) -> bool:
    return any(weight.requires_grad for weight in part.parameters())


def _is_head(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and ".encoder." not in f".{name}."
