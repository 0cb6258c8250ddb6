"""Finds in the source every sentence that a person may read of an error, a check or a wait, as a phrase with values.

Whatever reaches one of the SAYERS below, or is returned by one of the SPEAKERS, is followed: through names, through
functions of the same module, into both sides of a choice. What stays is the text with a name for each value.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trading_system.known_errors import known_names

PACKAGE = Path(__file__).parents[2] / "trading_system"
SAYERS = {"refuse", "problem", "fault", "Finding", "BadParameter", "in_our_language", "_say", "_of_refusals"}
SPEAKERS = {
    "known_errors.py": ("sentence_of",),
    "research/line_rows.py": ("waits_for",),
    "research/parity.py": ("sentence",),
    "venues/network_trouble.py": ("network_trouble",),
}
# What others say through us: pydantic of a setting, typer of the words of a command.
OF_OTHERS = (
    "No such option: {option}",
    "No such option: {option} (Possible options: {options})",
    "No such command {command}.",
    "No such command {command}. Did you mean {near}?",
    "Option {option} requires an argument.",
    "Option {option} does not take a value.",
    "Got unexpected extra argument(s) ({words})",
    "Missing option {option}.",
    "Missing argument {argument}.",
    "Missing command.",
    "Invalid value for {option}: {problem}",
    "Input should be {wanted}",
    "greater than {number}",
    "greater than or equal to {number}",
    "less than {number}",
    "less than or equal to {number}",
    "a multiple of {number}",
    "a finite number",
    "a valid integer, unable to parse string as an integer",
    "a valid integer, got a number with a fractional part",
    "a valid number, unable to parse string as a number",
    "a valid string",
    "a valid tuple",
    "'{first}' or '{last}'",
    "'{first}', '{second}' or '{last}'",
    "'{first}', '{second}', '{third}' or '{last}'",
)
# What the simulated exchange says on the wire is the venue's own English.
NOT_SAID = {"RefusedError"}
# Words of Python inside a value that say nothing of what it is.
OF_PYTHON = {"len", "join", "str", "repr", "max", "min", "sorted", "getattr", "float", "int", "type", "for", "in", "if"}
OF_PYTHON |= {
    "self",
    "dict",
    "fromkeys",
    "else",
    "or",
    "and",
    "is",
    "not",
    "None",
    "text_of",
    "stat",
    "S_IMODE",
    "name",
}
_WORD = re.compile(r"[A-Za-z_]\w*")
_COMMAND = re.compile(r"(make setup|apt-get|chmod|du|ls|timedatectl|trading-system|unset)( |$)")
_SPOKEN = re.compile(r"(?<![\w`/.%-])[a-z]{2,}(?![\w/.`:(=])")


class Phrase(NamedTuple):
    """A text with a name in braces for each value, and whether it must be translated: lone words may be codes."""

    text: str
    needed: bool


def phrases() -> list[Phrase]:
    """Return every phrase of the package, sorted."""
    found: set[str] = set()
    sayers = _error_names() | SAYERS
    for path in sorted(PACKAGE.rglob("*.py")):
        module = _Module(ast.parse(path.read_text(encoding="utf-8")))
        speakers = SPEAKERS.get(str(path.relative_to(PACKAGE)), ())
        for function, node in module.nodes():
            if isinstance(node, ast.Call) and _called(node) in sayers:
                for value in [*node.args, *(keyword.value for keyword in node.keywords)]:
                    found.update(module.texts(value, function))
            elif isinstance(node, ast.ClassDef) and node.name in sayers:
                for call in ast.walk(node):
                    if isinstance(call, ast.Call) and _called(call) == "__init__":
                        inside = next(one for one in ast.walk(node) if isinstance(one, ast.FunctionDef))
                        for value in call.args:
                            found.update(module.texts(value, inside))
        for name in speakers:
            found.update(module.returned(name))
    needed = {text: " " in text.strip() for text in found if _is_spoken(text) and not _COMMAND.match(text)}
    return [Phrase(text, one) for text, one in sorted({**needed, **dict.fromkeys(OF_OTHERS, True)}.items())]


def _error_names() -> set[str]:
    """Return the names of the known errors and of all that descend from them."""
    names: set[str] = set()
    waiting = [getattr(importlib.import_module(module), name) for module, name in known_names()]
    while waiting:
        error = waiting.pop()
        names.add(error.__name__)
        waiting.extend(error.__subclasses__())
    return names - NOT_SAID


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.functions = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
        self._seen: set[int] = set()

    def nodes(self) -> Iterator[tuple[ast.FunctionDef | None, ast.AST]]:
        """Yield every node with the innermost function round it."""
        waiting: list[tuple[ast.FunctionDef | None, ast.AST]] = [(None, self.tree)]
        while waiting:
            function, node = waiting.pop()
            yield function, node
            inner = node if isinstance(node, ast.FunctionDef) else function
            waiting.extend((inner, child) for child in ast.iter_child_nodes(node))

    def returned(self, name: str) -> Iterator[str]:
        """Yield the texts that a function returns, or adds to what it returns."""
        function = self.functions[name]
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from self.texts(node.value, function)
        self._seen.discard(id(function))

    def texts(self, node: ast.AST, function: ast.FunctionDef | None) -> Iterator[str]:
        """Yield the phrases that may be the value of ``node``, or a part of it."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.replace("{", "{{").replace("}", "}}")
        elif isinstance(node, ast.JoinedStr):
            yield _phrase(node)
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and part.conversion != ord("r"):
                    yield from self.texts(part.value, function)
        elif isinstance(node, ast.Name):
            yield from self._assigned(node.id, function)
        elif isinstance(node, ast.Call):
            name = _called(node)
            if name in self.functions:
                yield from self.returned(name)
            elif name != "removeprefix":
                for child in node.args:
                    yield from self.texts(child, function)
        elif isinstance(node, ast.Compare | ast.Attribute | ast.Subscript):
            return
        else:
            choice = isinstance(node, ast.IfExp)
            for child in ast.iter_child_nodes(node):
                if not (choice and child is node.test):  # type: ignore[attr-defined]
                    yield from self.texts(child, function)

    def _assigned(self, name: str, function: ast.FunctionDef | None) -> Iterator[str]:
        for scope in (function, self.tree):
            if scope is None or (id(scope), name) in self._seen:
                continue
            self._seen.add((id(scope), name))  # type: ignore[arg-type]
            inside = list(ast.walk(scope)) if scope is function else list(ast.iter_child_nodes(scope))
            for node in inside:
                if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in targets:
                        yield from self._of_target(target, node.value, name, function)
                elif isinstance(node, ast.For):
                    yield from self._of_target(node.target, node.iter, name, function)
                elif isinstance(node, ast.Call) and _called(node) == "append" and _owner(node) == name:
                    yield from self.texts(node.args[0], function)
            self._seen.discard((id(scope), name))  # type: ignore[arg-type]

    def _of_target(self, target: Any, value: ast.AST, name: str, function: ast.FunctionDef | None) -> Iterator[str]:
        if isinstance(target, ast.Name) and target.id == name:
            yield from self.texts(value, function)
        elif isinstance(target, ast.Tuple):
            places = [n for n, one in enumerate(target.elts) if isinstance(one, ast.Name) and one.id == name]
            if places and isinstance(value, ast.Tuple):
                yield from self.texts(value.elts[places[0]], function)
            elif places:
                yield from self.texts(value, function)


def _phrase(node: ast.JoinedStr) -> str:
    parts: list[str] = []
    names: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(part, ast.FormattedValue):
            name = _value_name(part.value)
            names.append(name)
            parts.append("{" + (name if names.count(name) == 1 else f"{name}_{names.count(name)}") + "}")
    return "".join(parts)


def _value_name(node: ast.expr) -> str:
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "", ast.unparse(node))
    words = [word for word in _WORD.findall(text) if word not in OF_PYTHON]
    return (words[-1] if words else "name").strip("_").lower()


def _is_spoken(text: str) -> bool:
    literal = re.sub(r"(?<!\{)\{\w+\}", "", text)
    return bool(_SPOKEN.search(literal)) and "\n" not in text and not text.startswith("trading_system.")


def _called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _owner(node: ast.Call) -> str:
    owner = getattr(node.func, "value", None)
    return owner.id if isinstance(owner, ast.Name) else ""
