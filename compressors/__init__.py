"""Hits -> Hits: stages that shrink evidence to spans inside it, within a token budget."""
