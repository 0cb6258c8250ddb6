"""The schema's version in a MongoDB database, and the ladder from each version to the next.

A rung may be climbed twice, as a process may die on it or two may climb side by side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pymongo.errors import DuplicateKeyError

from .errors import NewerSchemaError, StoreFileError
from .mongo_server import MongoServer
from .mongo_words import BATCHES, DOCUMENTS, HEADS, SCHEMA

_ID = {"_id": SCHEMA}
OURS = frozenset({SCHEMA, HEADS, DOCUMENTS, BATCHES})


async def _begin(server: MongoServer) -> None:
    """0 to 1: an empty database; MongoDB makes a collection with its first document."""
    del server


async def _unique(server: MongoServer) -> None:
    """1 to 2: one head a stream and one document a key, also for programs that choose another ``_id``."""
    for collection, fields in ((HEADS, ("kind", "exchange", "symbol")), (DOCUMENTS, ("kind", "key"))):
        await server.call(server.collection(collection).create_index([(field, 1) for field in fields], unique=True))


LADDER: Mapping[int, Callable[[MongoServer], Awaitable[None]]] = {0: _begin, 1: _unique}
SCHEMA_VERSION = len(LADDER)


async def version_of(server: MongoServer) -> int | None:
    """Return the schema's version, None for an empty database. Raises: StoreFileError for one of anybody else."""
    schema = server.collection(SCHEMA)
    words = await server.call(schema.find_one(_ID))
    if words is None:
        if not any(name not in OURS and not name.startswith("system.") for name in await server.names()):
            return None
        words = await server.call(schema.find_one(_ID))  # another process may just have begun the store
    version = None if words is None else words.get("version")
    if not isinstance(version, int):
        raise StoreFileError(
            f"{server.place}: expected an empty database or a store of this program, was one of another program; "
            "nothing was changed: name another database"
        )
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(server.place, SCHEMA_VERSION, version)
    return version


async def require(server: MongoServer) -> None:
    """Refuse a database that holds no store, for one who only reads. Raises: StoreFileError, NewerSchemaError."""
    if await version_of(server) is None:
        raise StoreFileError(
            f"{server.place}: expected a store to read, was an empty database; start a line on it first"
        )


async def climb(server: MongoServer) -> None:
    """Bring the database to this program's version. Raises: StoreFileError, NewerSchemaError."""
    version = await version_of(server)
    schema = server.collection(SCHEMA)
    if version is None:
        version = 0
        try:
            await server.call(schema.insert_one({**_ID, "version": version}))
        except DuplicateKeyError:  # another process begins it too
            version = await version_of(server) or 0
    for rung in range(version, SCHEMA_VERSION):
        await LADDER[rung](server)
        await server.call(schema.update_one({**_ID, "version": rung}, {"$set": {"version": rung + 1}}))
