"""Bytes -> Document: loaders that keep structure as exact ranges of the text."""
