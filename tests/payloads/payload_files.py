"""The exchanges' recorded messages: where each lies, and what kind of message it is, read off its own content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

MINUTE_MS = 60_000
VENUES = ("binance_futures", "binance_spot", "bybit")


class Payload(NamedTuple):
    """One file. ``name``: its path below the payloads; ``kind``: what it is; ``lines``: a session has several."""

    name: str
    venue: str
    kind: str
    lines: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        """The message."""
        return self.lines[0]

    @property
    def said(self) -> Any:
        """What the message says, as Python's own JSON reader reads it."""
        return json.loads(self.raw)


def payloads(folder: Path) -> Iterator[Payload]:
    """Yield every file of the three exchanges in ``folder``, by name."""
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["entries"]
    asked = {entry["file"]: entry["endpoint_or_topic"] for entry in entries}
    for venue in VENUES:
        for path in sorted((folder / venue).rglob("*.*json")):
            name = path.relative_to(folder).as_posix()
            if path.suffix == ".ndjson":
                texts = path.read_text(encoding="utf-8").splitlines()
                lines = tuple(json.dumps(json.loads(text)["msg"]).encode() for text in texts)
                yield Payload(name, venue, "session", lines)
                continue
            raw = path.read_bytes()
            yield Payload(name, venue, kind_of(path.parent.name, asked[name], json.loads(raw)), (raw,))


def kind_of(folder: str, asked: str, said: Any) -> str:
    """Return what a message is: ``GET /path``, ``error CODE``, ``event``, ``topic``, ``request X``, ``answer X``."""
    if folder == "rest_error":
        return f"error {said.get('code', said.get('retCode'))}"
    if folder == "rest":
        endpoint = re.sub(r" \(.*|\?.*", "", asked)
        if not endpoint.startswith(("GET /", "POST /", "PUT /", "DELETE /")):
            return "another answer"
        return f"{endpoint} {_category(said)}" if endpoint.endswith("/market/instruments-info") else endpoint
    if folder == "ws_control":
        return _control(said)
    return _topic(said["topic"]) if "topic" in said else _event(said)


def _topic(topic: str) -> str:
    if topic.startswith("execution.fast"):
        return "topic execution.fast"
    if re.fullmatch(r"tickers\.\w+-\w+-\w+-\w", topic):
        return "topic tickers of an option"
    return f"topic {topic.rpartition('.')[0] or topic}"


def _event(said: Any) -> str:
    inner = said.get("event") or said.get("data", said)
    if "e" not in inner:
        return f"event {'bookTicker' if 'B' in inner else 'depth'} without a name"
    name, order = inner["e"], inner.get("o")
    if name == "kline":
        return f"event kline {inner['k']['i'] if inner['k']['t'] % MINUTE_MS == 0 else 'at no minute'}"
    if name == "ORDER_TRADE_UPDATE" and order["x"] == "TRADE" and "n" not in order:
        return f"event {name} without a fee"
    return f"event {name}"


def _category(said: Any) -> str:
    """Return the category of Bybit's instruments; lists of older fixtures do not name it."""
    result = said["result"]
    spot = "basePrecision" in result["list"][0].get("lotSizeFilter", {})
    return str(result.get("category", "spot" if spot else "linear"))


def _control(said: Any) -> str:
    word = said.get("op", said.get("method", ""))
    if "status" in said or ("retCode" in said and word not in {"auth", "pong"}) or "header" in said:
        return "order by socket"
    if "method" in said:
        return f"request {word}" if word in {"SUBSCRIBE", "UNSUBSCRIBE"} else "order by socket"
    if said.get("ret_msg") == "pong" or word == "pong":
        return "answer ping"
    if "success" in said or "result" in said:
        return f"answer {word or 'SUBSCRIBE'}"
    return f"request {word}"
