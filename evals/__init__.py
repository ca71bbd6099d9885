"""Datasets, metrics, runs and statistics: numbers with intervals, and the stage that lost each answer."""
