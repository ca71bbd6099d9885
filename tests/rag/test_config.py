from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rag import config, registry
from rag.errors import ConfigError, UnknownStage
from rag.pipeline import Pipeline, kind_of

LEXICAL = "version: 1\nchunker: {use: chunkers/structure}\nstages:\n  - {use: retrievers/bm25, k: 10}\n"


def write(folder: Path, text: str, name: str = "pipeline.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["lexical", "quickstart", "quickstart-llm"])
def test_a_recipe_survives_being_written_out_and_read_back(name: str, tmp_path: Path) -> None:
    pipe = config.load(name)
    again = config.load(write(tmp_path, config.dump(pipe)))
    assert again == pipe
    assert config.dump(again) == config.dump(pipe)


def test_every_recipe_is_listed_with_what_it_is_for() -> None:
    assert set(config.recipes()) == {p.stem for p in config.RECIPES.glob("*.yaml")}
    assert all(config.recipes().values())


def test_yaml_and_python_give_the_same_pipeline(tmp_path: Path) -> None:
    bm25 = registry.find("retrievers/bm25")
    structure = registry.find("chunkers/structure")
    assert config.load(write(tmp_path, LEXICAL)) == Pipeline(chunker=structure(), stages=(bm25(k=10),))
    assert config.load(yaml.safe_load(LEXICAL)) == config.load("lexical", set=["stages[0].k=10"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEXICAL.replace("k: 10", "k: 0"), "pipeline.yaml:4: stages[0].k (retrievers/bm25): must be >= 1, got 0. Drop the line to use the default, 100."),
        (LEXICAL.replace("k: 10", "kk: 1"), "pipeline.yaml:4: stages[0].kk (retrievers/bm25): no such setting. Did you mean 'k'?"),
        (LEXICAL.replace("k: 10", "k: ten"), "pipeline.yaml:4: stages[0].k (retrievers/bm25): must be a valid integer"),
        (LEXICAL.replace("bm25", "bm52"), "pipeline.yaml:4: stages[0]: no stage 'retrievers/bm52'. Did you mean retrievers/bm25?"),
        (LEXICAL.replace("retrievers/bm25", "retriever/bm25"), "pipeline.yaml:4: stages[0]: no stage 'retriever/bm25'. Did you mean retrievers/bm25?"),
        (LEXICAL.replace("chunker:", "chunkr:"), "pipeline.yaml:2: 'chunkr': no such key. Did you mean 'chunker'?"),
        (LEXICAL.replace("version: 1", "version: 2"), "pipeline.yaml:1: version: must be 1, got 2."),
        (LEXICAL + "chunker: {}\n", "pipeline.yaml:5: chunker: stands here twice. Keep one."),
        ("stages: [}\n", "pipeline.yaml:1: not YAML:"),
        ("- 1\n", "pipeline.yaml:1: a config is a mapping, got a list."),
        ("stages: 3\n", "pipeline.yaml:1: stages: must be a list of stages, got 3."),
        ("stages: [3]\n", "pipeline.yaml:1: stages[0]: must be a stage such as {use: rerankers/mmr}, got 3."),
        (LEXICAL.replace("k: 10", "k: '${RAG_TEST_UNSET}'"), "pipeline.yaml:4: stages[0].k: the environment variable 'RAG_TEST_UNSET' is not set."),
        ("stages:\n  - {use: rerankers/mmr}\n", "pipeline.yaml:1: stages[0] (rerankers/mmr): must be a retriever, got a reranker"),
        ("stages:\n  - {use: 'os:system'}\n", "pipeline.yaml:2: stages[0]: 'os:system' is not an installed stage."),
        ("version: !!python/object:os.system 1\n", "pipeline.yaml:1: version: could not determine a constructor"),
    ],
)  # fmt: skip
def test_a_wrong_config_is_told_where_which_what_and_what_to_do(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_neither_recipe_nor_file_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no recipe and no file 'quickstrat'. Did you mean 'quickstart'"):
        config.load("quickstrat")
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        config.load("nowhere.yaml")


def test_variables_are_filled_in_and_may_have_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_TEST_K", "7")
    text = LEXICAL.replace("k: 10", "k: '${RAG_TEST_K}'")
    assert config.load(write(tmp_path, text)).stages[0].k == 7
    monkeypatch.delenv("RAG_TEST_K")
    text = LEXICAL.replace("k: 10", "k: '${RAG_TEST_K:-9}'")
    assert config.load(write(tmp_path, text)).stages[0].k == 9


@pytest.mark.parametrize("change", ["stages[0].k=5", "retrievers/bm25.k=5", "stages[0].k = 5"])
def test_overrides_reach_a_setting_by_place_or_by_name(change: str) -> None:
    assert config.load("lexical", set=[change]).stages[0].k == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stages[0].k", "must be path=value"),
        ("stages[7].k=1", r"there is no stages\[7\]"),
        ("rerankers/mmr.k=1", "stands in nowhere"),
        ("stages[0].k=-1", r"--set stages\[0\].k=-1: stages\[0\].k \(retrievers/bm25\): must be >= 1"),
        ("=1", "no setting is named"),
        ("stages[0]..k=1", "is not a path"),
        ("version.x=1", "must begin with chunker, growers, stages, got 'version'"),
        ("stages[0].use.x=1", "is not a stage"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load("lexical", set=[change])


def test_a_file_may_extend_a_recipe_and_set_single_values(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: lexical\nset:\n  stages[0].k: 3\n  chunker.size: 99\n")
    pipe = config.load(path)
    assert (pipe.stages[0].k, pipe.chunker.size) == (3, 99)
    child = write(tmp_path, "extends: pipeline.yaml\nchunker: {use: chunkers/sentences}\n", "child.yaml")
    assert kind_of(config.load(child).chunker) == "chunker"
    assert config.load(child).stages[0].k == 3


def test_an_error_in_the_extended_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, LEXICAL.replace("k: 10", "k: 0"), "base.yaml")
    with pytest.raises(ConfigError, match=r"base\.yaml:4: stages\[0\]\.k"):
        config.load(write(tmp_path, "extends: base.yaml\n"))


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "extends: b.yaml\n", "a.yaml")
    write(tmp_path, "extends: a.yaml\n", "b.yaml")
    with pytest.raises(ConfigError, match="goes in a circle"):
        config.load(tmp_path / "a.yaml")


def test_aliases_cannot_make_a_small_file_enormous(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 20000 values"):
        config.load(write(tmp_path, "\n".join(rows)))


def test_a_setting_that_is_a_number_keeps_its_type_in_the_written_form() -> None:
    written = yaml.safe_load(config.dump(config.load("quickstart")))
    assert written["version"] == 1
    assert all("use" in one for one in written["stages"])


def test_the_json_schema_accepts_every_recipe_and_refuses_a_wrong_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from rag.schema import json_schema

    schema = json.loads(json.dumps(json_schema()))
    for path in config.RECIPES.glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"stages": [{"use": "retrievers/bm25", "kk": 1}]}, schema)


def test_the_entry_point_table_matches_the_installed_metadata() -> None:
    import tomllib

    table = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
    for kind in registry.KINDS:
        assert sorted(table.get(f"rag.{kind}", {})) == registry.names(kind), "reinstall: pip install -e ."


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(UnknownStage, match="A name is kind/name, with kind one of"):
        registry.find("nonsense")


def test_a_folder_with_a_recipes_name_does_not_hide_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lexical").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.load("lexical") == config.load(Path(config.RECIPES) / "lexical.yaml")
