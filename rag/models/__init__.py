"""Models on this machine or behind an endpoint, and everything that stands between them and a stage."""
