import json
import pickle

import pytest

from rag.errors import MissingWeights, ModelError, Refused, TooLong
from rag.models.embedded import EmbeddedLLM
from rag.models.llm import Message, adapt_llm, to_llama_index

ASK = [Message("user", "The tenant is Ann. Who is the tenant? Answer in JSON.")]
SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 40},
        "sources": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["answer", "sources"],
    "additionalProperties": False,
}


def test_settings_pickle_without_opening_anything() -> None:
    llm = EmbeddedLLM(context=512)
    assert pickle.loads(pickle.dumps(llm)) == llm
    assert llm.name == "embedded/SmolLM2-135M-Instruct"
    assert llm.fingerprint.startswith(llm.name + "@")


def test_a_folder_without_a_model_is_named_in_one_line(tmp_path, monkeypatch) -> None:
    pytest.importorskip("xllamacpp")
    with pytest.raises(ModelError, match="no GGUF file in"):
        EmbeddedLLM(model=str(tmp_path)).complete(ASK)
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path / "empty"))
    with pytest.raises(MissingWeights, match="rag models pull SmolLM2-135M-Instruct"):
        EmbeddedLLM().complete(ASK)


def test_a_broken_model_file_is_a_model_error(tmp_path) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "m.gguf").write_bytes(b"GGUF nothing behind it")
    with pytest.raises(ModelError, match=r"m\.gguf cannot be opened"):
        EmbeddedLLM(model=str(tmp_path)).complete(ASK)


@pytest.mark.model
def test_a_schema_binds_the_answer() -> None:
    reply = EmbeddedLLM().complete(ASK, schema=SCHEMA, max_tokens=60)
    made = json.loads(reply.text)
    assert set(made) == {"answer", "sources"}
    assert len(made["answer"]) <= 40
    assert reply.finish == "stop"
    assert reply.tokens_in > 10
    assert reply.tokens_out > 3


@pytest.mark.model
def test_the_same_request_gives_the_same_text_whatever_came_before() -> None:
    llm = EmbeddedLLM()
    one = llm.complete(ASK, max_tokens=24, temperature=0.9, seed=5)
    llm.complete([Message("user", "Something else entirely.")], max_tokens=8)
    assert llm.complete(ASK, max_tokens=24, temperature=0.9, seed=5) == one
    assert llm.complete(ASK, max_tokens=24, temperature=0.9, seed=6).text != one.text


@pytest.mark.model
def test_log_probabilities_are_those_of_the_tokens() -> None:
    reply = EmbeddedLLM().complete(ASK, max_tokens=5, logprobs=3)
    assert "".join(p.token for p in reply.logprobs) == reply.text
    assert all(p.logprob <= 0 and len(p.top) == 3 for p in reply.logprobs)
    top = EmbeddedLLM().next_tokens("The capital of France is", top=5)
    assert top[0][0] == " Paris"
    assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)


@pytest.mark.model
def test_what_does_not_fit_and_what_is_wrong_are_told_apart() -> None:
    with pytest.raises(TooLong, match=r"the prompt has \d+ tokens, the context 256"):
        EmbeddedLLM(context=256).complete([Message("user", "word " * 400)])
    with pytest.raises(Refused):
        EmbeddedLLM().complete(ASK, schema={"type": "nonsense"}, max_tokens=4)


@pytest.mark.model
def test_it_is_a_llama_index_model_and_comes_back_as_ours() -> None:
    from llama_index.core.llms import LLM, ChatMessage

    there = to_llama_index(EmbeddedLLM(), max_tokens=8)
    assert isinstance(there, LLM)
    text = there.complete("Say hello.").text
    assert text
    assert there.chat([ChatMessage(role="user", content="Say hello.")]).message.content == text
    back = adapt_llm(there)
    assert back.complete([Message("user", "Say hello.")], max_tokens=8).text == text
