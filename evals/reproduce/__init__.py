"""Published numbers, measured again with our metrics; what came out is pinned in `evals/expected`."""
