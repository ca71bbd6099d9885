"""YAML read with the line of every value, so that an error can say `file:line`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from rag.errors import ConfigError

__all__ = ["Located", "parse", "place_of"]

Path = tuple[str | int, ...]
MAX_NODES = 20_000  # aliases can make a short file enormous
MAX_BYTES = 1 << 20
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class Located:
    """Plain values, and where each stands.

    Args:
        value: mappings, lists, strings, numbers, booleans, None.
        source: name of the file, for messages.
        lines: path into `value` -> `file:line`; a path that is not there takes its parent's.
    """

    value: Any
    source: str = "<config>"
    lines: Mapping[Path, str] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """`file:line`, or the file alone where no line is known."""
        for size in range(len(path), -1, -1):
            if path[:size] in self.lines:
                return self.lines[path[:size]]
        return self.source


def place_of(path: Path) -> str:
    """A path as people write it: `stages[1].scorer.model`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the file"


def parse(text: str, source: str) -> Located:
    """Read YAML with the safe constructor; keys are unique, `${NAME}` is filled in.

    `${NAME}` and `${NAME:-default}` are replaced inside string values, from the environment.

    Raises:
        ConfigError: not YAML, a key twice, an unset variable, a file or an alias that is too big.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source}: a config must be at most {MAX_BYTES} characters, got {len(text)}.")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = ' Put "${NAME}" in quotes.' if "${" in "".join(text.splitlines()[line - 1 : line]) else ""
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem or error.context}.{hint}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{source}: not YAML: {type(error).__name__}.") from error
    if node is None:
        return Located({}, source, {(): f"{source}:1"})
    lines: dict[Path, str] = {}
    loader = yaml.SafeLoader("")
    value = _value(node, (), lines, loader, source)
    return Located(value, source, lines)


def _value(node: yaml.Node, path: Path, lines: dict[Path, str], loader: yaml.SafeLoader, source: str) -> Any:
    if len(lines) > MAX_NODES:
        raise ConfigError(f"{source}: more than {MAX_NODES} values once aliases are followed. Write a smaller file.")
    if len(path) > 100:
        raise ConfigError(f"{source}: nested deeper than 100 levels.")
    lines[path] = f"{source}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            where = f"{source}:{key_node.start_mark.line + 1}"
            if key is None:
                raise ConfigError(f"{where}: {place_of(path)}: a key must be a word, got a {key_node.id}.")
            if key in found:
                raise ConfigError(f"{where}: {place_of((*path, key))}: stands here twice. Keep one.")
            found[key] = _value(value_node, (*path, key), lines, loader, source)
            lines[(*path, key)] = where
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, (*path, i), lines, loader, source) for i, one in enumerate(node.value)]
    try:
        plain = loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{lines[path]}: {place_of(path)}: {getattr(error, 'problem', error)}.") from error
    return _filled(plain, f"{lines[path]}: {place_of(path)}") if isinstance(plain, str) else plain


def _filled(text: str, where: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        found = os.environ.get(name, default)
        if found is None:
            raise ConfigError(
                f"{where}: the environment variable {name!r} is not set. Set it, or write ${{{name}:-…}}."
            )
        return found

    return VARIABLE.sub(fill, text)
