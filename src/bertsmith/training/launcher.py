"""The command that starts the processes of a run."""

__all__ = ["launcher"]

_GPUS_IN_A_MACHINE = 8


def launcher(num_processes: int) -> str:
    """What stands before the name of a command that several processes do together.

    Args:
        num_processes: one for each GPU; machines of eight, where there are more.

    Example:
        >>> launcher(1), launcher(4)
        ('bertsmith', 'torchrun --standalone --nproc-per-node 4 -m bertsmith')
    """
    if num_processes == 1:
        return "bertsmith"
    machines = num_processes // _GPUS_IN_A_MACHINE
    if machines < 2 or num_processes % _GPUS_IN_A_MACHINE:
        return f"torchrun --standalone --nproc-per-node {num_processes} -m bertsmith"
    return (
        f"torchrun --nnodes {machines} --nproc-per-node {_GPUS_IN_A_MACHINE} "
        "--rdzv-backend c10d --rdzv-endpoint node0:29500 --rdzv-id bertsmith -m bertsmith"
    )
