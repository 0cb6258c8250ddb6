"""Reads what was written where: trading.toml, .env, the environment. What the names mean is for ``settings`` to say.

A value keeps its place, so that an error can name the file and the line.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

TOML_FILE = "trading.toml"
DOTENV_FILE = ".env"
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"^\s*([\w.\-\"' ]+?)\s*=")
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$")


class SettingsError(ValueError):
    """Settings that cannot be; the sentence is the first problem, ``problems`` holds all."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        others = len(problems) - 1
        more = f" ({others} more: run `trading-system config check`)" if others > 0 else ""
        super().__init__(problems[0] + more)


class Given(NamedTuple):
    """One value as it was written: its name there, and the place, e.g. ``trading.toml:3`` or ``environment``."""

    name: str
    value: Any
    place: str

    def problem(self, text: str) -> str:
        """Return the sentence that says what is wrong with this value."""
        return f"{self.place} {self.name}: {text}".lstrip()


def toml_values(path: Path) -> list[Given]:
    """Return every leaf of a TOML file under its dotted name, in the order of the file.

    Raises: SettingsError when the file is missing or is no TOML in UTF-8, naming the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: expected a settings file, was nothing at this path; `trading-system init` writes one"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path}: expected a settings file, was: {error.strerror}; {_readable(path)}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: expected text in UTF-8, was another encoding; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        what = _AT_LINE.sub("", str(error))
        raise SettingsError(
            f"{path}:{line}: expected TOML such as key = value, was: {what}; correct the line"
        ) from None
    lines = _lines_of(text)
    return [Given(name, value, f"{path}:{_line_of(name, lines)}") for name, value in _leaves(document)]


def _readable(path: Path) -> str:
    return "name a file" if path.is_dir() else f"make it readable with `chmod u+r {path}`"


def dotenv_values(path: Path) -> list[Given]:
    """Return every ``NAME=value`` of a .env file that says something; none when there is no such file.

    A value may stand in quotes; what follows `` #`` is a comment. Never quotes a line back: it may hold a secret.
    Raises: SettingsError when others may read the file, or for a line that is not ``NAME=value``.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected text in UTF-8, was another encoding; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{path}: expected a file of secrets, was: {error.strerror}; {_readable(path)}") from None
    if os.name == "posix" and mode & OPEN_TO_OTHERS:
        raise SettingsError(
            f"{path}: expected a file that only its owner can read (mode 600), was mode {stat.S_IMODE(mode):o}; "
            f"run `chmod 600 {path}`"
        )
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _VARIABLE.match(stripped)
        value = _unquoted(match[2]) if match else None
        if match is None or value is None:
            was = "no such line" if match is None else "a quote that does not end on the line"
            raise SettingsError(f"{path}:{number}: expected NAME=value, was {was}; correct the line")
        if value:
            found.append(Given(match[1], value, f"{path}:{number}"))
    return found


def environment_values(environment: Mapping[str, str]) -> list[Given]:
    """Return every variable that says something, in the order of their names."""
    return [Given(name, value, "environment") for name, value in sorted(environment.items()) if value]


def _unquoted(text: str) -> str | None:
    """Return a value without its quotes or its comment, or None when its quote does not end."""
    if text[:1] in {"'", '"'}:
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else None
    if text.startswith("#"):
        return ""
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _lines_of(text: str) -> dict[str, int]:
    """Return the line of every key and table. The reader of TOML keeps none; a look at each line finds them."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _bare(header[1]) + "."
            lines.setdefault(table[:-1], number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _bare(key[1]), number)
    return lines


def _line_of(name: str, lines: Mapping[str, int]) -> int:
    while name not in lines and "." in name:  # a key of an inline table stands on the line of its table
        name = name.rpartition(".")[0]
    return lines.get(name, 1)


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
