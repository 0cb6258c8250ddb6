"""Settings as a person or an editor reads them: each key with its value and origin, a JSON schema, a first file.

What a key means and may be is for ``settings`` and ``rules.parameters`` to say. A secret shows that it is set, never
what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.json_schema import GenerateJsonSchema

from trading_system.rules.parameters import RULES, Choice, Whole
from trading_system.secret import HIDDEN
from trading_system.settings import (
    DETECTION_GROUPS,
    Loaded,
    Settings,
    detection_keys,
    secret_keys,
    setting_keys,
    variable_of,
)

DEFAULT = "default"
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s]*):([^/@\s]*)@")


class _WithoutSecrets(GenerateJsonSchema):
    # A secret has no default to show, and is taken out of the schema anyway.
    ignored_warning_kinds = {"non-serializable-default"}  # noqa: RUF012


class Shown(NamedTuple):
    """One setting: its key, its value and where that comes from."""

    key: str
    value: Any
    origin: str


def shown_settings(loaded: Loaded) -> list[Shown]:
    """Return every setting in the order of the table, detectors and secrets behind it."""
    rows = []
    for key in setting_keys():
        group, _, name = key.partition(".")
        holder = getattr(loaded.settings, group)
        rows.append(_row(loaded, key, getattr(holder, name) if name else holder))
    for key, default in detection_keys().items():
        rows.append(_row(loaded, key, loaded.settings.detection.get(key, default)))
    rows += [_row(loaded, key, HIDDEN if getattr(loaded.settings, key) else "") for key in secret_keys()]
    return rows


def schema() -> dict[str, Any]:
    """Return the JSON schema of trading.toml, for editors that complete and check it."""
    made = Settings.model_json_schema(by_alias=False, schema_generator=_WithoutSecrets)
    properties = made["properties"]
    for key in ("detection", *secret_keys()):
        properties.pop(key, None)
    for group in DETECTION_GROUPS:
        members = {key.partition(".")[2]: _limits(key) for key in detection_keys() if key.startswith(f"{group}.")}
        properties[group] = {"type": "object", "additionalProperties": False, "properties": members}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "trading.toml"}


def first_file() -> str:
    """Return the text of a trading.toml that sets nothing: every setting as a comment with its default and meaning."""
    lines = [
        "# Settings of trading-system. Each line shows a default: take its # away and change the value.",
        "# Secrets do not belong here; they are in .env. `trading-system config check` reads this file and says",
        "# what is wrong; `trading-system config show --origin` says which value counts and where it comes from.",
        "",
    ]
    table = ""
    for key, (default, meaning) in setting_keys().items():
        table = _open_table(lines, key, table)
        lines.append(f"# {key.rpartition('.')[2]} = {_toml(default)}  # {meaning}")
    for key, default in detection_keys().items():
        table = _open_table(lines, key, table)
        lines.append(f"# {key.partition('.')[2]} = {_toml(default)}  # {_allowed(key)}")
    return "\n".join(lines) + "\n"


def first_dotenv() -> str:
    """Return the text of a .env that holds no secret yet."""
    lines = [
        "# Secrets. Only you may read this file (chmod 600). Never commit it, and never send a key to anybody.",
        "# A key for trading must never be allowed to withdraw. What is empty says nothing.",
    ]
    for key, meaning in secret_keys().items():
        lines += ["", f"# {meaning}", f"{variable_of(key)}="]
    return "\n".join(lines) + "\n"


def without_password(text: str) -> str:
    """Return a text with the password of every URL in it hidden."""
    return _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", text)


def _row(loaded: Loaded, key: str, value: Any) -> Shown:
    one = loaded.given.get(key)
    if one is None:
        origin = DEFAULT
    elif one.place == "environment":
        origin = f"environment {one.name}"
    else:
        origin = one.place or one.name
    if isinstance(value, Path):
        value = str(value)
    return Shown(key, without_password(value) if isinstance(value, str) else value, origin)


def _limits(key: str) -> dict[str, Any]:
    rule = RULES[key]
    if isinstance(rule, Choice):
        return {"enum": [word.name.lower() for word in rule.words], "default": rule.default.name.lower()}
    kind = "integer" if isinstance(rule, Whole) else "number"
    return {"type": kind, "minimum": rule.least, "maximum": rule.most, "default": rule.default}


def _allowed(key: str) -> str:
    rule = RULES[key]
    if isinstance(rule, Choice):
        return " or ".join(word.name.lower() for word in rule.words)
    return f"{rule.least} to {rule.most}"


def _open_table(lines: list[str], key: str, table: str) -> str:
    group = key.partition(".")[0] if "." in key else ""
    if group != table:
        lines += ["", f"[{group}]"]
    return group


def _toml(value: Any) -> str:
    if isinstance(value, IntEnum):
        return json.dumps(value.name.lower())
    if isinstance(value, Path):
        return json.dumps(str(value))
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps(value)


def as_json(rows: list[Shown], *, origin: bool) -> Mapping[str, Any]:
    """Return rows as one object: key to value, or to value and origin."""
    return {row.key: {"value": row.value, "origin": row.origin} if origin else row.value for row in rows}
