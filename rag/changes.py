"""What a pass over the sources changes in an index: rows to add, to retire, to leave alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rag.cutting import Cut, Job, crew, cut_all
from rag.errors import LoadError, RagError
from rag.pool import Ordered
from rag.sources import Item, Listing
from rag.stage import Chunker, Grower
from rag.store.codec import document_digest, pack_document
from rag.store.database import Known, Row
from rag.types import Document, Failed

if TYPE_CHECKING:
    from rag.loaders.limits import Limits
    from rag.store.writer import Writer

__all__ = ["Changes", "Progress", "told"]

Progress = Callable[[int, int, str], None]
READING = "documents"


class Changes:
    """One pass over the sources: what is new, changed, the same, gone, broken."""

    def __init__(
        self,
        chunker: Chunker,
        growers: Sequence[Grower],
        *,
        delete: frozenset[str],
        workers: int,
        progress: Progress,
        limits: Limits | None,
    ) -> None:
        self.chunker, self.growers, self.workers = chunker, growers, workers
        self.progress, self.limits, self.delete = progress, limits, delete
        self.recut = False
        self.alike = False  # whether settings differ, if at all, in how trees are brought up to date
        self.added: list[str] = []
        self.changed: list[str] = []
        self.deleted: list[str] = []
        self.unchanged = 0
        self.failures: list[Failed] = []
        self._seen: dict[str, str] = {}  # id -> source
        self._broken: set[str] = set()  # sources of which something could not be read
        self._moved: list[tuple[int, str, str]] = []

    @property
    def _renewing(self) -> bool:
        """Whether a grower can go on from a document's tree before; not where that was made by other settings."""
        return (self.alike or not self.recut) and any(hasattr(grower, "renew") for grower in self.growers)

    @property
    def touched(self) -> bool:
        """Whether any leaf can differ from the generation before."""
        return bool(self.added or self.changed or self.deleted or self.recut)

    def read(self, writer: Writer, listed: Listing) -> None:
        """Bring the rows of the generation to come in line with the sources."""
        known, good = writer.known, 0
        for doc in sorted(self.delete - known.keys()):
            raise RagError(f"delete: no document {doc!r} among the {len(known)} of this index. Check the id.")
        with crew(self.chunker, self.growers, self.workers) as ordered:
            jobs = chain(self._new(writer, listed, ordered), self._old(writer, listed) if self.recut else ())
            for job, cut in cut_all(self.chunker, self.growers, jobs, ordered=ordered):
                good += self._take(writer, job, cut)
        if self.failures and not good and not self.unchanged:
            self._hopeless(writer)
        for doc, old in known.items():
            if doc in self.delete or self._vanished(doc, old, listed.roots):
                writer.retire(old.row)
                self.deleted.append(doc)
        for move in self._moved:
            writer.move(*move)

    def _take(self, writer: Writer, job: Job, cut: Cut | Failed) -> bool:
        """Put a tree where the one before it was; whether there is one."""
        old = writer.known.get(job.id)
        if isinstance(cut, Failed):
            self.failures.append(cut)
            if old and self.recut:  # its tree from before would not be what the settings promise
                writer.retire(old.row)
                self.deleted.append(job.id)
            return False
        if old:
            writer.retire(old.row)
        if old is None:
            self.added.append(job.id)
        elif old.digest != job.digest:
            self.changed.append(job.id)
        else:
            self.unchanged += 1
        writer.add(_row(job, cut))
        return True

    def _new(self, writer: Writer, listed: Listing, ordered: Ordered | None) -> Iterator[Job]:
        """Documents of the sources that are not in the index as they are."""
        from rag.loaders.limits import Limits

        total = listed.total
        before = {(old.root, old.source): doc for doc, old in writer.known.items() if old.source}
        for done, item in enumerate(listed.read(self.limits or Limits(), ordered or map), 1):
            self.progress(done, max(done, total), READING)
            document = item.value
            if isinstance(document, Failed):
                self._fail(item, document)
                continue
            document = _as_before(document, before.get((item.root, item.source), ""))
            if document.id in self.delete:
                continue
            if document.id in self._seen:
                self._fail(item, Failed(document.id, _twice(document.id, self._seen[document.id], item.source)))
                continue
            self._seen[document.id] = item.source
            try:
                packed = pack_document(document)
            except RagError as error:
                self._fail(item, Failed(document.id, error))
                continue
            digest = document_digest(packed)
            old = writer.known.get(document.id)
            if old and old.digest == digest and (old.root, old.source) != (item.root, item.source):
                self._moved.append((old.row, item.root, item.source))
            if old and old.digest == digest and not self.recut:
                self.unchanged += 1
                continue
            grown = writer.body(old.row)[1:] if old and self._renewing else None
            yield Job(document.id, packed, item.root, item.source, digest, grown)

    def _old(self, writer: Writer, listed: Listing) -> Iterator[Job]:
        """Documents of the index that the sources do not hold, to be cut by other settings."""
        for doc, old in writer.known.items():
            if doc not in self._seen and doc not in self.delete and not self._vanished(doc, old, listed.roots):
                _, packed, tree = writer.body(old.row)
                yield Job(doc, packed, old.root, old.source, old.digest, (packed, tree) if self._renewing else None)

    def _fail(self, item: Item, failure: Failed) -> None:
        self.failures.append(failure)
        self._broken.add(item.source)

    def _vanished(self, doc: str, old: Known, roots: frozenset[str]) -> bool:
        """Whether a document's source was given again and does not hold it any more."""
        if doc in self._seen or old.root not in roots or not old.source:
            return False
        return self._broken.isdisjoint((old.source, *map(str, PurePosixPath(old.source).parents)))

    def _hopeless(self, writer: Writer) -> None:
        if writer.manifest:
            writer.report(self.lines())
        count, first = len(self.failures), self.failures[0]
        if count == 1:
            raise RagError(f"not indexed: {first}")
        raise RagError(f"none of {count} documents could be indexed; the first, {first}")

    def lines(self) -> list[str]:
        """The lines of `failures.jsonl`."""
        return [json.dumps(told(failure), sort_keys=True) for failure in self.failures]

    def nothing(self, listed: Listing) -> str:
        """Why there is nothing to index."""
        if self.deleted:
            return f"no text would be left: {len(self.deleted)} documents are gone. Remove the index instead."
        if not listed.roots and not listed.entries:
            return "nothing to index: no file or folder was named. Name some behind the config."
        found = f"{len(listed.entries)} documents, {len(listed.skipped)} files of other kinds"
        return f"nothing to index: the sources hold no text (found {found}). Give files or folders with text."


def told(failure: Failed) -> dict[str, str]:
    """A failure as a line of `failures.jsonl`."""
    return {"id": failure.id, "error": type(failure.error).__name__, "message": str(failure.error)}


def _as_before(document: Document, called: str) -> Document:
    """The document by the id it has in the index, where folders that are given beside its own add or spare a name."""
    other = called.endswith(f"/{document.id}") or document.id.endswith(f"/{called}")
    return replace(document, id=called) if called and other else document


def _row(job: Job, cut: Cut) -> Row:
    return Row(
        id=job.id,
        root=job.root,
        source=job.source,
        digest=job.digest,
        sha256=cut.sha256,
        characters=cut.characters,
        tokens=cut.tokens,
        tokenizer=cut.tokenizer,
        metadata=cut.metadata,
        leaves=cut.leaves,
        keys=cut.keys,
        document=job.packed,
        tree=cut.tree,
    )


def _twice(doc: str, first: str, second: str) -> LoadError:
    one, two = (source or "a Document object" for source in (first, second))
    return LoadError(
        f"{two}: id {doc!r} came before, in {one}, and ids must differ. Rename one, or give the folder above both."
    )
