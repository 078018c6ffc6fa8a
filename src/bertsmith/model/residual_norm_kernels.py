"""Triton kernels for dropout, sum and LayerNorm in one; imported only where they run.

A program takes rows in turn. Letters: T rows, D columns, W the block of columns, at least D.
"""

import triton
import triton.language as tl

from bertsmith.model.random_kernels import mix
from bertsmith.model.triton_ops import launch_options

__all__ = ["LAUNCH", "backward_kernel", "forward_kernel"]

LAUNCH = launch_options(num_warps=4)


@triton.jit
def _summed(values, residual, row, columns, inside, seed, scale, D, THRESHOLD: tl.constexpr):
    """A row of residual + dropout(values), in float32, and which values dropout kept."""
    places = row.to(tl.int64) * D + columns
    value = tl.load(values + places, mask=inside, other=0.0).to(tl.float32)
    kept = inside
    if THRESHOLD > 0:
        kept = mix((mix(row.to(tl.uint32)) ^ seed) + columns.to(tl.uint32)) >= THRESHOLD
        value = tl.where(kept, value * scale, 0.0)
    return tl.load(residual + places, mask=inside, other=0.0).to(tl.float32) + value, kept


@triton.jit
def forward_kernel(
    values,  # [T, D]
    residual,  # [T, D]
    weight,
    bias,
    output,  # [T, D]
    means,
    factors,
    seed_pointer,
    scale,
    eps,
    D: tl.constexpr,
    W: tl.constexpr,
    THRESHOLD: tl.constexpr,
):
    row = tl.program_id(0)
    columns = tl.arange(0, W)
    inside = columns < D
    seed = tl.load(seed_pointer).to(tl.uint32)
    row_values, _ = _summed(values, residual, row, columns, inside, seed, scale, D, THRESHOLD)
    mean = tl.sum(row_values, 0) / D
    centred = tl.where(inside, row_values - mean, 0.0)
    factor = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / D + eps)
    tl.store(means + row, mean)
    tl.store(factors + row, factor)
    gain = tl.load(weight + columns, mask=inside, other=0.0)
    shift = tl.load(bias + columns, mask=inside, other=0.0)
    result = centred * factor * gain + shift
    tl.store(output + row.to(tl.int64) * D + columns, result, mask=inside)


# Else the first T that isn't a multiple of 16, or is one, has a kernel compiled in midst of a run.
@triton.jit(do_not_specialize=["T"])
def backward_kernel(
    grad_output,  # [T, D]
    values,  # [T, D]
    residual,  # [T, D]
    weight,
    means,
    factors,
    grad_values,  # [T, D]
    grad_residual,  # [T, D]
    grad_weights,  # [programs, D]
    grad_biases,  # [programs, D]
    seed_pointer,
    scale,
    T,
    D: tl.constexpr,
    W: tl.constexpr,
    THRESHOLD: tl.constexpr,
):
    columns = tl.arange(0, W)
    inside = columns < D
    seed = tl.load(seed_pointer).to(tl.uint32)
    gain = tl.load(weight + columns, mask=inside, other=0.0)
    grad_weight = tl.zeros([W], dtype=tl.float32)
    grad_bias = tl.zeros([W], dtype=tl.float32)
    for turn in range(tl.cdiv(T, tl.num_programs(0))):
        row = turn * tl.num_programs(0) + tl.program_id(0)
        # Not `inside & (row < T)`: the interpreter of Triton 3.9 takes no such mask.
        here = columns < tl.where(row < T, D, 0)
        row_values, kept = _summed(values, residual, row, columns, here, seed, scale, D, THRESHOLD)
        places = row.to(tl.int64) * D + columns
        upper = tl.load(grad_output + places, mask=here, other=0.0).to(tl.float32)
        factor = tl.load(factors + row, mask=row < T, other=0.0)
        mean = tl.load(means + row, mask=row < T, other=0.0)
        normed = tl.where(here, (row_values - mean) * factor, 0.0)
        grad_weight += upper * normed
        grad_bias += upper
        scaled = upper * gain
        level = tl.sum(scaled, 0) / D
        slope = tl.sum(scaled * normed, 0) / D
        gradient = (scaled - level - normed * slope) * factor
        tl.store(grad_residual + places, gradient, mask=here)
        if THRESHOLD > 0:
            tl.store(grad_values + places, tl.where(kept, gradient * scale, 0.0), mask=here)
    sums = tl.program_id(0) * D + columns
    tl.store(grad_weights + sums, grad_weight, mask=inside)
    tl.store(grad_biases + sums, grad_bias, mask=inside)
