"""`rag index` says what its calls to language models came to."""

from __future__ import annotations

import json


def test_what_enrichment_by_a_model_spent_is_told(rag, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dull_llm.py").write_text(
        "from rag.models.llm import Reply\nfrom rag.stage import stage\n\n@stage\nclass Dull:\n    '''Says nothing.'''\n"
        "    name = property(lambda self: 'dull/1')\n    fingerprint = property(lambda self: 'dull/1@1')\n"
        "    def complete(self, messages, **settings):\n        return Reply('', 7, 0)\n"
    )
    (tmp_path / "pipe.yaml").write_text(
        "version: 1\nchunker: {use: chunkers/structure}\ngrowers:\n  - use: trees/enrich\n    fields: [keywords]\n"
        "    llm: {use: llms/cached, folder: replies, inner: {use: 'dull_llm:Dull'}}\nstages: [{use: retrievers/bm25}]\n"
    )
    (tmp_path / "note.txt").write_text("Berth B is 12 metres deep.")
    done = rag("index", "pipe.yaml", "note.txt", "--out", "made", "--allow", "dull_llm", "--json")
    assert done.code == 0
    usage = json.loads(done.out)["usage"]
    assert (usage["calls"], usage["fallbacks"], usage["tokens_in"]) == (2, 1, 14)
    assert "model calls: 2 calls" in done.err
    assert "usage" not in json.loads(rag("index", "lexical", "note.txt", "--out", "plain", "--json").out)
