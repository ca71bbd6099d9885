"""Hits -> Hits: stages that reorder and choose evidence, inventing nothing."""
