"""The one open door: a code that is shown on the machine and sent by a person makes that person's chat an allowed one.

A code lives for ten minutes, is good for one chat, and dies after a few wrong tries from anybody. Only its digest is
kept, in the store, so that another process (the command line) can open the door for a running engine.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

import msgspec

from trading_system.services.telegram_engine.chats import Role
from trading_system.store.errors import DocumentMovedError
from trading_system.store.port import Store

PAIRING = "telegram_pairing"
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is taken for another
CODE_LENGTH = 8
LIFE_MS = 600_000
MOST_TRIES = 5


class _Door(NamedTuple):
    digest: str
    salt: str
    role: Role
    ends: int
    tries: int = MOST_TRIES


async def open_door(store: Store, key: str, now: int, role: Role = "owner") -> str:
    """Return a new code that pairs one chat as ``role``; an earlier code is void.

    key: the line's exchange. now: ms UTC.
    """
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    salt = secrets.token_hex(16)
    await _keep(store, key, _Door(_digest(code, salt), salt, role, now + LIFE_MS))
    return code


async def is_open(store: Store, key: str, now: int) -> bool:
    """Tell whether there is a code that can still be used."""
    door = await _door(store, key)
    return door is not None and now < door.ends and door.tries > 0


async def knock(store: Store, key: str, code: str, now: int) -> Role | None:
    """Return the role that ``code`` gives, and shut the door; None for a wrong, late or used code."""
    door = await _door(store, key)
    if door is None or now >= door.ends or door.tries <= 0:
        return None
    right = hmac.compare_digest(_digest(code.strip().upper(), door.salt), door.digest)
    try:
        await _keep(store, key, door._replace(tries=0 if right else door.tries - 1))
    except DocumentMovedError:  # somebody opened or shut it in this moment
        return None
    return door.role if right else None


def _digest(code: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}{code}".encode("utf-8", "surrogatepass")).hexdigest()


async def _door(store: Store, key: str) -> _Door | None:
    kept = await store.document(PAIRING, key)
    return None if kept is None else msgspec.json.decode(kept[1], type=_Door)


async def _keep(store: Store, key: str, door: _Door) -> None:
    await store.put_document(PAIRING, key, 0, msgspec.json.encode(door))
    await store.commit()
