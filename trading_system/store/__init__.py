"""The letterbox: what happened, kept by stream and step, with one head a stream; the bus only rings about it."""

from .errors import (
    HeadMovedError,
    NewerSchemaError,
    StoreAccessError,
    StoreAwayError,
    StoreBusyError,
    StoreClosedError,
    StoreDataError,
    StoreError,
    StoreFileError,
    StoreReadOnlyError,
    StoreWriteError,
)
from .port import Document, Row, Store, Stream

__all__ = [
    "Document",
    "HeadMovedError",
    "NewerSchemaError",
    "Row",
    "Store",
    "StoreAccessError",
    "StoreAwayError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreDataError",
    "StoreError",
    "StoreFileError",
    "StoreReadOnlyError",
    "StoreWriteError",
    "Stream",
]
