"""What the processes of a torchrun run: their group outlives them, and a thread of it is late."""

import atexit
import ctypes
import sys

late_threads = ctypes.PyDLL(None)
atexit.register(late_threads.let_go_on)  # what is registered first is called last

import torch
import torch.distributed as dist

from bertsmith.training.distributed import joined_ranks

be_late = ctypes.c_int.in_dll(late_threads, "be_late")
kept = []

with joined_ranks() as ranks:
    kept.append(dist.group.WORLD)
    ranks.mean(torch.ones(2))
    be_late.value = 1
    ranks.mean(torch.ones(2))
# In one piece, or the lines of two processes mix.
sys.stdout.write("late\n" if be_late.value == 0 else "none was late\n")
