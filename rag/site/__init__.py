"""The documentation as a static site: pages, a reference from docstrings, a page a stage, what was measured."""
