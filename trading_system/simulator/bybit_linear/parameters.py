"""The parameters of a request: a query, or the JSON object of a body, and each value as its text says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError

Params = Mapping[str, Any]
LISTS = frozenset({"request"})
_TRUTH = {True: True, False: False, "true": True, "false": False, "": False}


def parameters(query: str, body: str) -> Params:
    """Return what a request says; the body of a POST is JSON. Raises: CodedRefusalError 10001 when it is not."""
    if not body:
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise CodedRefusalError(10001, "the body is no JSON object") from None
    return plain(said)


def plain(said: Any) -> Params:
    """Return an object whose values are texts, numbers or truths. Raises: CodedRefusalError 10001 for another one."""
    if not isinstance(said, dict):
        raise CodedRefusalError(10001, "expected an object")
    nested = [name for name, value in said.items() if isinstance(value, dict | list) and name not in LISTS]
    if nested:
        raise CodedRefusalError(10001, f"{nested[0]} invalid")
    return {name: value for name, value in said.items() if value is not None}


def text(params: Params, name: str) -> str:
    """Return a parameter as text, "" when it was not sent."""
    return str(params.get(name, ""))


def required(params: Params, name: str) -> str:
    """Return a parameter that must be there. Raises: CodedRefusalError 10001 when it is missing or empty."""
    value = text(params, name)
    if not value:
        raise CodedRefusalError(10001, f"{name} is required")
    return value


def require_linear(params: Params) -> None:
    """Raises: CodedRefusalError 10001 unless ``category`` is the one in which an account trades here."""
    if required(params, "category") != "linear":
        raise CodedRefusalError(10001, "category: linear is the only one that is traded here")


def require_one_of(params: Params, *names: str) -> None:
    """Raises: CodedRefusalError 10001 unless at least one of ``names`` was sent."""
    if not any(text(params, name) for name in names):
        raise CodedRefusalError(10001, f"one of {', '.join(names)} is required")


def flag(params: Params, name: str) -> bool:
    """Return a truth value that may come as a word. Raises: CodedRefusalError 10001."""
    value = _TRUTH.get(params.get(name, False))
    if value is None:
        raise CodedRefusalError(10001, f"{name} invalid")
    return value


def whole(params: Params, name: str) -> int | None:
    """Return a whole number, None when it was not sent. Raises: CodedRefusalError 10001 when it is none."""
    value = text(params, name)
    if not value:
        return None
    if not value.isdecimal() or len(value) > 18:
        raise CodedRefusalError(10001, f"{name} must be a whole number")
    return int(value)


def limit(params: Params, default: int, most: int) -> int:
    """Return ``limit``, held to ``most``, as the venue holds it."""
    value = whole(params, "limit")
    return default if value is None else max(1, min(value, most))


def page(params: Params, rows: list[Any], size: int) -> tuple[list[Any], str]:
    """Return the rows of the page that ``cursor`` names, and the cursor of the next one, "" behind the last."""
    start = whole(params, "cursor") or 0
    after = start + size
    return rows[start:after], str(after) if after < len(rows) else ""
