"""What a caller is told when something is wrong: where, what, and what to do; never a document's text or a path."""

from __future__ import annotations

from rag.errors import MissingExtra, MissingWeights, ModelError, RagError, StageError, StoreError

__all__ = ["Problem", "told"]


class Problem(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        where: the part of the request or of the service, such as `body.question`.
        what: what is allowed and what came.
        do: what the caller can do.
        retry: seconds after which the same request may succeed; 0 for never.
    """

    def __init__(self, status: int, where: str, what: str, do: str = "", *, retry: float = 0) -> None:
        super().__init__(f"{where}: {what}" + (f" {do}" if do else ""))
        self.status, self.where, self.what, self.do, self.retry = status, where, what, do, retry

    def body(self) -> dict[str, dict[str, object]]:
        """The JSON of the answer."""
        return {
            "error": {
                "status": self.status,
                "where": self.where,
                "what": self.what,
                "do": self.do,
                "message": str(self),
            }
        }


def told(error: BaseException) -> Problem:
    """An error of the library as a problem of a request; folders and causes stay in the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StageError):
        return _of_stage(error)
    if isinstance(error, (StoreError, MissingExtra, ModelError)):
        return _lacking(error, "model")
    if isinstance(error, RagError):
        where, colon, what = str(error).partition("\n")[0].partition(": ")
        return Problem(422, where, what) if colon else Problem(422, "request", where)
    return Problem(500, "service", "failed on this request.", "Look at the log.")


def _of_stage(error: StageError) -> Problem:
    cause = error.__cause__
    where = f"{error.place} ({error.stage})"
    while isinstance(cause, StageError):
        cause = cause.__cause__
    if isinstance(cause, (StoreError, MissingExtra, ModelError)):
        return _lacking(cause, where)
    return Problem(500, where, "failed on this question.", "Look at the log.")


def _lacking(error: StoreError | MissingExtra | ModelError, where: str) -> Problem:
    """Something outside the request is not there now."""
    if isinstance(error, StoreError):
        return Problem(503, "index", "cannot be read now.", "Ask again; if it stays, look at the log.", retry=2)
    if isinstance(error, MissingExtra):
        return Problem(503, where, "a package it needs is not installed.", "Look at the log.")
    if isinstance(error, MissingWeights):
        return Problem(503, where, "the model's files are not on the server.", "Run `rag models pull` there.")
    kind = type(error).__name__
    return Problem(503, where, f"the model did not answer ({kind}).", "Ask again later.", retry=5)
