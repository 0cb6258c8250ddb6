"""What a command was answered, as a sentence in the language of whoever asked.

An answer in the inbox carries its word and numbers (``rules/commands.py``); every face says it from this one table.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.contracts import CommandDTO
from trading_system.languages.speech import Speech
from trading_system.rules.commands import REPLIES
from trading_system.rules.risk import REJECTIONS

DOMAIN = "replies"
ENGLISH: Mapping[str, str] = {**REPLIES, **{f"why.{rule}": sentence for rule, sentence in REJECTIONS.items()}}


def replies_in(language: str) -> Speech:
    """Return how replies speak in ``language``. Raises: CatalogueError."""
    return Speech.of(DOMAIN, ENGLISH, language)


def reply_text(answer: CommandDTO, speech: Speech) -> str:
    """Return what ``answer`` says; one without a known word keeps its own English sentence."""
    reason, numbers = answer.get("reason", ""), dict(answer.get("numbers", {}))
    if reason not in REPLIES:
        return answer.get("answer", answer["status"])
    if "rule" in numbers:
        numbers["why"] = speech.named("why", str(numbers["rule"]))
    return speech.say(reason, **numbers)
