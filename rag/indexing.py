"""From sources to an index: only what changed is chunked, and only new leaves are computed again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.changes import Changes, Progress, told
from rag.errors import RagError, StoreError
from rag.sources import Listing, listing
from rag.stage import Chunker, Grower, Retriever, fields_of
from rag.store.corpus import Corpus, Store
from rag.store.manifest import config_digest
from rag.store.parts import part_key
from rag.types import Document, Failed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.loaders.limits import Limits
    from rag.store.writer import Writer

__all__ = ["IndexReport", "index"]


@dataclass(frozen=True)
class IndexReport:
    """What one call of `index` did.

    Args:
        generation: of the index now.
        documents: in the index now.
        leaves: in the index now.
        tokens: of all leaves, -1 where they were not counted.
        added: ids that are new.
        changed: ids whose content changed.
        deleted: ids that are gone: named in `delete`, or vanished from a source given again.
        unchanged: number of documents in the index that are as they were.
        recut: whether other settings, models or code made every document be chunked again.
        new_leaves: leaves that the generation before did not have.
        failures: what could not be read or cut; the version indexed before, if any, is kept.
        skipped: id and reason of files that hold no text by their kind.
        published: whether there is a new generation; False when nothing had to be done.
    """

    generation: int
    documents: int
    leaves: int
    tokens: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: int = 0
    recut: bool = False
    new_leaves: int = 0
    failures: tuple[Failed, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    published: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON values; ids are counted, failures are listed."""
        plain = {name: value for name, value in vars(self).items() if not isinstance(value, tuple)}
        counts = {name: len(getattr(self, name)) for name in ("added", "changed", "deleted")}
        return {**plain, **counts, "failures": [told(f) for f in self.failures], "skipped": len(self.skipped)}

    def summary(self) -> str:
        """One line for a person."""
        now = f"{_many(self.documents, 'document')}, {_many(self.leaves, 'chunk')}"
        if not self.published:
            return f"nothing to do: {now}, unchanged"
        parts = [f"{len(getattr(self, name)):,} {name}" for name in ("added", "changed", "deleted")]
        again = ", all chunked again" if self.recut else ""
        return f"{now} ({', '.join(parts)}, {self.unchanged:,} unchanged; {_many(self.new_leaves, 'new chunk')}{again})"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def index(
    chunker: Chunker,
    growers: Sequence[Grower],
    retrievers: Sequence[Retriever],
    sources: Sequence[str | Path | Document],
    *,
    out: Path | None = None,
    base: Store | None = None,
    config: str = "",
    shape: Mapping[str, Any] | None = None,
    fingerprint: Mapping[str, str] | None = None,
    delete: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> tuple[Store, IndexReport]:
    """Load, chunk, grow and build; what is indexed already and unchanged costs only its reading.

    A document is unchanged when its text, title, media type, metadata and blocks are. One that was
    read from a path which is given again and is no longer there is deleted; documents of
    paths that are not given, and `Document` objects, stay until `delete` names them. When the
    chunker, a grower or a model is another one, every document is cut again from the text in
    the index, and leaves that come out the same are not computed again unless a model changed.

    Args:
        chunker: cuts documents into trees.
        growers: add to the trees, in order.
        retrievers: unbound; each builds its part, nested ones stand in the list themselves.
        sources: files, folders, dataset folders or `Document`s.
        out: the index folder; None keeps the index in memory.
        base: the index in memory to start from; not read where `out` is given.
        config: the resolved pipeline file, kept in the index.
        shape: what decides the trees, as JSON values; default what the stages show of themselves.
        fingerprint: identity of the models; default every `fingerprint` found in the stages.
        delete: ids to remove; they are passed over in `sources` too.
        workers: processes that chunk; the result is the same for any number.
        progress: called with (done, total, label): label "documents", then each part's key.
        limits: what one document may take.

    Returns:
        The opened index, and what was done.

    Raises:
        RagError: nothing could be read, or no text would be left; a deletion names no document.
        StoreError: the folder cannot be written; another process writes it.
        What was there before stays as it was, whatever is raised.
    """
    if out is not None:
        _apart(out, sources)
    listed = listing(sources, avoid=out, count=progress is not None)
    given = dict(fingerprint or {})
    cut_digest = _cut_digest(chunker, growers, shape, fingerprints((chunker, growers)) | given)
    tell = progress or _silent
    run = Changes(chunker, growers, delete=frozenset(delete), workers=workers, progress=tell, limits=limits)
    with _saving(out), _writer(out, base) as writer:
        before = writer.manifest
        reuse = before is not None and all(before.fingerprint.get(name) == one for name, one in given.items())
        run.recut = before is not None and before.cut_digest != cut_digest
        run.alike = before is not None and before.cut_digest.partition("-")[2] == cut_digest.partition("-")[2]
        run.read(writer, listed)
        keyed = {part_key(one): one for one in reversed(retrievers)}
        keyed = dict(reversed(keyed.items()))
        texts = {"config": config, "config_digest": config_digest(config)}
        if before and reuse and not run.touched and sorted(keyed) == sorted(before.parts):
            same = before.config == config
            store = writer.reopen() if same else writer.restate(**texts)
            writer.report(run.lines())
            return store, _report(run, listed, store, published=False, new=0)
        corpus = writer.assemble(reuse=reuse)
        if not len(corpus):
            raise RagError(run.nothing(listed))
        for key, retriever in keyed.items():
            if run.touched or not reuse or not writer.carry(key):
                retriever.build(_Watched.of(corpus, tell, key), writer.part(key, reuse=reuse))
        models = fingerprints((chunker, growers, retrievers)) | given
        store = writer.publish(**texts, cut_digest=cut_digest, fingerprint=models)
        writer.report(run.lines())
        return store, _report(run, listed, store, published=True, new=int((corpus.reuse < 0).sum()))


@dataclass(frozen=True, eq=False)
class _Watched(Corpus):
    """A corpus that tells how far a retriever has read it."""

    progress: Progress = lambda done, total, label: None
    label: str = ""

    @classmethod
    def of(cls, corpus: Corpus, progress: Progress, label: str) -> _Watched:
        """The same leaves, watched."""
        return cls(**{f.name: getattr(corpus, f.name) for f in fields(Corpus)}, progress=progress, label=label)

    def texts(self, leaves: Sequence[int] | NDArray[np.int64] | None = None, *, path: bool = False) -> Iterator[str]:
        """Text of the given leaves, one after the other."""
        total = len(self) if leaves is None else len(leaves)
        for done, text in enumerate(super().texts(leaves, path=path), 1):
            yield text
            if done % 64 == 0 or done == total:
                self.progress(done, total, self.label)


def _report(run: Changes, listed: Listing, store: Any, *, published: bool, new: int) -> IndexReport:
    """What was done."""
    counts = store.manifest.counts
    return IndexReport(
        generation=store.manifest.generation,
        documents=counts["documents"],
        leaves=counts["leaves"],
        tokens=counts["tokens"],
        added=tuple(run.added),
        changed=tuple(run.changed),
        deleted=tuple(run.deleted),
        unchanged=counts["documents"] - len(run.added) - len(run.changed),
        recut=run.recut,
        new_leaves=new,
        failures=tuple(run.failures),
        skipped=listed.skipped,
        published=published,
    )


def _apart(out: Path, sources: Sequence[str | Path | Document]) -> None:
    """An index in a folder of sources would hide them: of the index itself nothing is read."""
    for source in sources:
        if not isinstance(source, Document) and Path(source).resolve().is_relative_to(out.resolve()):
            raise StoreError(
                f"{out}: must be apart from the sources, but {str(source)!r} is in it. Name another folder."
            )


def _silent(done: int, total: int, label: str) -> None:
    """Where nobody watches."""


def _writer(out: Path | None, base: Store | None) -> Writer:
    from rag.store.memory import HeldStore, MemoryWriter
    from rag.store.write import FolderWriter

    if out is not None:
        return FolderWriter(out)
    if base is not None and not isinstance(base, HeldStore):
        raise RagError(f"base: must be an index in memory, got {type(base).__name__}. Give its folder as `out`.")
    return MemoryWriter(base)


def _saving(out: Path | None) -> AbstractContextManager[None]:
    from rag.store.disk import saving

    return nullcontext() if out is None else saving(out)


def fingerprints(step: Any) -> dict[str, str]:
    """Name -> fingerprint of every model in stages or below them."""
    found: dict[str, str] = {}
    values = step if isinstance(step, (list, tuple)) else fields_of(step).values()
    for value in values:
        if hasattr(value, "fingerprint"):
            found[str(value.name)] = str(value.fingerprint)
        elif isinstance(value, (list, tuple)) or hasattr(value, "__dataclass_fields__"):
            found |= fingerprints(value)
    return found


def _cut_digest(
    chunker: Chunker, growers: Sequence[Grower], shape: Mapping[str, Any] | None, models: Mapping[str, str]
) -> str:
    """Hex digests of what decides the trees (stages, models, the version of this code), with all settings and without.

    The second leaves out what a grower names in `refreshing`: settings of how a tree is brought up to date, under which
    another tree can be gone on from.
    """
    free = {f"growers[{i}]": frozenset(getattr(grower, "refreshing", ())) for i, grower in enumerate(growers)}
    if shape is None:
        shape = {"chunker": repr(chunker)} | {place: _told(one) for place, one in zip(free, growers, strict=True)}
    stages: dict[str, Any] = {place: made for place, made in shape.items() if not place.startswith("retrievers")}
    loose = {
        place: {name: value for name, value in made.items() if name not in free.get(place, ())}
        if isinstance(made, Mapping)
        else made
        for place, made in stages.items()
    }
    told = (json.dumps([one, models, version("ragtree")], sort_keys=True, default=repr) for one in (stages, loose))
    return "-".join(sha256(one.encode("utf-8", "surrogatepass")).hexdigest() for one in told)


def _told(grower: Grower) -> dict[str, str]:
    told = {name: repr(value) for name, value in fields_of(grower).items()}
    return {"use": type(grower).__qualname__ if told else repr(grower), **told}
