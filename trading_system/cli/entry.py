"""Where the program begins: known errors are one sentence, an interruption is one line, the rest is a traceback.

Whoever asks only what there is, is answered before anything of the commands is imported.
"""

import gc
import sys
from collections.abc import Callable

from trading_system.cli.command_table import listing
from trading_system.cli.exit_codes import INTERRUPTED, WRONG_INPUT


def main() -> None:
    """Run the command line and exit with its code."""
    words = _config_first(sys.argv[1:])
    if words == ["--help"]:
        sys.stdout.write(listing() + "\n")
        sys.exit(0)
    gc.disable()  # the command line makes no garbage worth collecting before a command begins
    import typer

    from trading_system.cli.group import called
    from trading_system.cli.said import say
    from trading_system.known_errors import is_known, sentence_of

    try:
        code = called(words)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if type(error).__module__.startswith("click") or type(error).__module__.startswith("typer"):
            # No command at all: click's words are the whole help.
            helps = type(error).__name__ == "NoArgsIsHelpError"
            say(_usage(error) if helps else f"error: {_usage(error)}")
            sys.exit(WRONG_INPUT)
        from trading_system.redaction import PROCESS

        if not is_known(error):
            sys.excepthook = PROCESS.last_words
            raise
        say(PROCESS(f"error: {sentence_of(error)}"))
        sys.exit(WRONG_INPUT)
    if code == INTERRUPTED:
        say("interrupted; what was not finished leaves no summary, start it again")
    sys.exit(code if isinstance(code, int) else 0)


def _config_first(words: list[str]) -> list[str]:
    """Let ``--config FILE`` stand behind the command too, where people write it."""
    for n, word in enumerate(words):
        if word == "--config" and n + 1 < len(words):
            return [word, words[n + 1], *words[:n], *words[n + 2 :]]
        if word.startswith("--config="):
            return [word, *words[:n], *words[n + 1 :]]
    return words


def _usage(error: Exception) -> str:
    shown: Callable[[], str] | None = getattr(error, "format_message", None)
    return shown().rstrip("\n") if shown is not None else str(error)
