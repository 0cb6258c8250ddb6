"""The exit codes of the command line, and what each says."""

from collections.abc import Mapping

FAILED = 1
WRONG_INPUT = 2
INTERRUPTED = 130
EXIT_CODES: Mapping[int, str] = {
    0: "done, and as it should be",
    FAILED: "done, but the answer is no: two runs differ, the demo was not equal to its backtest, or the "
    "account refused a command",
    WRONG_INPUT: "not done: an option, a setting, a file, a folder or an exchange was not as expected; the sentence on "
    "standard error says what was expected, what was found and what mends it",
    INTERRUPTED: "interrupted by Ctrl-C; what was not finished leaves no summary",
}
