"""What a cut costs, by what stands behind it."""

__all__ = ["PRICES"]

# The price of a cut, by what stands behind it. A segment of half the size costs 0.0375, one of a quarter 0.084.
PRICES = {
    "heading": -0.05,  # of a section too small to be one alone; other sections always begin a chunk
    "block": -0.05,
    "item": 0.1,
    "nested": 0.25,
    "sentence": 0.2,
    "glued": 0.55,  # what a line ending in a colon announces
    "line": 0.35,  # a line of a quote, of HTML, of a long list item
    "row": 1.05,
    "blank_code": 0.55,
    "code": 2.05,
    "clause": 0.35,
    "word": 0.65,
    "after_heading": 2.05,
}
