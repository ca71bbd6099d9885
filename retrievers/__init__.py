"""Query -> Hits: stages that find evidence in an index they built."""
