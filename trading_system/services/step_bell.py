"""The bell of a step, and how it is read: a room of the same process need not read what was just written beside it."""

from __future__ import annotations

from trading_system.contracts import StepDTO, to_step


class StepBell(bytes):
    """A step as JSON that remembers the word it was made from; what another process hears of it are plain bytes."""

    word: StepDTO


def step_bell(payload: bytes, word: StepDTO) -> StepBell:
    """Return ``payload``, which is ``word`` as JSON, as a bell; nobody may change ``word`` any more."""
    bell = StepBell(payload)
    bell.word = word
    return bell


def heard_step(payload: bytes) -> StepDTO:
    """Return the step of a bell, checked unless it was made in this process. Raises: ContractError."""
    return payload.word if type(payload) is StepBell else to_step(payload)
