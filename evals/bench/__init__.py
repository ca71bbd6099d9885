"""Benchmarks: ours beside peers or a bound, in turn, in the same run."""
