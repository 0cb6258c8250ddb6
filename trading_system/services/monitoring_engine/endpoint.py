"""Two pages over HTTP: ``/metrics`` for Prometheus, ``/healthz`` for whoever restarts what stands still."""

from __future__ import annotations

import errno

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from trading_system.services.monitoring_engine.metrics import LineCollector
from trading_system.services.monitoring_engine.service import MonitoringEngine


class MetricsPortError(RuntimeError):
    """The place where metrics are to be served cannot be had."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        if error.errno == errno.EADDRINUSE:
            was = f"a port in use ({port})"
        else:
            was = f"{host}:{port} ({error.strerror or error})"
        super().__init__(
            f"monitoring.port: expected a free port on an address of this machine, was {was}; set another, or 0 to "
            "serve no metrics"
        )


class MetricsEndpoint:
    """Serves what a monitoring engine knows. Nothing can be changed here, and no secret is known here."""

    def __init__(self, monitoring: MonitoringEngine, host: str, port: int) -> None:
        """Keep where to serve; ``port`` 0 takes a free one."""
        self._monitoring = monitoring
        self._host = host
        self._port = port
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(LineCollector(monitoring))
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Begin to serve; return the port. Raises: MetricsPortError."""
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise MetricsPortError(self._host, self._port, error) from error
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Serve no more; a second call changes nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _healthz(self, _: web.Request) -> web.Response:
        """200 while the line makes progress, else 503; the body names what does not."""
        ill = self._monitoring.standstill()
        return web.json_response({"ok": not ill, "troubles": ill}, status=503 if ill else 200)
