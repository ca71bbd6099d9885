"""The report of a run: one HTML file with its figures as data, opened without a network."""
