"""Hits -> Answer: readers, which answer with citations or abstain."""
