from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag.errors import LoadError
from rag.loaders.walk import Found, Skipped, walk
from rag.types import Failed


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def ids(*paths: Path) -> list[str]:
    return [item.id for item in walk(paths) if isinstance(item, Found)]


def test_files_come_sorted_by_name_with_posix_ids(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "a/z.txt", "a/b/c.html", "C.md", "ä.md")
    assert ids(tmp_path) == ["C.md", "a/b/c.html", "a/z.txt", "b.md", "ä.md"]


def test_paths_come_in_the_order_given_and_a_file_is_called_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "x/one.md", "y/two.md")
    assert ids(tmp_path / "y" / "two.md", tmp_path / "x") == ["two.md", "one.md"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".git/config", ".secret.md", "a/.b/c.md", "a/d.md")
    assert list(walk([tmp_path])) == [Found(tmp_path / "a/d.md", "a/d.md", tmp_path)]


def test_a_missing_path_is_an_error_before_anything_is_listed(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"nowhere: no such file or folder"):
        walk([tmp_path, tmp_path / "nowhere"])


def test_pictures_in_a_folder_are_skipped_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "a.PNG", "b.md")
    assert next(iter(walk([tmp_path]))) == Skipped("a.PNG", ".png files hold no text")


def test_a_link_that_leaves_the_folder_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "outside.md", "outer/x.md", "docs/z.md")
    (tmp_path / "docs" / "a.md").symlink_to(tmp_path / "outside.md")
    (tmp_path / "docs" / "b").symlink_to(tmp_path / "outer")
    (tmp_path / "docs" / "c.md").symlink_to("../docs/../outside.md")
    found = list(walk([tmp_path / "docs"]))
    assert [type(item) for item in found] == [Failed, Failed, Failed, Found]
    assert isinstance(found[0], Failed)
    assert "a link that leaves" in str(found[0].error)


def test_links_inside_the_folder_are_followed_to_files_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "real.md", "sub/x.md")
    (tmp_path / "again.md").symlink_to("real.md")
    (tmp_path / "sub" / "up").symlink_to("..")
    (tmp_path / "gone.md").symlink_to("missing.md")
    found = list(walk([tmp_path]))
    assert [item.id for item in found] == ["again.md", "gone.md", "real.md", "sub/x.md"]
    assert "leads nowhere" in str(found[1])


def test_a_folder_that_is_itself_a_link_is_read(tmp_path: Path) -> None:
    write(tmp_path, "real/x.md")
    (tmp_path / "link").symlink_to("real")
    assert ids(tmp_path / "link") == ["x.md"]


def test_what_is_no_file_is_reported_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (item,) = walk([tmp_path])
    assert isinstance(item, Failed)
    assert "not a regular file" in str(item.error)


def test_files_of_one_name_in_several_folders_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    write(
        tmp_path, "a/__init__.py", "a/index.md", "a/one.md", "b/__init__.py", "b/index.md", "b/two.md", "c/b/index.md"
    )
    given = [tmp_path / "a", tmp_path / "b", tmp_path / "c" / "b"]
    assert ids(*given) == ["__init__.py", "index.md", "one.md", "b/__init__.py", "b/index.md", "two.md", "c/b/index.md"]
    assert ids(*given) == ids(*given)
    assert ids(tmp_path / "b") == ["__init__.py", "index.md", "two.md"]
    assert ids(tmp_path / "a" / "index.md", tmp_path / "b" / "index.md") == ["index.md", "b/index.md"]


def test_a_file_told_apart_by_its_folder_is_listed_once(tmp_path: Path) -> None:
    write(tmp_path, "a/index.md", "b/index.md")
    assert ids(tmp_path / "a", tmp_path / "b", tmp_path / "b" / "index.md", tmp_path / "b") == [
        "index.md",
        "b/index.md",
    ]


def test_a_file_given_twice_is_listed_once(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    assert ids(tmp_path / "a.md", tmp_path, tmp_path / "a.md") == ["a.md"]


def test_a_folder_with_a_corpus_is_a_dataset(tmp_path: Path) -> None:
    write(tmp_path, "set/corpus.jsonl", "set/queries.jsonl", "set/README.md", "b.md")
    assert ids(tmp_path) == ["b.md", "set/corpus.jsonl"]
    assert ids(tmp_path / "set") == ["corpus.jsonl"]


def test_a_name_that_is_no_utf_8_gets_an_id_that_can_be_written(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("x", encoding="utf-8")
    assert ids(tmp_path) == ["caf\\xe9.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "shut/x.md", "a.md")
    (tmp_path / "shut").chmod(0)
    assert [type(item) for item in walk([tmp_path])] == [Found, Failed]
    (tmp_path / "shut").chmod(0o700)
