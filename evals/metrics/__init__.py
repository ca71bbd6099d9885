"""Metrics as pure functions, one file an idea; `names` maps a name such as `nDCG@10` to its function."""
