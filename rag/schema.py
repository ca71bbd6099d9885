"""JSON Schema of the configs that the installed stages allow, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from rag import registry
from rag.config import VERSION

__all__ = ["json_schema"]

ANY_STAGE = {"$ref": "#/$defs/stage"}
MARK = {"x-stage": True}  # stands for ANY_STAGE while pydantic resolves its own references


class _Settings(GenerateJsonSchema):
    """A stage's settings; a field that holds another stage refers to any stage."""

    def is_instance_schema(self, schema: CoreSchema) -> JsonSchemaValue:
        return dict(MARK)

    def callable_schema(self, schema: CoreSchema) -> JsonSchemaValue:
        return dict(MARK)

    def encode_default(self, dft: Any) -> Any:
        from rag.config import spec

        return spec(dft)


def json_schema() -> dict[str, Any]:
    """Draft 2020-12 schema of a pipeline file, listing every installed stage and setting."""
    stages: dict[str, dict[str, Any]] = {}
    for kind in registry.KINDS:
        for name in registry.names(kind):
            use = f"{kind}/{name}"
            stages[use] = _one(use, registry.find(use))
    kinds = {
        kind: [{"$ref": f"#/$defs/{_id(use)}"} for use in stages if use.startswith(f"{kind}/")]
        for kind in registry.KINDS
    }
    defs = {_id(use): made for use, made in stages.items()}
    defs["stage"] = {"anyOf": [one for refs in kinds.values() for one in refs]}
    row = [ref for kind in ("retrievers", "rerankers", "compressors", "readers") for ref in kinds[kind]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ragtree pipeline",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": VERSION},
            "description": {"type": "string"},
            "extends": {"type": "string", "description": "a recipe or a file this one is laid over"},
            "set": {"type": "object", "description": "settings of the extended config to change, by path"},
            "chunker": {"anyOf": kinds["chunkers"]},
            "growers": {"type": "array", "items": {"anyOf": kinds["trees"]} if kinds["trees"] else ANY_STAGE},
            "stages": {"type": "array", "items": {"anyOf": row}},
        },
        "$defs": defs,
    }


def _id(use: str) -> str:
    return use.replace("/", ".")


def _marked(value: Any) -> Any:
    """The same schema with every mark turned into the reference it stands for."""
    if isinstance(value, dict):
        plain = {key: _marked(one) for key, one in value.items() if key != "x-stage"}
        return plain | ANY_STAGE if "x-stage" in value else plain
    return [_marked(one) for one in value] if isinstance(value, list) else value


def _inlined(value: Any, defs: dict[str, Any]) -> Any:
    """The schema without definitions of its own: a stage in a field of its type is any stage, others are put in."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).removeprefix("#/$defs/")
        if name in defs:
            meant = dict(MARK) if defs[name].get("type") == "object" else _inlined(defs[name], defs)
            return {key: one for key, one in value.items() if key != "$ref"} | meant
        return {key: _inlined(one, defs) for key, one in value.items()}
    return [_inlined(one, defs) for one in value] if isinstance(value, list) else value


def _one(use: str, cls: Any) -> dict[str, Any]:
    raw = TypeAdapter(cls).json_schema(schema_generator=_Settings)
    made: dict[str, Any] = _marked(_inlined(raw, raw.pop("$defs", {})))
    made["title"] = use
    made["description"] = " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())
    made["properties"] = {"use": {"const": use}, **made.get("properties", {})}
    made["required"] = ["use", *made.get("required", [])]
    made["additionalProperties"] = False
    return made
