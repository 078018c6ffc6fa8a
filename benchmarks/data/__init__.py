"""Benchmarks of the data engine."""
