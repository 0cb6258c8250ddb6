"""A text that must not be seen: an API key, a signing secret, a bot's token. Whoever needs the text says so aloud."""

from __future__ import annotations

import hmac

HIDDEN = "***"


class Secret:
    """A text that prints as ``***``, whether alone, inside another value, in a log line or in a traceback.

    Two secrets are equal if their texts are; a secret cannot be pickled, so it cannot wander into a file by accident.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that signs or sends it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("expected a value that may be stored, was a Secret; store the name of its source instead")
