"""An index that changes on disk is taken up, and a broken one never replaces a good one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from serving_small import DOCUMENTS, call, guarded, made, service

from rag import load
from rag.errors import ConfigError, StoreError
from rag.serving.guard import Limits
from rag.serving.live import Live
from rag.serving.server import hosts, listening, opened, token
from rag.types import Document

NEW = Document("new.txt", "The lighthouse keeper is called Ode.")


def test_a_new_generation_answers_and_the_old_one_ends_in_peace(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    live = Live("small", folder)
    assert not live.refresh()
    with live.hold() as before:
        made(folder, NEW)
        assert live.refresh()
        assert before.index.ask("harbour").context, "the generation it began with still answers"
        with live.hold() as after:
            assert after.generation == 2
            assert "new.txt" in after.index.documents
            assert after.index.pipeline is before.index.pipeline, "open models are kept"
        assert before.retired
        assert before.users == 1
    with pytest.raises(Exception, match="closed"):
        before.index.store.documents()  # type: ignore[attr-defined]


def test_a_damaged_index_leaves_the_last_good_one_in_place(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    one = service(folder)
    live = one.live(None)
    app = guarded(one, Limits(hosts=()))
    whole = (folder / "manifest.json").read_text()
    for broken in (whole[:100], "{}", whole.replace('"format": 1', '"format": 99')):
        (folder / "manifest.json").write_text(broken)
        assert not live.refresh()
        assert call(app, "GET", "/health").json()["status"] == "stale"
        answer = call(app, "POST", "/ask", json={"question": "harbour"})
        assert answer.status_code == 200
    assert str(folder) not in call(app, "GET", "/health").text
    (folder / "manifest.json").write_text(whole)
    live.refresh()
    assert call(app, "GET", "/health").json()["status"] == "ok"


def test_a_database_that_is_damaged_under_way_is_told_without_its_path(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    app = guarded(service(folder), Limits(hosts=()))
    database = folder / "documents.sqlite"
    with database.open("r+b") as file:  # in place: it is open
        file.write(b"\0" * database.stat().st_size)
    answer = call(app, "POST", "/ask", json={"question": "harbour"})
    assert answer.status_code == 503
    assert answer.json()["error"]["where"] == "index"
    assert str(folder) not in answer.text
    assert answer.headers["retry-after"]


def test_an_index_updated_twice_under_a_question_is_read_again(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    live = Live("small", folder)
    changed = Document(DOCUMENTS[0].id, DOCUMENTS[0].text + "More.\n", "The harbour", "text/markdown")
    pipe = load("lexical")
    for last in ("a", "b", "c"):
        text = changed.text + last
        pipe.index([Document(changed.id, text, changed.title, changed.media_type)], folder)
    found = live.read(lambda opened: opened.index.ask("Who dredged the harbour").context)
    assert found is not None
    assert found[0].document.text.endswith("c")


def test_questions_go_on_while_the_index_is_rebuilt_again_and_again(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    live = Live("small", folder)
    stop, problems, asked = threading.Event(), [], [0]

    def ask() -> None:
        while not stop.is_set():
            try:
                live.read(lambda opened: opened.index.ask("harbour"))
                asked[0] += 1
            except Exception as error:
                problems.append(error)
            time.sleep(0.002)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(4):
        load("lexical").index([Document("new.txt", f"The lighthouse keeper {i} is called Ode.")], folder)
        live.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
    assert asked[0] > 0
    with live.hold() as opened:
        assert opened.generation == 5


def test_what_cannot_be_opened_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        opened([str(tmp_path / "nothing")])


def test_names_of_indexes_are_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    lives = opened([str(folder), f"short={folder}"], set=["short:stages[0].k=1"])
    assert [live.name for live in lives] == ["small", "short"]
    ks = [live.read(lambda opened: opened.index.pipeline.stages[0].k) for live in lives]
    assert ks == [50, 1]
    with pytest.raises(ConfigError, match="is taken"):
        opened([str(folder), str(folder)])
    with pytest.raises(ConfigError, match="NAME=FOLDER"):
        opened([f"../x={folder}"])


def test_beyond_this_machine_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_OF_TEST", raising=False)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert token("TOKEN_OF_TEST", host, without_token=False) == ""
    with pytest.raises(ConfigError, match=r"\$TOKEN_OF_TEST must hold a token, got none"):
        token("TOKEN_OF_TEST", "0.0.0.0", without_token=False)
    assert token("TOKEN_OF_TEST", "0.0.0.0", without_token=True) == ""
    monkeypatch.setenv("TOKEN_OF_TEST", "short")
    with pytest.raises(ConfigError, match="16 ASCII"):
        token("TOKEN_OF_TEST", "127.0.0.1", without_token=False)


def test_names_a_request_may_call_the_service_by() -> None:
    assert "evil.example" not in hosts("127.0.0.1", [])
    assert "evil.example" in hosts("127.0.0.1", ["evil.example"])
    assert hosts("0.0.0.0", []) == ()
    assert hosts("127.0.0.1", ["*"]) == ()


def test_a_port_in_use_is_told() -> None:
    held = listening("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigError, match="is in use. Choose another, or 0"):
            listening("127.0.0.1", held.getsockname()[1])
    finally:
        held.close()
