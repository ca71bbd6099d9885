"""Other frameworks' splitters and retrievers as stages, so that one command compares them with ours."""
