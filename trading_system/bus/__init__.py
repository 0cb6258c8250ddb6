"""The doorbell between services, and the cache of newest facts beside it; nothing here is durable."""

from .errors import BusClosedError, BusRefusedError, BusServerError, BusUnreachableError
from .port import LARGEST_PAYLOAD, Bus, Listener, Subscription

__all__ = [
    "LARGEST_PAYLOAD",
    "Bus",
    "BusClosedError",
    "BusRefusedError",
    "BusServerError",
    "BusUnreachableError",
    "Listener",
    "Subscription",
]
