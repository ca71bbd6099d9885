"""A pipeline written down: YAML <-> stages, with errors that say file and line.

A mapping with `use: kind/name` is a stage; its other keys are that stage's settings. Nested
stages are nested mappings. Nothing is evaluated: no expressions, no loops, no branches.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rag import registry
from rag.errors import ConfigError, RagError
from rag.located import Located, place_of
from rag.located import parse as parse_text
from rag.overrides import merge, override
from rag.pipeline import Pipeline
from rag.stage import fields_of

__all__ = ["build", "dump", "load", "parse_text", "read", "rebuilt", "recipes", "spec"]

VERSION = 1
RECIPES = Path(__file__).parent / "recipes"
TOP = ("version", "description", "extends", "set", "chunker", "growers", "stages")


def recipes() -> dict[str, str]:
    """Name -> first sentence of every recipe that comes with the package."""
    found = {}
    for path in sorted(RECIPES.glob("*.yaml")):
        described = yaml.safe_load(path.read_text(encoding="utf-8")).get("description", "")
        found[path.stem] = " ".join(described.split())
    return found


def load(source: str | Path | Mapping[str, Any], *, set: Sequence[str] = (), allow: Sequence[str] = ()) -> Pipeline:  # noqa: A002 - the command line's word
    """Read a pipeline from a YAML file, a recipe's name, YAML text in a mapping's form.

    Args:
        source: a path, the name of a recipe (`rag show recipes`), or a mapping.
        set: overrides such as `stages[1].k=5` or `rerankers/mmr.k=5`; values are YAML.
        allow: modules outside the installed stages, and all below them, that `use: module:Class` may name.

    Raises:
        ConfigError: names file, line, setting, what is allowed, what came and what to do.
    """
    return build(read(source, set=set), allow=allow)


def read(source: str | Path | Mapping[str, Any], *, set: Sequence[str] = ()) -> Located:  # noqa: A002 - the command line's word
    """The values of a config with `extends` followed and overrides applied, nothing built yet."""
    located = Located(dict(source), "pipeline") if isinstance(source, Mapping) else _file(source)
    located = _extended(located, seen=())
    for change in set:
        located = override(located, change)
    return located


def _file(source: str | Path) -> Located:
    path = Path(source)
    if not path.suffix and not path.is_file():
        path = RECIPES / f"{source}.yaml"
        if not path.is_file():
            near = difflib.get_close_matches(str(source), recipes(), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"no recipe and no file {str(source)!r}.{hint} Recipes: {', '.join(recipes())}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{source}: no such file. Recipes: {', '.join(recipes())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read as UTF-8 text: {error}.") from error
    return parse_text(text, str(source) if path.parent != RECIPES else f"{path.stem}.yaml")


def _extended(located: Located, seen: tuple[str, ...]) -> Located:
    if not isinstance(located.value, dict):
        raise ConfigError(f"{located.where(())}: a config is a mapping, got a {type(located.value).__name__}.")
    for key in located.value:
        if key not in TOP:
            near = difflib.get_close_matches(str(key), TOP, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Allowed: {', '.join(TOP)}."
            raise ConfigError(f"{located.where((key,))}: {key!r}: no such key.{hint}")
    version = located.value.get("version", VERSION)
    if version != VERSION:
        raise ConfigError(
            f"{located.where(('version',))}: version: must be {VERSION}, got {version!r}. Write version: {VERSION}."
        )
    base = located.value.get("extends")
    if base is not None:
        if not isinstance(base, str):
            raise ConfigError(f"{located.where(('extends',))}: extends: must be a recipe or a file, got {base!r}.")
        nearby = Path(located.source).parent / base
        base = str(nearby) if nearby.is_file() else base
        if base in seen:
            raise ConfigError(f"{located.where(('extends',))}: extends: {' -> '.join((*seen, base))} goes in a circle.")
        located = merge(_extended(_file(base), (*seen, base)), located)
    changes = located.value.pop("set", None) or {}
    if not isinstance(changes, dict):
        raise ConfigError(f"{located.where(('set',))}: set: must be a mapping of setting: value, got {changes!r}.")
    for key, value in changes.items():
        located = override(located, f"{key}={yaml.safe_dump(value, default_flow_style=True, width=1 << 20)}")
    return located


def build(located: Located, *, allow: Sequence[str] = ()) -> Pipeline:
    """Make the stages that a config describes."""
    value = located.value
    stages = value.get("stages") or []
    growers = value.get("growers") or []
    for key, rows in (("stages", stages), ("growers", growers)):
        if not isinstance(rows, list):
            raise ConfigError(f"{located.where((key,))}: {key}: must be a list of stages, got {rows!r}.")
    built: dict[str, Any] = {
        "growers": tuple(_stage(one, ("growers", i), located, allow) for i, one in enumerate(growers)),
        "stages": tuple(_stage(one, ("stages", i), located, allow) for i, one in enumerate(stages)),
    }
    if value.get("chunker") is not None:
        built["chunker"] = _stage(value["chunker"], ("chunker",), located, allow)
    try:
        return Pipeline(**built)
    except (ConfigError, ValidationError) as error:
        message = str(error) if isinstance(error, ConfigError) else _reason(error.errors()[0], None)
        raise ConfigError(f"{located.where(('stages',))}: {message}") from error


def _stage(value: Any, path: tuple[str | int, ...], located: Located, allow: Sequence[str]) -> Any:
    where = f"{located.where(path)}: {place_of(path)}"
    if isinstance(value, str) and "/" in value:
        value = {"use": value}
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        raise ConfigError(f"{where}: must be a stage such as {{use: rerankers/mmr}}, got {value!r}.")
    use = value["use"]
    try:
        cls = _outside(use, allow) if ":" in use else registry.find(use)
    except RagError as error:
        raise type(error)(f"{located.where((*path, 'use'))}: {place_of(path)}: {error}") from error
    known = {f.name: f for f in dataclass_fields(cls) if f.init}
    settings = {}
    for key, given in value.items():
        if key == "use":
            continue
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Settings: {', '.join(known) or 'none'}."
            raise ConfigError(
                f"{located.where((*path, key))}: {place_of((*path, key))} ({use}): no such setting.{hint}"
            )
        settings[key] = _value(given, (*path, key), located, allow)
    try:
        return cls(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        inside = (*path, *(part for part in first["loc"] if isinstance(part, (int, str)) and _has(value, first["loc"])))
        at = inside if len(inside) > len(path) else (*path, *first["loc"][:1])
        more = f" ({error.error_count() - 1} more in this stage)" if error.error_count() > 1 else ""
        field = known.get(str(first["loc"][0])) if first["loc"] else None
        raise ConfigError(f"{located.where(at)}: {place_of(at)} ({use}): {_reason(first, field)}{more}") from error
    except RagError as error:
        raise type(error)(f"{located.where(path)}: {place_of(path)} ({use}): {error}") from error
    except ValueError as error:
        raise ConfigError(f"{located.where(path)}: {place_of(path)} ({use}): {error}") from error


def _has(value: Any, loc: Sequence[int | str]) -> bool:
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _value(value: Any, path: tuple[str | int, ...], located: Located, allow: Sequence[str]) -> Any:
    if isinstance(value, dict):
        if "use" in value:
            return _stage(value, path, located, allow)
        return {key: _value(one, (*path, key), located, allow) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(one, (*path, i), located, allow) for i, one in enumerate(value)]
    return value


def _outside(use: str, allow: Sequence[str]) -> Any:
    import importlib

    module, _, name = use.partition(":")
    if not any(module == one or module.startswith(f"{one}.") for one in allow):
        raise ConfigError(
            f"{use!r} is not an installed stage. Allow its module with --allow {module.partition('.')[0]}."
        )
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever a module of the user's does when it is imported, this is where it is told
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")
        raise ConfigError(
            f"{use!r}: its module cannot be imported: {what}. Mend it, or start in its folder."
        ) from error
    if not hasattr(found, "__dataclass_fields__"):
        raise ConfigError(
            f"{use!r}: no such stage class in that module. Put @stage before the class, or mend the name."
        )
    return found


def _reason(error: ErrorDetails, field: Any) -> str:
    """One finding of pydantic in this project's words: what is allowed, what came, what to do."""
    message, given = error["msg"], error["input"]
    for long, short in (
        ("Input should be ", "must be "),
        ("greater than or equal to", ">="),
        ("less than or equal to", "<="),
        ("greater than", ">"),
        ("less than", "<"),
        ("Value error, ", ""),
    ):
        message = message.replace(long, short)
    if error["type"] == "value_error":
        return message
    message += "" if "got " in message else f", got {given!r}"[:200]
    default = MISSING if field is None else getattr(field.default, "default", field.default)
    if isinstance(default, (int, float, str)):
        message += f". Drop the line to use the default, {default!r}"
    return message + "."


def spec(step: Any) -> Any:  # noqa: PLR0911 - one line a kind of value
    """A stage as plain values, every setting written out; what `dump` writes and `load` reads."""
    if isinstance(step, Pipeline):
        return {
            "version": VERSION,
            **({"chunker": spec(step.chunker)} if step.chunker is not None else {}),
            **({"growers": [spec(one) for one in step.growers]} if step.growers else {}),
            "stages": [spec(one) for one in step.stages],
        }
    if hasattr(step, "__dataclass_fields__") and not isinstance(step, type):
        settings = {name: spec(value) for name, value in fields_of(step).items()}
        return {"use": registry.name_of(type(step)), **settings}
    if isinstance(step, Mapping):
        return {str(key): spec(value) for key, value in step.items()}
    if isinstance(step, (list, tuple, set, frozenset)):
        return [spec(one) for one in (sorted(step) if isinstance(step, (set, frozenset)) else step)]
    if isinstance(step, enum.Enum):
        return step.value
    if isinstance(step, Path):
        return str(step)
    if step is None or isinstance(step, (bool, int, float, str)):
        return step
    raise ConfigError(
        f"{type(step).__name__}: cannot be written as YAML. Use a registered stage, or build it in Python."
    )


def rebuilt(step: Any) -> Any:
    """A stage written out and read back; equal to what went in."""
    written = yaml.safe_load(yaml.safe_dump(spec(step), sort_keys=False))
    return _stage(written, ("stage",), Located({"stage": written}), allow=())


def dump(pipeline: Pipeline) -> str:
    """The pipeline as YAML with every setting, so that a saved run outlives a changed default."""
    return yaml.safe_dump(spec(pipeline), sort_keys=False, allow_unicode=True, width=100)
