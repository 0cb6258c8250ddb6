"""The language in which this start of the command line speaks, found before the settings are loaded.

The help, a wrong option and settings that cannot be are spoken too, so nothing here can fail: what cannot be read now
is said by the command that needs it.
"""

import os
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from trading_system.languages.catalogue import ENGLISH, LANGUAGES

if TYPE_CHECKING:
    from trading_system.languages.speech import Speech

spoken: ContextVar[str] = ContextVar("spoken", default=ENGLISH)
"""The language of this start; ``entry`` sets it anew each time."""

KEY, VARIABLE, OPTION = "language", "TRADING_LANGUAGE", "--lang"
_TOML, _CONFIG, _DOTENV = "trading.toml", "TRADING_CONFIG", ".env"


def language_of(words: list[str], config: str | None = None) -> str:
    """Return the language that counts for a command line: English < trading.toml < .env < environment < its words.

    words: the command line. config: what its ``--config`` names.
    """
    written = {OPTION: "", KEY: ""}
    for n, word in enumerate(words):
        name, equals, value = word.partition("=")
        behind = words[n + 1] if n + 1 < len(words) else ""
        if name == OPTION:
            written[OPTION] = value if equals else behind
        elif word == "--set" and behind.startswith(f"{KEY}="):
            written[KEY] = behind.removeprefix(f"{KEY}=")
    chosen = written[KEY] or written[OPTION] or os.environ.get(VARIABLE, "") or _in_files(config)
    return chosen if chosen in LANGUAGES else ENGLISH


def speech() -> "Speech":
    """Return how the terminal speaks in the language of this start."""
    from trading_system.terminal_words import terminal_in

    return terminal_in(spoken.get())


def _in_files(config: str | None) -> str:
    toml = Path(config or os.environ.get(_CONFIG) or _TOML)
    if not toml.exists() and not Path(_DOTENV).exists():
        return ""
    from trading_system.setting_sources import SettingsError, dotenv_values, toml_values

    found: dict[str, str] = {}
    for read, path in ((toml_values, toml), (dotenv_values, Path(_DOTENV))):
        try:
            found.update({one.name: str(one.value) for one in read(path)})
        except (SettingsError, OSError):
            continue  # the command says what is wrong with it
    return found.get(VARIABLE) or found.get(KEY, "")
