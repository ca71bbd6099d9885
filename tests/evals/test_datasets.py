import json

import pytest

from evals.check import validate
from evals.datasets import load
from rag.errors import DataError
from rag.types import Span

TEXT = "Ann signs the lease. Bob pays the rent."


def write(folder, **files):
    base = {
        "corpus.jsonl": [{"_id": "d1", "title": "Lease", "text": TEXT}, {"id": "d2", "text": "Nothing here."}],
        "queries.jsonl": [{"_id": "q1", "text": "Who signs?", "answers": ["Ann"]}, {"id": "q2", "text": "Who sings?"}],
        "qrels.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
        "spans.jsonl": [{"query_id": "q1", "doc_id": "d1", "start": 0, "end": 20, "text": TEXT[:20]}],
    }
    for name, content in {**base, **{k.replace("__", "."): v for k, v in files.items()}}.items():
        if content is None:
            continue
        body = content if isinstance(content, (str, bytes)) else "".join(json.dumps(r) + "\n" for r in content)
        path = folder / name
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return folder


def test_a_folder_is_read_with_its_gold(tmp_path):
    data = load(write(tmp_path))
    assert [i.id for i in data.items] == ["q1", "q2"]
    assert data.items[0].spans == (Span("d1", 0, 20),)
    assert data.items[0].qrels == {"d1": 1}
    assert data.has == {"qrels", "spans", "answers"}
    assert data.text("d1") == TEXT
    assert data.text("nowhere") == ""
    assert not data.problems


def test_a_question_with_nothing_relevant_is_unanswerable(tmp_path):
    assert [i.answerable for i in load(write(tmp_path)).items] == [True, False]


def test_answerable_is_unknown_without_any_gold_and_can_be_said(tmp_path):
    queries = [{"id": "a", "text": "?"}, {"id": "b", "text": "?", "answerable": False}]
    data = load(write(tmp_path, queries__jsonl=queries, qrels__tsv=None, spans__jsonl=None))
    assert [i.answerable for i in data.items] == [None, False]
    assert data.has == frozenset()


def test_scope_history_and_filters_reach_the_query(tmp_path):
    row = {
        "id": "q",
        "text": "And then?",
        "scope": ["d1"],
        "filters": {"year": 2020},
        "history": [{"role": "user", "text": "Who signs?"}, "Ann"],
    }
    query = load(write(tmp_path, queries__jsonl=[row])).items[0].query(budget=64)
    assert query.scope == ("d1",)
    assert query.history == ("user: Who signs?", "Ann")
    assert (query.filters, query.budget) == ({"year": 2020}, 64)


@pytest.mark.parametrize(
    "form", ["q1 0 d1 2\n", "query-id corpus-id score\nq1 d1 2\n", "\ufeffquery-id\tcorpus-id\tscore\r\nq1\td1\t2\r\n"]
)
def test_judgements_are_read_in_beir_and_trec_form(tmp_path, form):
    assert load(write(tmp_path, qrels__tsv=form)).items[0].qrels == {"d1": 2}


def test_judgements_are_found_in_their_folder(tmp_path):
    write(tmp_path, qrels__tsv=None)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\n")
    assert load(tmp_path).items[0].qrels == {"d2": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus__jsonl", b'{"id": "d", "text": "x"}\n{"id": "e", "text"\n', r"corpus.jsonl:2: is not JSON"),
        ("corpus__jsonl", b'{"id": "d", "text": "x"}\n\xff\xfe\n', r"corpus.jsonl:2: is not UTF-8"),
        ("corpus__jsonl", b'{"id": "d"}\n', r"corpus.jsonl:1: has no 'text'"),
        ("corpus__jsonl", b'{"id": ["d"], "text": "x"}\n', r"corpus.jsonl:1: 'id' must be text"),
        ("corpus__jsonl", b"[1]\n", r"corpus.jsonl:1: must be a JSON object"),
        ("corpus__jsonl", b"", r"corpus.jsonl: holds no document"),
        ("queries__jsonl", b"\n", r"queries.jsonl: holds no question"),
        (
            "queries__jsonl",
            b'{"id": "q", "text": "?", "answers": "Ann"}\n',
            r"queries.jsonl:1: 'answers' must be a list",
        ),
        ("queries__jsonl", b'{"id": "q", "text": "?", "filters": []}\n', r"queries.jsonl:1: 'filters' must be an obj"),
        ("queries__jsonl", b"[" * 100_000 + b"\n", r"queries.jsonl:1: is not JSON that can be read"),
        (
            "spans__jsonl",
            b'{"query_id": "q1", "doc_id": "d1", "start": 0.5, "end": 2}\n',
            r"spans.jsonl:1: 'start' and 'end'",
        ),
        (
            "spans__jsonl",
            b'{"query_id": "q1", "doc_id": "d1", "start": 0, "end": 2, "text": 1}\n',
            r"spans.jsonl:1: 'text'",
        ),
        ("qrels__tsv", b"query-id\tcorpus-id\tscore\nq1\td1\thigh\n", r"qrels.tsv:2: must be query-id"),
        ("qrels__tsv", b"q1\td1\t1\nq1\n", r"qrels.tsv:2: must be query-id"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, name, content, message):
    write(tmp_path, **{name: content})
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    assert any(p.kind == "line that cannot be read" for p in validate(tmp_path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"has no corpus.jsonl"):
        load(tmp_path)
    assert [p.kind for p in validate(tmp_path)] == ["missing file", "missing file"]


def test_wrong_lines_are_left_out_counted_and_named(tmp_path):
    data = load(
        write(
            tmp_path,
            corpus__jsonl=[{"id": "d1", "text": TEXT}, {"id": "d1", "text": "Again."}],
            queries__jsonl=[{"id": "q1", "text": "Who?"}, {"id": "q1", "text": "Again?"}, {"id": "q2", "text": " "}],
            qrels__tsv="h\th\th\nq1\td1\t1\nq1\td1\t2\nq1\tghost\t1\nghost\td1\t1\n",
            spans__jsonl=[
                {"query_id": "q1", "doc_id": "d1", "start": 0, "end": 3, "text": "Ann"},
                {"query_id": "q1", "doc_id": "d1", "start": 0, "end": 99},
                {"query_id": "q1", "doc_id": "d1", "start": 5, "end": 5},
                {"query_id": "q1", "doc_id": "d1", "start": 0, "end": 3, "text": "Bob"},
                {"query_id": "q1", "doc_id": "ghost", "start": 0, "end": 3},
                {"query_id": "ghost", "doc_id": "d1", "start": 0, "end": 3},
            ],
        )
    )
    assert data.counts() == {
        "empty question": 1,
        "judgement of a document that is not there": 1,
        "judgement of a question that is not there": 1,
        "second document with an id": 1,
        "second judgement of a pair": 1,
        "second question with an id": 1,
        "span does not match its evidence": 1,
        "span of a document that is not there": 1,
        "span of a question that is not there": 1,
        "span outside the text": 2,
    }
    assert data.items[0].spans == (Span("d1", 0, 3),)
    assert data.items[0].qrels == {"d1": 1, "ghost": 1}
    assert data.text("d1") == TEXT
    named = {str(p).split(":")[0] + ":" + str(p.line) for p in validate(tmp_path)}
    assert {"spans.jsonl:2", "spans.jsonl:4", "qrels.tsv:4", "corpus.jsonl:2", "queries.jsonl:2"} <= named
    assert not any(TEXT[:10] in p.detail for p in data.problems)


def test_a_sound_folder_has_no_problems(tmp_path):
    assert validate(write(tmp_path)) == []


def test_offsets_are_code_points_and_lines_end_at_line_feeds_only(tmp_path):
    text = "a\u2028b\r😀 done"
    corpus = (json.dumps({"id": "d", "text": text}, ensure_ascii=False) + "\r\n").encode()
    spans = [{"query_id": "q1", "doc_id": "d", "start": 4, "end": 5, "text": "😀"}]
    data = load(write(tmp_path, corpus__jsonl=corpus, spans__jsonl=spans, qrels__tsv=None))
    assert not data.problems
    assert data.text("d") == text


def test_the_digest_changes_with_any_file(tmp_path):
    before = load(write(tmp_path)).digest
    assert load(tmp_path).digest == before
    (tmp_path / "spans.jsonl").write_text("")
    assert load(tmp_path).digest != before
