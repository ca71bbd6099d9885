"""Document -> DocTree: stages that cut a document into leaves which tile its text."""
