"""One connection of a listener: how it opens, and can end or go deaf; what is said over it is a wire's."""

from __future__ import annotations

from typing import Any

from aiohttp import WSMsgType, web

NO_CLOSE_FRAME = 1006


async def opened(request: web.BaseRequest, idle_s: float | None = None) -> web.WebSocketResponse | None:
    """Open the WebSocket that is asked for; None when the client left before it was let in.

    ``idle_s``: for how long nothing may come over it, None for ever.
    """
    ws = web.WebSocketResponse(compress=False, autoping=False, receive_timeout=idle_s)
    try:
        await ws.prepare(request)
    except ConnectionResetError:
        return None
    return ws


class Socket:
    """A WebSocket that the venue serves.

    ``silent``: subscriptions are acknowledged and nothing ever comes. ``half_open``: the other side still takes bytes
    and nothing leaves any more, as on a line whose middle has died.
    """

    def __init__(self, ws: web.WebSocketResponse, transport: Any, *, silent: bool = False) -> None:
        self.ws = ws
        self.silent = silent
        self.half_open = False
        self._transport = transport

    @property
    def unsent(self) -> int:
        """Bytes that the operating system has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def send(self, data: bytes) -> bool:
        """Send one text frame; False when the connection is gone."""
        if self.half_open:
            return True
        try:
            await self.ws.send_frame(data, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            return False
        return True

    async def pong(self, data: bytes) -> None:
        """Answer a PING, unless nothing leaves any more."""
        if not self.half_open:
            await self.ws.pong(data)

    def break_off(self) -> None:
        """End the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def say_goodbye(self, code: int) -> None:
        """End the connection with a close frame of ``code``; a half-open one ends without, as 1006 means."""
        if self.half_open or code == NO_CLOSE_FRAME:
            self.break_off()
        else:
            await self.ws.close(code=code)
