"""One commit to MongoDB, without transactions: rows first, where no head shows them yet, then the heads.

A commit of one head, or of one document, is decided by that one write. A commit of several is decided by one small
document that lists them (an insert is atomic): from then on it is carried out, by whoever comes first, each part as
often as one likes, and the list is deleted. A death before the list undoes the commit, a death after it does not.

A stream's producer takes an epoch when it begins. Its head moves only in that epoch, and rows that an earlier epoch
left above the head are replaced: so a producer that was shut out neither moves a head nor leaves a row behind. What is
not covered: rows of a dead producer that arrive after the next one took over, for a step that stays empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from .errors import DocumentMovedError, HeadMovedError, StoreWriteError
from .mongo_server import MongoServer
from .mongo_words import BATCHES, DOCUMENTS, HEADS, Words, collection_of, head_of, id_of, name_of, step_words, text_of
from .pending import Batch, Put, Written
from .port import Row, Stream

Reached = Callable[[str], None]
"""Told the name of each point at which a process may die: rows, batch, head, document, cleared."""

LARGEST_LIST = 12 * 1024 * 1024  # bytes; MongoDB takes documents of 16 MB


class _Parts(NamedTuple):
    """What is left of a commit once its rows lie ready: heads that move and documents that are overwritten."""

    heads: list[Words]
    documents: list[Words]


class Committer:
    """The producer's side of a MongoDB store: it owns epochs and carries out commits."""

    def __init__(self, server: MongoServer, reached: Reached) -> None:
        self._server = server
        self._reached = reached
        self._epochs: dict[Stream, int] = {}
        self._versions: dict[str, int] = {}  # of the documents this store writes, by _id
        self._heads: dict[Stream, int] = {}  # as this store has moved them
        self._token = os.urandom(12).hex()
        self._commits = 0
        self._listed = ""  # the _id of a list that may be written but is not known to be carried out

    def head(self, stream: Stream) -> int | None:
        """Return the head as this store has moved it, None if it has not."""
        return self._heads.get(stream)

    def saw(self, key: str, version: int) -> None:
        """Know in which version a document was read: it is overwritten in that version only."""
        self._versions[key] = version

    def forget(self) -> None:
        """Know nothing of any stream any more: after a rollback or a refusal the server is asked again."""
        self._epochs.clear()
        self._versions.clear()
        self._heads.clear()

    async def finish(self) -> None:
        """Carry out the lists of commits that a death, or an answer that was lost, left behind."""
        for words in await self._server.all(BATCHES, {}):
            if not await self._is_superseded(words["heads"]):
                await self._carry_out(_Parts(words["heads"], words["documents"]), is_own=False)
            await self._clear(words["_id"])
        self._listed = ""

    async def commit(self, batch: Batch) -> None:
        """Carry out one commit; after StoreAwayError the same one may be tried again.

        Raises: HeadMovedError, StoreAwayError, StoreAccessError, StoreWriteError.
        """
        if self._listed and await self._is_carried_out():
            self._settled(batch)
            return
        for written in batch.streams:
            await self._claim(written)
        for written in batch.streams:
            await self._write_rows(written)
        self._reached("rows")
        parts = _Parts(
            [_move(written, self._epochs[written.stream]) for written in batch.streams],
            [await self._overwriting(put) for put in batch.documents],
        )
        if len(parts.heads) + len(parts.documents) > 1:
            await self._list(parts)
        await self._carry_out(parts)
        if self._listed:
            await self._clear(self._listed)
            self._listed = ""
        self._settled(batch)

    async def _is_carried_out(self) -> bool:
        """Find out what became of a list whose answer was lost; one that was written is this commit."""
        words = await self._server.call(self._server.collection(BATCHES).find_one({"_id": self._listed}))
        if words is not None:
            await self._carry_out(_Parts(words["heads"], words["documents"]))
            await self._clear(self._listed)
        self._listed = ""
        return words is not None

    def _settled(self, batch: Batch) -> None:
        self._heads.update({written.stream: written.step for written in batch.streams})
        for put in batch.documents:
            self._versions[_key(put)] += 1

    async def _claim(self, written: Written) -> None:
        """Take the stream's next epoch, once, if its head is where the producer believes it to be."""
        stream = written.stream
        if stream in self._epochs:
            return
        heads = self._server.collection(HEADS)
        here = {"_id": name_of(stream), "kind": stream.kind, "exchange": stream.exchange, "symbol": stream.symbol}
        try:
            # Two that begin a stream in one instant: one of them fails on the other's, and is shut out.
            words = await self._server.call(
                heads.find_one_and_update(
                    here, {"$inc": {"epoch": 1}}, upsert=True, return_document=ReturnDocument.AFTER
                )
            )
        except DuplicateKeyError:
            words = None
        if words is None:
            raise await self._moved(written)
        was = head_of(words)
        if was != written.after:
            raise HeadMovedError(stream, written.after, was)
        left = {"_id": {"$gt": "" if was is None else id_of(was)}, "epoch": {"$lt": words["epoch"]}}
        await self._server.call(self._server.collection(collection_of(stream)).delete_many(left))
        self._epochs[stream] = words["epoch"]

    async def _write_rows(self, written: Written) -> None:
        stream, epoch = written.stream, self._epochs[written.stream]
        by_step: dict[int, list[Row]] = {}
        for row in written.rows:
            by_step.setdefault(row.step, []).append(row)
        steps = [step_words(step, rows, epoch) for step, rows in by_step.items()]
        rows = self._server.collection(collection_of(stream))
        for words in await self._server.insert_all(collection_of(stream), steps):
            there = await self._server.call(rows.find_one({"_id": words["_id"]}))
            if there == words:  # an earlier attempt of this very commit
                continue
            older = {"_id": words["_id"], "epoch": {"$lt": epoch}}
            if (await self._server.call(rows.replace_one(older, words))).matched_count != 1:
                raise await self._moved(written)

    async def _overwriting(self, put: Put) -> Words:
        """Return how a document is overwritten: only in the version that was read or written last."""
        key, document = _key(put), put.document
        if key not in self._versions:
            words = await self._server.call(self._server.collection(DOCUMENTS).find_one({"_id": key}))
            self._versions[key] = 0 if words is None else words["version"]
        return {
            "_id": key,
            "kind": put.kind,
            "key": document.key,
            "step": document.step,
            "payload": text_of(document.payload),
            "version": self._versions[key] + 1,
        }

    async def _list(self, parts: _Parts) -> None:
        if sum(len(_as_bytes(words["payload"])) for words in parts.documents) > LARGEST_LIST:
            raise StoreWriteError(
                f"{self._server.place}: expected documents of at most {LARGEST_LIST} bytes in one commit, was "
                "more; all since the last commit is undone: commit more often"
            )
        self._commits += 1
        self._listed = f"{self._token}-{self._commits}"
        listed = {"_id": self._listed, "heads": parts.heads, "documents": parts.documents}
        await self._server.call(self._server.collection(BATCHES).insert_one(listed))
        self._reached("batch")

    async def _carry_out(self, parts: _Parts, *, is_own: bool = True) -> None:
        """Move heads in the order in which the rooms wrote, so that nobody hears of a step before its cause."""
        for head in parts.heads:
            await self._move_head(head, is_own=is_own)
            self._reached("head")
        for words in parts.documents:
            await self._overwrite(words, is_own=is_own)
            self._reached("document")

    async def _move_head(self, head: Mapping[str, Any], *, is_own: bool) -> None:
        heads = self._server.collection(HEADS)
        here = {"_id": head["_id"], "step": head["after"], "epoch": head["epoch"]}
        moved = await self._server.call(heads.update_one(here, {"$set": {"step": head["step"]}}))
        if moved.matched_count == 1:
            return
        now = await self._server.call(heads.find_one({"_id": head["_id"]}))
        was = head_of(now)
        # An earlier attempt has moved it; of another's list it may have been long ago, and in an earlier epoch.
        is_there = was is not None and was >= head["step"]
        if not is_there or (is_own and now is not None and now["epoch"] != head["epoch"]):
            kind, exchange, symbol = head["_id"].split(".", 2)
            raise HeadMovedError(Stream(kind, exchange, symbol), head["after"], was)

    async def _overwrite(self, words: Words, *, is_own: bool) -> None:
        documents = self._server.collection(DOCUMENTS)
        older = {"_id": words["_id"], "version": words["version"] - 1}
        try:
            if words["version"] == 1:
                await self._server.call(documents.insert_one(dict(words)))
                return
            if (await self._server.call(documents.replace_one(older, dict(words)))).matched_count == 1:
                return
        except DuplicateKeyError:
            pass
        there = await self._server.call(documents.find_one({"_id": words["_id"]}))
        if is_own and there != words:  # else an earlier attempt of this very commit; another's may be long superseded
            raise DocumentMovedError(self._server.place, words["_id"])

    async def _is_superseded(self, heads: list[Words]) -> bool:
        """Tell whether a list came too late: the next producer of its streams had begun before any head moved."""
        for head in heads:
            now = await self._server.call(self._server.collection(HEADS).find_one({"_id": head["_id"]}))
            if now is not None and now["epoch"] != head["epoch"] and now.get("step") == head["after"]:
                return True
        return False

    async def _clear(self, id_: str) -> None:
        await self._server.call(self._server.collection(BATCHES).delete_one({"_id": id_}))
        self._reached("cleared")

    async def _moved(self, written: Written) -> HeadMovedError:
        heads = self._server.collection(HEADS)
        was = head_of(await self._server.call(heads.find_one({"_id": name_of(written.stream)})))
        return HeadMovedError(written.stream, written.after, was)


def _move(written: Written, epoch: int) -> Words:
    return {"_id": name_of(written.stream), "after": written.after, "step": written.step, "epoch": epoch}


def _key(put: Put) -> str:
    return f"{put.kind}.{put.document.key}"


def _as_bytes(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload
