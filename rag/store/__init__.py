"""The index folder: documents and trees in SQLite, arrays in generations, one manifest to swap."""
