"""The one error that a message can be wrong with; what to do about a wrong message is the receiver's affair."""

from __future__ import annotations


class ContractError(ValueError):
    """A message, or a name built for one, that breaks its contract.

    ``field`` is the path of the wrong field inside the message (``take_profits[1].price``; empty for the message
    itself), ``expected`` says what the contract asks for, ``was`` what came instead. ``subject`` names the contract.
    """

    def __init__(self, subject: str, field: str, expected: str, was: str, remedy: str = "") -> None:
        """Keep the four facts and build the sentence; ``remedy`` defaults to correcting the sender."""
        self.subject = subject
        self.field = field
        self.expected = expected
        self.was = was
        self.remedy = remedy or "correct the sender; the message was not used"
        place = f"{subject}.{field}" if field else subject
        super().__init__(f"{place}: expected {expected}, was {was}; {self.remedy}")
