"""DocTree -> DocTree: growers, which add levels and notes and never move a leaf."""
