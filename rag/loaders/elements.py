"""The elements of HTML by how they shape its text."""

from __future__ import annotations

__all__ = ["BLOCKS", "CELLS", "FLAT", "GROUPS", "HEADINGS", "LISTS", "RAW", "SKIPPED", "VOID"]

BLOCKS = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
            "dir",
            "div",
        ),
        *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head"),
        *(
            "header",
            "hgroup",
            "hr",
            "html",
            "legend",
            "li",
            "main",
            "menu",
            "nav",
            "ol",
            "optgroup",
            "option",
            "p",
            "pre",
        ),
        *("search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
LISTS = frozenset(("ul", "ol", "menu", "dir"))
CELLS = frozenset(("td", "th"))
GROUPS = frozenset(("thead", "tbody", "tfoot", "tr"))
FLAT = frozenset(
    ("p", "body", "dd", "dt", "head", "html", "hr", "option", "optgroup", *CELLS, *GROUPS)
)  # end where the next begins
SKIPPED = frozenset(
    ("applet", "audio", "button", "canvas", "datalist", "noscript", "object", "select", "svg", "template", "video")
)
VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
RAW = frozenset(("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"))
