"""Python's search for garbage, kept out of the way of the closes.

A minute of hundreds of symbols makes tens of thousands of objects at once and lets go of them a moment later. At its
usual pace the search would walk through them dozens of times, for a third of the whole time, and find nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 50_000  # alive at once and not there at the last search: more than a minute of 500 symbols makes


@contextmanager
def searching_seldom() -> Iterator[None]:
    """Search only when far more objects than those of one close stay alive; what is frozen meanwhile thaws at the end.

    Call ``gc.freeze`` when all that is meant to stay is there: it is not walked through any more.
    """
    before = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
