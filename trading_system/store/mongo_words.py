"""How rows, heads and documents look in MongoDB, and the way back; what does not look so is refused by name.

One document a step, so that a step is inserted whole or not at all. Payloads are kept as the text that was said, byte
for byte: any program reads it as JSON, and nothing is lost in numbers or in the order of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from trading_system.contracts import ContractError, to_candle, to_step

from .errors import StoreDataError
from .port import Document, Row, Stream

Words = dict[str, Any]
"""One document of a collection."""

ROWS = "rows."  # before the name of a stream's own collection
HEADS = "heads"
DOCUMENTS = "documents"
BATCHES = "batches"
SCHEMA = "schema"

# Other programs can write to a server, so what the rooms say is held to its contract both ways; the other kinds are
# records of one room, whose own reader checks them.
_CHECKS: Mapping[str, Callable[[bytes], object]] = {"candles": to_candle, "highs_lows": to_step, "strategy": to_step}


def name_of(stream: Stream) -> str:
    """Return the stream's name, as it stands in ``_id`` of its head."""
    return ".".join(stream)


def collection_of(stream: Stream) -> str:
    """Return the name of the collection that holds the stream's rows."""
    return ROWS + name_of(stream)


def check_payloads(stream: Stream, payloads: Sequence[bytes]) -> None:
    """Hold what is said on a stream to its contract. Raises: StoreDataError."""
    check = _CHECKS.get(stream.kind)
    if check is None:
        return
    try:
        for payload in payloads:
            check(payload)
    except ContractError as error:
        raise StoreDataError(f"a row of {name_of(stream)}: {error}") from error


def id_of(step: int) -> str:
    """Return the ``_id`` of a step: a text that sorts like the number, as FerretDB finds only texts without a scan."""
    return f"{step:019d}"


def step_words(step: int, rows: Iterable[Row], epoch: int) -> Words:
    """Return the document of one step."""
    return {"_id": id_of(step), "step": step, "epoch": epoch, "payloads": [text_of(row.payload) for row in rows]}


def rows_of(stream: Stream, words: Mapping[str, Any]) -> list[Row]:
    """Return the rows of one step. Raises: StoreDataError."""
    id_, step, texts = words.get("_id"), words.get("step"), words.get("payloads")
    if not isinstance(step, int) or id_ != id_of(step) or not isinstance(texts, list):
        raise _foreign(collection_of(stream), id_, "a step with its payloads")
    payloads = [payload_of(collection_of(stream), id_, text) for text in texts]
    check_payloads(stream, payloads)
    return [Row(int(step), n, payload) for n, payload in enumerate(payloads)]


def document_of(words: Mapping[str, Any]) -> Document:
    """Return a kept document. Raises: StoreDataError."""
    key, step = words.get("key"), words.get("step")
    if not isinstance(key, str) or not isinstance(step, int):
        raise _foreign(DOCUMENTS, words.get("_id"), "a key and a step")
    return Document(key, int(step), payload_of(DOCUMENTS, words.get("_id"), words.get("payload")))


def head_of(words: Mapping[str, Any] | None) -> int | None:
    """Return the step of a head's document, None for one that was never moved. Raises: StoreDataError."""
    step = None if words is None else words.get("step")  # 64 bits wide it comes as a class of its own
    if step is not None and not isinstance(step, int):
        raise _foreign(HEADS, None if words is None else words.get("_id"), "a step")
    return None if step is None else int(step)


def text_of(payload: bytes) -> str | bytes:
    """Return a payload as MongoDB keeps it: text where it is UTF-8, binary where it is not."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def payload_of(collection: str, id_: object, text: object) -> bytes:
    """Return the payload of what MongoDB kept. Raises: StoreDataError."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise _foreign(collection, id_, "text")


def _foreign(collection: str, id_: object, expected: str) -> StoreDataError:
    return StoreDataError(
        f"{collection}, _id {id_!r}: expected {expected}, was something else; another program wrote it: "
        "restore the collection from a copy, or name another database"
    )
