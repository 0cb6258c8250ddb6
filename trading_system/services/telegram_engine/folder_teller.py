"""Alerts as files where there is no token: a picture and a text for each signal, and a picture when its trade ends."""

from __future__ import annotations

import logging
from functools import partial

from trading_system.contracts import to_ms
from trading_system.services.telegram_engine.bookmark import Bookmark
from trading_system.services.telegram_engine.folder import AlertFolder
from trading_system.services.telegram_engine.news import EntryRefused, News, Signalled, TradeEnded, unpack_news
from trading_system.services.telegram_engine.pictures import Pictures
from trading_system.services.telegram_engine.telling import Terms, Voice, signal_text

log = logging.getLogger(__name__)


class FolderTeller:
    """Writes one line's alerts into a folder.

    ``alerts`` counts the signals whose files are written, ``closings`` the pictures of ended trades, ``failures`` what
    could not be made.
    """

    def __init__(self, folder: AlertFolder, bookmark: Bookmark, pictures: Pictures, terms: Terms, voice: Voice) -> None:
        self._folder = folder
        self._bookmark = bookmark
        self._pictures = pictures
        self._terms = terms
        self._voice = voice
        self.alerts = 0
        self.closings = 0
        self.failures = 0

    async def open(self) -> None:
        """Take up the place of an earlier life; a new folder begins with what happens from now on."""
        await self._bookmark.open(at_end=True)

    async def deliver(self) -> None:
        """Write the files of all news that wait. What cannot be made is logged and counted, and the next one made."""
        while rows := await self._bookmark.waiting():
            try:
                await self._tell(unpack_news(rows[0].payload))
            except Exception:
                self.failures += 1
                log.exception("an alert of step %d could not be made; trading goes on", rows[0].step)
            await self._bookmark.done(1)

    async def _tell(self, news: News) -> None:
        if isinstance(news, Signalled):
            await self._alert(news)
            self.alerts += 1
        elif isinstance(news, EntryRefused):  # the earlier files said that it was taken
            await self._alert(Signalled(news.time, news.signal, refused=news.refused))
        elif isinstance(news, TradeEnded):
            picture, content = await self._pictures.of_trade(news, self._voice)
            self._folder.write_closed(picture.confirmed_at, picture.symbol, picture.side, picture.signal_id, content)
            self.closings += 1

    async def _alert(self, news: Signalled) -> None:
        signal = news.signal
        picture, content = await self._pictures.of_signal(news, self._voice)
        write = partial(self._folder.write, to_ms(signal["confirmed_at"]), signal["symbol"], signal["side"])
        write(picture.signal_id, content, signal_text(news, self._terms, self._voice))
