"""Records in the published forms become sound dataset folders, and what is wrong with a source is named.

The texts are this project's own, written in each set's form.
"""

from __future__ import annotations

import csv
import json

import pytest

from evals.check import validate
from evals.datasets import load
from evals.readers.formats import FORMATS, bring
from evals.readers.records import Doc, Question, SpanOf, write
from evals.readers.trec import read_run
from rag.errors import ConfigError, DataError
from rag.types import Span

CONTEXT = "Ada Lind dredged the harbour in 1904. Ada was an engineer."
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "The_harbour",
            "paragraphs": [
                {"context": "Nothing is asked of this one.", "qas": []},
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "s1",
                            "question": "Who dredged the harbour?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "Ada Lind", "answer_start": 0},
                                {"text": "Ada", "answer_start": 0},
                                {"text": "1904", "answer_start": 3},
                            ],
                        },
                        {
                            "id": "s2",
                            "question": "Who painted it?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "Ada Lind", "answer_start": 0}],
                        },
                    ],
                },
            ],
        }
    ],
}
HOTPOT = [
    {
        "_id": "h1",
        "question": "Was the engineer of Vell's harbour born in Vell?",
        "answer": "no",
        "type": "bridge",
        "context": [
            ["Vell", ["Vell is a town.", " Its harbour was dredged by Ada Lind."]],
            ["Ada", ["Ada is from Orr."]],
        ],
        "supporting_facts": [["Vell", 1], ["Ada", 0], ["Ada", 7]],
    }
]
MUSIQUE = [
    {
        "id": "2hop__1_2",
        "question": "Where is the engineer from?",
        "answer": "Orr",
        "answer_aliases": ["Orr town"],
        "answerable": True,
        "paragraphs": [
            {"idx": 0, "title": "Vell", "paragraph_text": "Dredged by Ada.", "is_supporting": True},
            {"idx": 1, "title": "Fog", "paragraph_text": "Fog is wet.", "is_supporting": False},
        ],
    },
    {
        "id": "2hop__3_4",
        "question": "Where is the baker from?",
        "answer": "Orr",
        "answer_aliases": [],
        "answerable": False,
        "paragraphs": [{"idx": 0, "title": "Fog", "paragraph_text": "Fog is wet.", "is_supporting": True}],
    },
]
QASPER = {
    "2001.1": {
        "title": "Harbours",
        "abstract": "We dredge.",
        "full_text": [
            {"section_name": "Methods", "paragraphs": ["We used a dredger.", ""]},
            {"section_name": "Methods ::: Depth", "paragraphs": ["It is 12 metres deep."]},
        ],
        "qas": [
            {
                "question": "How deep?",
                "question_id": "p1",
                "answers": [
                    {
                        "answer": {
                            "unanswerable": False,
                            "extractive_spans": ["12 metres"],
                            "yes_no": None,
                            "free_form_answer": "",
                            "evidence": ["It is 12 metres deep.", "FLOAT SELECTED: Table 1", "Not in it."],
                        }
                    }
                ],
            },
            {
                "question": "Which ship?",
                "question_id": "p2",
                "answers": [{"answer": {"unanswerable": True, "extractive_spans": [], "yes_no": None, "evidence": []}}],
            },
        ],
    }
}


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, list) and path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(one) + "\n" for one in value))
    else:
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def brought(tmp_path, name, source, **settings):
    done = bring(name, source, tmp_path / "out", **settings)
    assert validate(done.folder) == []
    return done, load(done.folder)


@pytest.mark.parametrize("key", ["_id", "id"])
def test_beir_is_read_with_the_questions_its_split_judges(tmp_path, key):
    source = tmp_path / "beir"
    put(source / "corpus.jsonl", [{key: "d1", "title": "T", "text": "one"}, {key: "d2", "text": "two"}])
    put(source / "queries.jsonl", [{key: "q1", "text": "?"}, {key: "q2", "text": "only in train"}])
    put(source / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\tghost\t1\n")
    done, data = brought(tmp_path, "beir", source)
    assert [(i.id, dict(i.qrels)) for i in data.items] == [("q1", {"d1": 2})]
    assert done.counts == {"documents": 2, "questions": 1, "judgements": 1, "spans": 0}
    assert [(p.file, p.line) for p in done.problems] == [("test.tsv", 3)]
    with pytest.raises(DataError, match=r"no qrels/dev.tsv .* Splits there: test"):
        bring("beir", source, tmp_path / "other", split="dev")


def test_squad_articles_keep_offsets_and_unanswerable_questions(tmp_path):
    done, data = brought(tmp_path, "squad", put(tmp_path / "train.json", SQUAD))
    text = data.text("The_harbour")
    assert text == f"Nothing is asked of this one.\n\n{CONTEXT}"
    first, second = data.items
    assert [text[s.start : s.end] for s in first.spans] == ["Ada Lind"]
    assert first.answers == ("Ada Lind", "Ada", "1904")
    assert (first.answerable, second.answerable, second.answers, second.spans) == (True, False, (), ())
    assert [str(p) for p in done.problems] == [
        "train.json:0: span does not match its evidence: data[0].paragraphs[1].qas[0].answers[2]: question 's1', offset 3"
    ]


def test_squad_paragraphs_can_be_the_documents(tmp_path):
    _, data = brought(tmp_path, "squad", put(tmp_path / "train.json", SQUAD), unit="paragraph")
    assert data.items[0].spans == (Span("The_harbour#1", 0, 8),)


@pytest.mark.parametrize("name", ["hotpotqa", "2wiki"])
def test_hotpotqa_supporting_sentences_are_spans(tmp_path, name):
    done, data = brought(tmp_path, name, put(tmp_path / "h.json", HOTPOT))
    item = data.items[0]
    assert [data.text(s.doc)[s.start : s.end] for s in item.spans] == [
        "Its harbour was dredged by Ada Lind.",
        "Ada is from Orr.",
    ]
    assert (len(item.qrels), item.answers, item.type) == (2, ("no",), "bridge")
    assert [p.kind for p in done.problems] == ["supporting fact that is not there"]


def test_the_hubs_columns_give_the_same_dataset(tmp_path):
    row = dict(HOTPOT[0])
    row["id"] = row.pop("_id")
    row["context"] = {"title": [c[0] for c in row["context"]], "sentences": [c[1] for c in row["context"]]}
    facts = row["supporting_facts"]
    row["supporting_facts"] = {"title": [f[0] for f in facts], "sent_id": [f[1] for f in facts]}
    one = bring("hotpotqa", put(tmp_path / "h.json", HOTPOT), tmp_path / "one").folder
    other = bring("hotpotqa", put(tmp_path / "h.jsonl", [row]), tmp_path / "other").folder
    assert load(one).digest == load(other).digest


def test_musique_says_what_is_not_answerable(tmp_path):
    done, data = brought(tmp_path, "musique", put(tmp_path / "m.jsonl", MUSIQUE))
    first, second = data.items
    assert (first.answers, len(first.qrels), first.type) == (("Orr", "Orr town"), 1, "2hop")
    assert (second.answers, dict(second.qrels), second.answerable) == ((), {}, False)
    assert done.counts["documents"] == 2  # the paragraph on fog came twice


def test_qasper_evidence_is_a_slice_of_the_paper(tmp_path):
    done, data = brought(tmp_path, "qasper", put(tmp_path / "q.json", QASPER))
    text = data.text("2001.1")
    assert text == (
        "# Harbours\n\nWe dredge.\n\n## Methods\n\nWe used a dredger.\n\n### Depth\n\nIt is 12 metres deep.\n"
    )
    first, second = data.items
    assert [text[s.start : s.end] for s in first.spans] == ["It is 12 metres deep."]
    assert (first.scope, first.answers) == (("2001.1",), ("12 metres",))
    assert second.answerable is False
    assert [p.kind for p in done.problems] == ["evidence in a figure or table", "evidence that is not in the text"]


def test_flashrag_contents_are_title_and_text(tmp_path):
    source = tmp_path / "f"
    put(
        source / "corpus.jsonl",
        [{"id": "1", "contents": '"Vell"\nA town.\nBy the sea.'}, {"id": 2, "contents": "Bare."}],
    )
    put(source / "test.jsonl", [{"id": "t0", "question": "Where?", "golden_answers": ["By the sea"]}])
    _, data = brought(tmp_path, "flashrag", source)
    assert data.text("1") == "A town.\nBy the sea."
    assert data.record("1")["title"] == "Vell"
    assert data.text("2") == "Bare."
    assert data.items[0].answers == ("By the sea",)


def test_trec_topics_judgements_and_documents_are_read(tmp_path):
    source = tmp_path / "t"
    topics = "<top>\n<num> Number: 301\n<title> Harbour depth\n<desc> Description:\nmore\n</top>\n"
    put(source / "topics.txt", topics)
    put(source / "qrels.txt", "301 0 A-1 2\n301 0 A-9 1\n")
    put(source / "docs.trec", "<DOC>\n<DOCNO> A-1 </DOCNO>\n<TITLE>Vell</TITLE>\n<TEXT>\n12 metres.\n</TEXT>\n</DOC>\n")
    done, data = brought(tmp_path, "trec", source)
    assert (data.items[0].text, dict(data.items[0].qrels)) == ("Harbour depth", {"A-1": 2})
    assert data.text("A-1") == "12 metres.\n"
    assert [(p.file, p.line) for p in done.problems] == [("qrels.txt", 2)]


def test_a_run_is_in_trec_evals_order(tmp_path):
    run = put(tmp_path / "r.trec", "q1 Q0 a 1 0.5 x\nq1 Q0 b 2 0.5 x\nq1 Q0 c 3 0.9 x\n")
    assert read_run(run) == {"q1": [("c", 0.9), ("b", 0.5), ("a", 0.5)]}
    with pytest.raises(DataError, match=r"r.trec:2: second line of 'q1', 'a'"):
        read_run(put(run, "q1 Q0 a 1 0.5 x\nq1 Q0 a 2 0.4 x\n"))
    with pytest.raises(DataError, match=r"r.trec:1: the score must be finite"):
        read_run(put(run, "q1 Q0 a 1 nan x\n"))


def test_chromas_references_are_spans(tmp_path):
    source = tmp_path / "c"
    put(source / "corpora" / "vell.md", CONTEXT)
    references = [
        {"content": "Ada Lind", "start_index": 0, "end_index": 8},
        {"content": "Ada Lind", "start_index": 1, "end_index": 9},
    ]
    with (source / "questions_df.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["question", "references", "corpus_id"], ["Who?", json.dumps(references), "vell"]])
    done, data = brought(tmp_path, "chroma", source)
    assert data.items[0].spans == (Span("vell", 0, 8),)
    assert [p.kind for p in done.problems] == ["span does not match its evidence"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("squad", {"data": [{"paragraphs": [{"qas": []}]}]}, r"x.json: data\[0\].paragraphs\[0\]: has no 'context'"),
        ("squad", {"data": {}}, r"x.json: data: must be a list, got dict"),
        ("squad", [], r"x.json: the file: must be an object, got list"),
        ("squad", "{", r"x.json:1: is not JSON"),
        (
            "hotpotqa",
            [{"_id": "a", "context": [], "question": 5.5}],
            r"x.json: \[0\].question: must be text, got float",
        ),
        ("2wiki", [{"_id": "a", "context": [["T", "s"]]}], r"x.json: \[0\].context\[0\]\[1\]: must be a list, got str"),
        ("qasper", {"p": {"title": "t", "full_text": None}}, r"x.json: p.full_text: must be a list, got NoneType"),
        ("beir", "", r"x.json: has no qrels/test.tsv"),
        ("trec", "", r"must hold one file named docs\*, got none"),
        ("chroma", "", r"has no questions_df.csv"),
        ("flashrag", "", r"corpus.jsonl: is missing"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_key_and_nothing_is_left(tmp_path, name, value, message):
    source = put(tmp_path / "x.json", value)
    with pytest.raises(DataError, match=message):
        bring(name, source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json"]


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    put(tmp_path / "out" / "mine.txt", "mine")
    with pytest.raises(DataError, match="is there already"):
        bring("squad", put(tmp_path / "x.json", SQUAD), tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_unknown_formats_and_settings_are_refused_with_a_hint(tmp_path):
    with pytest.raises(ConfigError, match=r"no format 'hotpot'. Did you mean hotpotqa"):
        bring("hotpot", tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"trec: has no setting 'split'"):
        bring("trec", tmp_path, tmp_path / "out", split="dev")
    assert len(FORMATS) == 9


def test_two_texts_with_one_id_are_refused(tmp_path):
    with pytest.raises(DataError, match="document 'd': two texts have this id"):
        write([Doc("d", "one"), Doc("d", "two")], tmp_path / "out")
    with pytest.raises(DataError, match="question 'q': two questions"):
        write([Question("q", "?"), Question("q", "?")], tmp_path / "out")


def test_a_span_that_is_no_slice_never_reaches_a_folder(tmp_path):
    with pytest.raises(DataError, match="span does not match its evidence"):
        write([Doc("d", "one"), Question("q", "?"), SpanOf("q", "d", 0, 3, "two")], tmp_path / "out")
    assert not (tmp_path / "out").exists()
