"""The doorbell between services, and the cache of newest facts beside it; nothing here is durable."""

from .port import Bus, BusClosedError, Listener, Subscription

__all__ = ["Bus", "BusClosedError", "Listener", "Subscription"]
