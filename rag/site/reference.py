"""The reference of a module as Markdown: signatures, fields, docstrings."""

from __future__ import annotations

import ast

from rag.site.docstring import as_markdown
from rag.site.markdown import slug
from rag.site.modules import PACKAGES, Module, Name

__all__ = ["cell", "module_page"]


def cell(text: str) -> str:
    """A text as the cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def module_page(module: Module) -> str:
    """A module's docstring and its public names, in the order of its source."""
    text = [f"# `{module.name}`\n\n{as_markdown(module.doc, level=2)}\n"]
    for one in module.names:
        text.append(f"\n## `{one.name}`\n")
        home = module.homes.get(one.name)
        if home is not None and not home[0].startswith(PACKAGES):
            text.append(f"\nFrom `{home[0]}`.\n")
        elif home is not None:
            text.append(f"\nLives in [`{home[0]}`](/reference/{home[0]}.html#{slug(home[1])}).\n")
        else:
            text.append(_name(one))
    return "".join(text)


def _name(one: Name) -> str:
    text = [f"\n```python\n{_wrapped(one.signature)}\n```\n\n{as_markdown(one.doc)}\n"] if one.signature else []
    if one.fields:
        rows = [f"| `{n}` | `{cell(t)}` | {cell(said)} |" for n, t, said in one.fields]
        text.append("\n| field | type and default | what it is |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    for member in one.members:
        text.append(f"\n### `{one.name}.{member.name}`\n\n```python\n{_wrapped(member.signature)}\n```\n\n")
        text.append(as_markdown(member.doc, level=4) + "\n")
    return "".join(text)


def _wrapped(signature: str) -> str:
    """A long signature with an argument a line."""
    if len(signature) <= 100 or "(" not in signature:
        return signature
    try:
        node = ast.parse(f"def {signature}: ...").body[0]
    except SyntaxError:
        return signature
    if not isinstance(node, ast.FunctionDef):
        return signature
    name, back = signature.partition("(")[0], f" -> {ast.unparse(node.returns)}" if node.returns else ""
    given = _arguments(node.args)
    return f"{name}(\n" + "".join(f"    {one},\n" for one in given) + f"){back}"


def _arguments(args: ast.arguments) -> list[str]:
    """Each argument as written, with the marks that divide them."""
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(args.defaults)), *args.defaults]

    def shown(arg: ast.arg, default: ast.expr | None) -> str:
        return ast.unparse(arg) + (f" = {ast.unparse(default)}" if default is not None else "")

    made = [shown(a, d) for a, d in zip(plain, defaults, strict=True)]
    if args.posonlyargs:
        made.insert(len(args.posonlyargs), "/")
    if args.vararg:
        made.append(f"*{ast.unparse(args.vararg)}")
    elif args.kwonlyargs:
        made.append("*")
    made += [shown(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return [*made, *([f"**{ast.unparse(args.kwarg)}"] if args.kwarg else [])]
