"""The name of an order at a venue: decided by the plan, the order's role and how often it was sent anew.

What an order is worth and when it rests is left to the trade life; this file only makes the name, so that a process
that has just started finds its own orders again.
"""

from __future__ import annotations

import re
import string

PREFIX = "tm"
ROLES = "esx123456789"
"""``e`` entry, ``s`` stop, ``x`` exit at market, ``1``-``9`` the targets, nearest first."""

LIQUIDATION = "l"
"""The venue's own order that ends a position: it has a line in the account, but is never sent by us."""

_DIGITS = string.digits + string.ascii_lowercase
_GENERATIONS = len(_DIGITS) ** 2
_PLAN_ID = re.compile(r"[a-z2-7]{16}")
_CLIENT_ID = re.compile(PREFIX + r"[a-z2-7]{16}[esx1-9][0-9a-z]{2}")


class ClientIdError(ValueError):
    """A plan id, a role, a generation or a client order id that is not of the agreed shape."""


def canonical_id(plan_id: str, role: str) -> str:
    """Return the name of one order of a plan without a generation: what the account and the fingerprint call it.

    role: one of ``ROLES``, or ``LIQUIDATION``. Raises: ClientIdError for another role.
    """
    if len(role) != 1 or role not in ROLES + LIQUIDATION:
        raise ClientIdError(f"expected a role out of {', '.join(ROLES + LIQUIDATION)}, was {role!r}")
    return f"{PREFIX}{plan_id}{role}"


def client_order_id(plan_id: str, role: str, generation: int) -> str:
    """Return the 21 characters that name one order of a plan.

    plan_id: sixteen characters of ``short_hash``; role: one of ``ROLES``; generation: 0 for the first sending, one
    more each time the order is replaced, below 1296 (two digits of base 36).
    Raises: ClientIdError when one of them is something else.
    """
    if not _PLAN_ID.fullmatch(plan_id):
        raise ClientIdError(f"expected a plan id of 16 characters a-z and 2-7, was {plan_id!r}; use Plan.id")
    if len(role) != 1 or role not in ROLES:
        raise ClientIdError(f"expected a role out of {', '.join(ROLES)}, was {role!r}")
    if not 0 <= generation < _GENERATIONS:
        raise ClientIdError(
            f"expected a generation from 0 to {_GENERATIONS - 1}, was {generation}; the order of plan {plan_id} is "
            "replaced without end and needs a person"
        )
    high, low = divmod(generation, len(_DIGITS))
    return f"{canonical_id(plan_id, role)}{_DIGITS[high]}{_DIGITS[low]}"


def is_ours(client_id: str) -> bool:
    """Tell whether ``client_id`` has the shape that ``client_order_id`` gives."""
    return _CLIENT_ID.fullmatch(client_id) is not None


def canonical(client_id: str) -> str:
    """Return ``client_id`` without its generation: the same order, however often it had to be sent.

    Raises: ClientIdError when the id is not one of ours.
    """
    if not is_ours(client_id):
        raise ClientIdError(
            f"expected a client order id of ours ({PREFIX}, plan, role, generation), was {client_id!r}; leave orders "
            "of other programs alone"
        )
    return client_id[:-2]
