"""Benchmarks of training, on a CPU and on a GPU."""
