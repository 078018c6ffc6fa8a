"""Random bits inside Triton kernels; imported only where those run."""

import triton
import triton.language as tl  # noqa: F401  # what the interpreter looks for

__all__ = ["mix"]


@triton.jit
def mix(x):
    """A bijection of 32 bits in which every input bit moves about half of the output bits.

    **Source**: C. Wellons, "Prospecting for hash functions", lowbias32.
    """
    x ^= x >> 16
    x *= 0x7FEB352D
    x ^= x >> 15
    x *= 0x846CA68B
    x ^= x >> 16
    return x
