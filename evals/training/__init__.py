"""Scripts that learn the weights the project ships."""
