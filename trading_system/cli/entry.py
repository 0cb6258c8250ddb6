"""Where the program begins: known errors are one sentence, an interruption is one line, the rest is a traceback.

Whoever asks only what there is, is answered before anything of the commands is imported.
"""

import gc
import sys
from collections.abc import Callable

from trading_system.cli.exit_codes import INTERRUPTED, WRONG_INPUT
from trading_system.cli.help_page import listing
from trading_system.cli.language import OPTION, language_of, spoken

ANYWHERE = ("--config", OPTION)
"""Options of the program itself, which people write behind the command too."""


def main() -> None:
    """Run the command line and exit with its code."""
    words, found = _first(sys.argv[1:])
    spoken.set(language_of(words, found.get("--config")))
    if words[2 * len(found) :] == ["--help"]:
        sys.stdout.write(listing(spoken.get()) + "\n")
        sys.exit(0)
    gc.disable()  # the command line makes no garbage worth collecting before a command begins
    import typer

    from trading_system.cli.group import called
    from trading_system.cli.language import speech
    from trading_system.cli.said import say, say_error
    from trading_system.known_errors import is_known, sentence_of

    try:
        code = called(words)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if type(error).__module__.startswith("click") or type(error).__module__.startswith("typer"):
            # No command at all: click's words are the whole help.
            helps = type(error).__name__ == "NoArgsIsHelpError"
            say(_usage(error)) if helps else say_error(_usage(error))
            sys.exit(WRONG_INPUT)
        from trading_system.redaction import PROCESS

        if not is_known(error):
            sys.excepthook = PROCESS.last_words
            raise
        say_error(PROCESS(sentence_of(error)))
        sys.exit(WRONG_INPUT)
    if code == INTERRUPTED:
        say(speech().say("interrupted"))
    sys.exit(code if isinstance(code, int) else 0)


def _first(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words with the options that may stand anywhere in front, and the values of those."""
    found: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        behind = value if equals else next(waiting, None) if name in ANYWHERE else None
        if name in ANYWHERE and behind is not None:
            found[name] = behind
        else:
            rest.append(word)
    return [*(part for option in found.items() for part in option), *rest], found


def _usage(error: Exception) -> str:
    shown: Callable[[], str] | None = getattr(error, "format_message", None)
    return shown().rstrip("\n") if shown is not None else str(error)
