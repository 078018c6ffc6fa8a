"""What the processes of a torchrun run: their group outlives them, and a thread of it is late."""

import atexit
import ctypes
import sys

kept = []


def main():
    late_threads = ctypes.PyDLL(None)
    # What is registered first is called last: after all that importing torch registers.
    atexit.register(late_threads.let_go_on)

    import torch
    import torch.distributed as dist

    from bertsmith.training.distributed import joined_ranks

    be_late = ctypes.c_int.in_dll(late_threads, "be_late")
    with joined_ranks() as ranks:
        kept.append(dist.group.WORLD)
        ranks.mean(torch.ones(2))
        be_late.value = 1
        ranks.mean(torch.ones(2))
    # In one piece, or the lines of two processes mix.
    sys.stdout.write("late\n" if be_late.value == 0 else "none was late\n")


if __name__ == "__main__":
    main()
