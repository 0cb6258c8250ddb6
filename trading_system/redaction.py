"""The second line of defence round secrets: what a log or a traceback would print of one becomes ``***``.

The first line is ``secret.Secret``, which never prints its text; this hides a text that got out of it all the same, as
part of a header or a URL, also percent-encoded, in base64 or in hexadecimal.
"""

from __future__ import annotations

import base64
import logging
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import quote, quote_plus, unquote

from trading_system.secret import HIDDEN, Secret

SHORTEST = 6
"""Shorter texts are no secrets, and hiding them would make holes in every sentence."""


def passwords_in(*urls: str) -> list[Secret]:
    """Return the passwords in addresses such as redis://USER:PASSWORD@HOST, as written there and decoded."""
    found = []
    for url in urls:
        _, _, rest = url.partition("://")
        before, at, _ = rest.partition("/")[0].rpartition("@")
        password = before.partition(":")[2] if at else ""
        if password:
            found += [Secret(password), Secret(unquote(password))]
    return found


class Redactor:
    """Hides the given secrets in any text."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Hide these secrets too from now on."""
        forms = {form for secret in secrets for form in forms_of(secret)}
        # Longest first: a form inside a longer one would leave the rest of it readable.
        self._forms = tuple(sorted(forms.union(self._forms), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return ``text`` with every form of every hidden secret replaced."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def last_words(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Print the traceback of an error that nobody expected, without secrets; a ``sys.excepthook``."""
        sys.stderr.write(self("".join(traceback.format_exception(kind, error, trace))))


class RedactingFormatter(logging.Formatter):
    """Formats as ``inner`` does, traceback included, and hides secrets in what comes of it."""

    def __init__(self, inner: logging.Formatter, redact: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line without secrets."""
        return self._redact(self._inner.format(record))


def forms_of(secret: Secret) -> set[str]:
    """Return the texts under which a secret may show: plain, percent-encoded, hexadecimal, base64 at any offset."""
    text = secret.reveal()
    if len(text) < SHORTEST:
        return set()
    data = text.encode()
    forms = {
        text,
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
        repr(text)[1:-1],
        data.hex(),
        data.hex().upper(),
    }
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(bytes(before) + data).decode().rstrip("=")
            # The first and last characters also hold bits of the neighbours, which are not known.
            spoilt = (0, 2, 3)[before]
            forms.add(encoded[spoilt : len(encoded) - (1 if (before + len(data)) % 3 else 0)])
    return forms


PROCESS = Redactor()
"""What this process hides: filled from the settings; every log line and error goes through it."""
