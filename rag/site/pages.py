"""Every page of the site as Markdown: the guide, stages, recipes, metrics, commands, measurements, the reference."""

from __future__ import annotations

import importlib.resources
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import rag
from rag import config, registry
from rag.schema import json_schema
from rag.site.docstring import as_markdown, first_line
from rag.site.markdown import slug
from rag.site.modules import Module, modules
from rag.site.reference import cell, module_page

__all__ = ["GUIDE", "Page", "guide", "names_of", "pages"]

GUIDE = (  # order in the menu; a page that is not named stands behind, by its name
    "index",
    "tutorial",
    "bring_your_data",
    "choose_a_chunker",
    "when_a_tree_helps",
    "fit_a_budget",
    "context_bubble",
    "multihop",
    "multi_step",
    "guard",
    "evaluate",
    "add_a_stage",
    "run_in_batch",
    "deploy",
    "other_frameworks",
    "when_this_does_not_help",
)
ONE = {"trees": "grower", "llms": "language model"}


@dataclass(frozen=True)
class Page:
    """One page.

    Args:
        path: its place in the site, ending in .html.
        title: of the page and in the menu.
        group: heading of the menu.
        text: Markdown.
    """

    path: str
    title: str
    group: str
    text: str


def guide() -> dict[str, str]:
    """Name -> Markdown of the written pages, in the order of the menu."""
    folder = importlib.resources.files("rag") / "docs"
    found = {
        Path(one.name).stem: one.read_text(encoding="utf-8") for one in folder.iterdir() if one.name.endswith(".md")
    }
    order = [name for name in GUIDE if name in found] + sorted(set(found) - set(GUIDE))
    return {name: found[name] for name in order}


def pages(command: Any = None) -> list[Page]:
    """All pages, in the order of the menu.

    Args:
        command: the command line, as click has it; None leaves its page empty.
    """
    made = [Page(_guide_path(name), _title(text), "Guide", text) for name, text in guide().items()]
    recipes = dict(config.recipes())
    made += list(_stages(recipes))
    made += [Page(f"recipes/{name}.html", name, "Recipes", _recipe(name, does)) for name, does in recipes.items()]
    made += [_metrics(), _commands(command)]
    read = list(modules())
    made += list(_measured(read))
    made += [Page(f"reference/{m.name}.html", m.name, _shelf(m.name, read), module_page(m)) for m in read if m.names]
    return list(_with_lists(made))


def _shelf(name: str, read: Iterable[Module]) -> str:
    """The group of a module in the menu: its package, or the package inside `rag` and `evals` that holds it."""
    parts = name.split(".")
    deep = len(parts) > 2 or any(one.name.startswith(f"{name}.") for one in read)
    return "Reference: " + ".".join(parts[: 2 if deep else 1])


def _with_lists(made: Iterable[Page]) -> Iterator[Page]:
    """The pages by group, each group but the guide behind a page that lists it."""
    groups: dict[str, list[Page]] = {}
    for page in made:
        groups.setdefault(page.group, []).append(page)
    for group, inside in groups.items():
        if group != "Guide":
            rows = "\n".join(f"| [{cell(p.title)}](/{p.path}) | {cell(_says(p))} |" for p in inside)
            text = f"# {group}\n\n| page | what it is |\n| --- | --- |\n{rows}\n"
            yield Page(f"lists/{slug(group)}.html", f"All of {group.partition(': ')[2] or group.lower()}", group, text)
        yield from inside


def _says(page: Page) -> str:
    """The first sentence behind the heading; of a measurement, the heading."""
    head, _, rest = page.text.partition("\n")
    return head.removeprefix("# ") if page.group == "Measured" else first_line(rest)


def names_of(made: Iterable[Page]) -> dict[str, str]:
    """What stands between backticks -> the page it leads to."""
    found: dict[str, str] = {}
    for page in made:
        if page.path.startswith("measured/"):
            found[f"evals.reproduce.{page.title}"] = page.path
        elif page.path.startswith(("reference/", "stages/")):
            found.setdefault(page.title, page.path)
        if page.title == "rag":
            found |= {f"rag.{name}": f"{page.path}#{slug(name)}" for name in rag.__all__}
    return found


def _guide_path(name: str) -> str:
    return "index.html" if name == "index" else f"guide/{name}.html"


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ").strip()


def _stages(recipes: Mapping[str, str]) -> Iterator[Page]:
    """A page a stage: what it does, its source and departures and figures as its docstring has them, its settings."""
    defs = json_schema()["$defs"]
    users = {name: json.dumps(config.spec(config.load(name)), default=str) for name in recipes}
    for kind in registry.KINDS:
        for name in registry.names(kind):
            use = f"{kind}/{name}"
            cls = registry.find(use)
            doc = inspect.getdoc(cls) or ""
            used = [f"[{r}](/recipes/{r}.html)" for r, text in users.items() if f'"{use}"' in text]
            rows = _settings(defs[use.replace("/", ".")])
            text = [f"# `{use}`\n", f"{first_line(doc)}\n", f"A {ONE.get(kind, kind.removesuffix('s'))}."]
            text += [f" Recipes that use it: {', '.join(used)}."] if used else []
            text += ["\n\n", as_markdown(doc, level=2, skip_first=True)]
            text += ["\n\n## Settings\n\n", rows or "It has none.\n"]
            home = f"[`{cls.__module__}`](/reference/{cls.__module__}.html)"
            text += [f"\nIn YAML `{{use: {use}}}`; in Python `{cls.__name__}` of {home}.\n"]
            yield Page(f"stages/{kind}/{name}.html", use, f"Stages: {kind}", "".join(text))


def _settings(schema: Mapping[str, Any]) -> str:
    rows = ["| setting | default | allowed | what it is |", "| --- | --- | --- | --- |"]
    for name, facts in schema["properties"].items():
        if name == "use":
            continue
        default = "(needed)" if "default" not in facts else f"`{json.dumps(facts['default'], ensure_ascii=False)}`"
        rows.append(f"| `{name}` | {cell(default)} | {cell(_allowed(facts))} | {cell(facts.get('description', ''))} |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else ""


def _allowed(facts: Mapping[str, Any]) -> str:
    if "enum" in facts:
        return ", ".join(f"`{one}`" for one in facts["enum"])
    if "anyOf" in facts:
        return " or ".join(dict.fromkeys(_allowed(one) for one in facts["anyOf"]))
    if "$ref" in facts:
        return "a stage" if facts["$ref"].endswith("/stage") else "see its module"
    kind = str(facts.get("type", "any"))
    if "const" in facts:
        return f"`{facts['const']}`"
    marks = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {facts[key]:g}" for key, sign in marks.items() if key in facts)
    return f"{kind} {limits}".strip()


def _recipe(name: str, does: str) -> str:
    written = (config.RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    whole = yaml.safe_dump(config.spec(config.load(name)), sort_keys=False, allow_unicode=True, width=100)
    return (
        f"# Recipe `{name}`\n\n{does}\n\n## As written\n\n```yaml\n{written}```\n\n## With every setting\n\n"
        f"```yaml\n{whole}```\n"
    )


def _metrics() -> Page:
    from evals.metrics.names import described

    rows = [f"| `{name}` | {cell(says)} |" for name, says in described().items()]
    text = (
        "# Metrics\n\n`k` is a rank, `N` a number of tokens of context.\n\n| name | what it counts |\n| --- | --- |\n"
    )
    return Page("metrics.html", "Metrics", "Reference of names", text + "\n".join(rows) + "\n")


def _commands(whole: Any) -> Page:
    """Every command with its arguments and options, as the command line has them."""
    text = ["# Commands\n"]

    def add(command: Any, path: str) -> None:
        told = " ".join((command.help or "").split())
        text.append(f"\n## `{path}`\n\n{told}\n")
        rows = [
            f"| `{_told(p)}` | {cell(getattr(p, 'help', None) or '')} |" for p in command.params if p.name != "help"
        ]
        if rows:
            text.append("\n| argument or option | what it is |\n| --- | --- |\n" + "\n".join(rows) + "\n")
        for name, inner in sorted(getattr(command, "commands", {}).items()):
            add(inner, f"{path} {name}")

    if whole is not None:
        add(whole, "rag")
    return Page("commands.html", "Commands", "Reference of names", "".join(text))


def _told(parameter: Any) -> str:
    return ", ".join(parameter.opts) if parameter.param_type_name == "option" else str(parameter.name).upper()


def _measured(read: Iterable[Module]) -> Iterator[Page]:
    """A page a study: what it measures, its command, the pinned result."""
    docs = {m.name: m.doc for m in read}
    folder = importlib.resources.files("evals") / "expected"
    for one in sorted(folder.iterdir(), key=lambda p: p.name):
        if not one.name.endswith(".json"):
            continue
        name = Path(one.name).stem
        found = json.loads(one.read_text(encoding="utf-8"))
        doc = docs.get(f"evals.reproduce.{name}") or f"What {name} gave."
        shown = yaml.safe_dump(_rounded(found), sort_keys=False, allow_unicode=True, width=110)
        head = f"# {first_line(doc).rstrip('.')}\n\n{doc.partition(chr(10) * 2)[2]}\n\n"
        if isinstance(found, dict) and "command" in found:
            head += f"Measured with\n\n```text\n{found['command']}\n```\n\n"
        yield Page(f"measured/{name}.html", name, "Measured", f"{head}The pinned result:\n\n```yaml\n{shown}```\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {str(k): _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
