"""Questions with verbatim evidence, made from a user's own documents."""
