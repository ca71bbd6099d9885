from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import LoadError
from rag.loaders.decode import BOMS, declared, decode

REAL = "Größe\t1 000 €\r\nсъешь ещё\u00a0этих 你好 👩‍🚀\r"


@pytest.mark.parametrize(("mark", "codec"), BOMS, ids=[codec for _, codec in BOMS])
def test_a_byte_order_mark_decides_and_stays_as_a_character(mark: bytes, codec: str) -> None:
    data = mark + REAL.encode(codec)
    text, encoding = decode(data, name="a.txt")
    assert text == "\ufeff" + REAL
    assert encoding == codec
    assert text.encode(encoding) == data


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_valid_utf_8_comes_back_unchanged(text: str) -> None:
    assert decode(text.encode(), name="a.txt").text.encode() == text.encode()


@given(text=st.text(st.characters(exclude_categories=["Cs"])), codec=st.sampled_from([c for _, c in BOMS]))
def test_a_named_encoding_gives_the_bytes_back(text: str, codec: str) -> None:
    data = text.encode(codec)
    assert decode(data, name="a.txt", encoding=codec) == (text, codec)


def test_bytes_that_are_no_utf_8_are_refused_with_the_offset_of_the_first_one() -> None:
    data = "naïve ".encode() * 3 + "caf\xe9 au lait".encode("cp1252")
    with pytest.raises(LoadError, match=r"notes\.txt: not UTF-8 \(byte 0xe9 at offset 24\).*encoding='cp1252'"):
        decode(data, name="notes.txt")
    assert decode(data[21:], name="notes.txt", encoding="windows-1252").text == "café au lait"


def test_a_charset_that_html_declares_is_used() -> None:
    page = '<html><head><META http-equiv="Content-Type" content="text/html; charset=windows-1251"></head>Привет'
    assert decode(page.encode("cp1251"), name="a.html", markup=True) == (page, "cp1251")
    xml = '<?xml version="1.0" encoding="ISO-8859-1"?><html>caf\xe9</html>'
    assert decode(xml.encode("latin-1"), name="a.html", markup=True) == (xml, "cp1252")


def test_a_stale_charset_beside_valid_utf_8_is_passed_over() -> None:
    page = '<meta charset="iso-8859-1">Größe'
    assert decode(page.encode(), name="a.html", markup=True) == (page, "utf-8")


def test_a_seven_bit_charset_is_not_taken_for_utf_8() -> None:
    page = '<meta charset="iso-2022-jp">日本語'
    assert decode(page.encode("iso2022_jp"), name="a.html", markup=True) == (page, "iso2022_jp")


def test_a_wrong_declaration_is_an_error_and_not_a_reason_to_guess() -> None:
    with pytest.raises(LoadError, match=r"declared, cp1252: byte 0x81 at offset 29"):
        decode(b'<meta charset="windows-1252">\x81', name="a.html", markup=True)
    with pytest.raises(LoadError, match="'klingon' is not a text encoding known here"):
        decode(b'<meta charset="klingon">\xff', name="a.html", markup=True)


@pytest.mark.parametrize("name", ["rot13", "hex", "zlib", "unicode_escape", "idna", "utf-7", "no such"])
def test_codecs_that_are_no_encodings_are_refused(name: str) -> None:
    with pytest.raises(LoadError, match="not a text encoding known here"):
        decode(b"abc", name="a.txt", encoding=name)


def test_a_cut_utf_16_file_is_refused() -> None:
    with pytest.raises(LoadError, match="utf-16-le: byte 0x61 at offset 4"):
        decode(codecs.BOM_UTF16_LE + b"a\0a", name="a.txt")


def test_nul_bytes_mean_no_text_unless_the_encoding_is_named() -> None:
    with pytest.raises(LoadError, match=r"a NUL byte at offset 3.*encoding='utf-16-le'"):
        decode("é".encode() + b"a\0b", name="a.txt")
    assert decode(b"a\0", name="a.txt", encoding="utf-16-le").text == "a"


def test_utf_16_without_a_byte_order_needs_its_mark() -> None:
    assert decode(codecs.BOM_UTF16_BE + b"\0a", name="a.txt", encoding="utf-16") == ("\ufeffa", "utf-16-be")
    with pytest.raises(LoadError, match="utf-16 needs a byte-order mark"):
        decode(b"\0a", name="a.txt", encoding="utf-16")


def test_the_declaration_is_looked_for_in_the_head_only() -> None:
    assert declared(b'<meta charset="koi8-r">') == "koi8-r"
    assert declared(b" " * 5000 + b'<meta charset="koi8-r">') is None
    assert declared(b'<meta charset="utf-16">') == "utf-8"
