"""Published formats -> our dataset folder: one file a format."""
