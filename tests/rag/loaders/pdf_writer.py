"""Writes small, valid PDFs, so that tests know exactly what stands on which page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Line = tuple[float, float, float, str]  # x, y from the bottom, type size, text in Latin-1
PAGE = (612, 792)


def pdf(pages: Sequence[Sequence[Line]], *, title: str = "", extra: str = "") -> bytes:
    """A PDF of text lines in Helvetica; `extra` goes into the trailer."""
    objects: list[bytes] = [
        b"",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    kids = []
    for lines in pages:
        drawn = "".join(
            f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({text.translate(ESCAPES)}) Tj ET\n" for x, y, size, text in lines
        ).encode("cp1252")
        objects.append(b"<< /Length %d >>\nstream\n%sendstream" % (len(drawn), drawn))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (*PAGE, len(objects))
        )
        kids.append(len(objects))
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    objects.append(b"<< /Title (%s) >>" % title.translate(ESCAPES).encode("cp1252"))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R {extra} >>"
    out += b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer.encode(), start)
    return bytes(out)


def encrypted() -> bytes:
    """A PDF whose trailer asks for a password that is not the empty one."""
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<00> <00>]"
    return pdf([[(72, 700, 11, "secret")]], extra=lock)


def markdown(source: Path, *, size: float = 11, leading: float = 13.5) -> bytes:
    """The headings and paragraphs of a Markdown file on pages, one line of it a line."""
    pages: list[list[Line]] = [[]]
    y = 720.0
    title = ""
    for raw in source.read_text(encoding="utf-8").splitlines():
        line = raw.translate(PLAIN)
        if y < 72:
            pages.append([])
            y = 720.0
        if line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            line = line.lstrip("# ")
            title = title or line
            y -= 14
            pages[-1].append((72, y, {1: 22, 2: 20}.get(level, 15), line))
            y -= 14
        elif line.strip():
            pages[-1].append((72, y, size, line.lstrip("> ")))
        y -= leading
    return pdf(pages, title=title)


ESCAPES = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})
PLAIN = str.maketrans("“”‘’−", "\"\"''-", "`_")
