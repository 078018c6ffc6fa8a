"""Triton kernels for attention over short packed sequences; imported only where they run.

One program works out one head of one sequence: its scores fit on the chip whole, so the forward
pass saves nothing for the backward pass but its inputs, and the backward pass writes the gradients
of queries, keys and values side by side, as the projection before wants them.

Letters: S the block, at least the longest length; H the head size; N heads; T packed tokens.
"""

import triton
import triton.language as tl

from bertsmith.model.random_kernels import mix
from bertsmith.model.triton_ops import launch_options

__all__ = ["LAUNCH", "backward_kernel", "forward_kernel"]

LAUNCH = launch_options(num_warps=8)


@triton.jit
def _kept(seed_pointer, THRESHOLD: tl.constexpr, S: tl.constexpr):
    """Which probabilities dropout keeps: a function of seed, sequence, head, query and key."""
    seed = tl.load(seed_pointer).to(tl.uint32)
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    stream = mix(mix(program.to(tl.uint32)) ^ seed)
    places = tl.arange(0, S)[:, None] * S + tl.arange(0, S)[None, :]
    return mix(stream + places.to(tl.uint32)) >= THRESHOLD


@triton.jit
def _probabilities(query, key, length, scale, CAUSAL: tl.constexpr, S: tl.constexpr):
    scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    keys = tl.arange(0, S)[None, :]
    seen = keys < length
    if CAUSAL:
        seen = seen & (keys <= tl.arange(0, S)[:, None])
    scores = tl.where(seen, scores, float("-inf"))
    powers = tl.exp(scores - tl.max(scores, 1)[:, None])
    return powers / tl.sum(powers, 1)[:, None]


@triton.jit
def forward_kernel(
    query_key_value,  # [T, 3, N, H]
    output,  # [T, N, H]
    cu_seqlens,
    seed,
    keep_scale,
    scale,
    N: tl.constexpr,
    H: tl.constexpr,
    S: tl.constexpr,
    CAUSAL: tl.constexpr,
    THRESHOLD: tl.constexpr,
):
    start = tl.load(cu_seqlens + tl.program_id(0))
    length = tl.load(cu_seqlens + tl.program_id(0) + 1) - start
    rows = tl.arange(0, S)[:, None]
    columns = tl.program_id(1) * H + tl.arange(0, H)[None, :]
    places = query_key_value + (start + rows).to(tl.int64) * (3 * N * H) + columns
    is_token = rows < length
    query = tl.load(places, mask=is_token, other=0.0)
    key = tl.load(places + N * H, mask=is_token, other=0.0)
    value = tl.load(places + 2 * N * H, mask=is_token, other=0.0)
    weights = _probabilities(query, key, length, scale, CAUSAL, S)
    if THRESHOLD > 0:
        weights = tl.where(_kept(seed, THRESHOLD, S), weights * keep_scale, 0.0)
    result = tl.dot(weights.to(value.dtype), value, input_precision="ieee")
    target = output + (start + rows).to(tl.int64) * (N * H) + columns
    tl.store(target, result.to(value.dtype), mask=is_token)


@triton.jit
def backward_kernel(
    query_key_value,  # [T, 3, N, H]
    grad_output,  # [T, N, H]
    grad_query_key_value,  # [T, 3, N, H]
    cu_seqlens,
    seed,
    keep_scale,
    scale,
    N: tl.constexpr,
    H: tl.constexpr,
    S: tl.constexpr,
    CAUSAL: tl.constexpr,
    THRESHOLD: tl.constexpr,
):
    start = tl.load(cu_seqlens + tl.program_id(0))
    length = tl.load(cu_seqlens + tl.program_id(0) + 1) - start
    rows = tl.arange(0, S)[:, None]
    columns = tl.program_id(1) * H + tl.arange(0, H)[None, :]
    offsets = (start + rows).to(tl.int64) * (3 * N * H) + columns
    is_token = rows < length
    places = query_key_value + offsets
    query = tl.load(places, mask=is_token, other=0.0)
    key = tl.load(places + N * H, mask=is_token, other=0.0)
    value = tl.load(places + 2 * N * H, mask=is_token, other=0.0)
    upper = grad_output + (start + rows).to(tl.int64) * (N * H) + columns
    upper = tl.load(upper, mask=is_token, other=0.0)

    probabilities = _probabilities(query, key, length, scale, CAUSAL, S)
    weights = probabilities
    grad_weights = tl.dot(upper, tl.trans(value), input_precision="ieee")
    if THRESHOLD > 0:
        kept = _kept(seed, THRESHOLD, S)
        weights = tl.where(kept, weights * keep_scale, 0.0)
        grad_weights = tl.where(kept, grad_weights * keep_scale, 0.0)
    grad_value = tl.dot(tl.trans(weights.to(upper.dtype)), upper, input_precision="ieee")
    mean = tl.sum(probabilities * grad_weights, 1)[:, None]
    grad_scores = (probabilities * (grad_weights - mean) * scale).to(query.dtype)
    grad_query = tl.dot(grad_scores, key, input_precision="ieee")
    grad_key = tl.dot(tl.trans(grad_scores), query, input_precision="ieee")

    targets = grad_query_key_value + offsets
    tl.store(targets, grad_query.to(query.dtype), mask=is_token)
    tl.store(targets + N * H, grad_key.to(query.dtype), mask=is_token)
    tl.store(targets + 2 * N * H, grad_value.to(query.dtype), mask=is_token)
