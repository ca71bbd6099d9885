"""Sentences by NLTK's Punkt, from the model that the llama-index-core wheel carries; nothing is fetched.

Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection", Computational Linguistics 2006: abbreviations,
collocations and sentence starters learnt from text without labels. Here as another splitter beside `rag.sentences`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from rag.models.tokens import nltk_data_dir

__all__ = ["punkt_spans"]


def punkt_spans(text: str, language: str = "english") -> list[tuple[int, int]]:
    """Sentences of a text.

    Args:
        text: any text.
        language: name of a Punkt model.

    Returns:
        Non-empty ranges, in order, that tile the text; white space between sentences belongs to the one before,
        white space at the start of the text to the first.
    """
    if not text:
        return []
    starts = [start for start, _ in _tokenizer(language).span_tokenize(text)]
    starts = [0, *starts[1:]] if starts else [0]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


@cache
def _tokenizer(language: str) -> Any:
    from nltk.tabdata import PunktDecoder
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    folder = nltk_data_dir() / "tokenizers" / "punkt_tab" / language
    decoder, learnt = (
        PunktDecoder(),
        PunktParameters(),
    )  # opened here: nltk opens no file of others
    with (folder / "collocations.tab").open(encoding="utf-8") as file:
        learnt.collocations = set(decoder.tab2tups(file))
    with (folder / "sent_starters.txt").open(encoding="utf-8") as file:
        learnt.sent_starters = decoder.txt2set(file)
    with (folder / "abbrev_types.txt").open(encoding="utf-8") as file:
        learnt.abbrev_types = decoder.txt2set(file)
    with (folder / "ortho_context.tab").open(encoding="utf-8") as file:
        learnt.ortho_context = decoder.tab2intdict(file)
    made = PunktSentenceTokenizer()
    made._params = learnt
    return made
