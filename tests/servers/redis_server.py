"""A real Redis server for tests: Debian's, with a password, on a free loopback port, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PASSWORD = "only-for-tests"
READY_WITHIN_S = 20.0
LINES_SHOWN = 40
INSTALL = "install it with `make servers` or `sudo apt-get install -y redis-server`"


class RedisServer:
    """A server that can be killed, frozen and started again at the same address; what it holds is never saved."""

    def __init__(self, folder: Path) -> None:
        """Start a server whose log lies in ``folder`` and wait until it answers a PING."""
        found = shutil.which("redis-server")
        if found is None:
            raise RuntimeError(f"expected redis-server on the path, was none; {INSTALL}")
        self._program = found
        self._folder = folder
        self._log = folder / "redis.log"
        self.socket = folder / "redis.sock"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def log_tail(self) -> str:
        """Return the last lines of the server's log, which a failed test shows."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-LINES_SHOWN:]) or "no log was written"

    def start(self) -> None:
        """Start the server unless it runs already, and return when it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "no",
            "dir": str(self._folder),
            "logfile": str(self._log),
            "unixsocket": str(self.socket),
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([self._program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends_at = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends_at:
                raise RuntimeError(
                    f"expected redis-server to answer within {READY_WITHIN_S} s; its log:\n{self.log_tail()}"
                )
            time.sleep(0.01)  # between two questions; what counts is the answer

    def kill(self) -> None:
        """End the server as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Let the server hang: connections stay open and are accepted, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End what ``freeze`` began."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server by its pid."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            self._process.wait(timeout=READY_WITHIN_S)

    def cli(self, *words: str) -> str:
        """Return what redis-cli prints for one command."""
        run = subprocess.run(
            self.cli_words(*words),
            capture_output=True,
            text=True,
            timeout=READY_WITHIN_S,
            env=_with_password(),
            check=True,
        )
        return run.stdout.rstrip("\n")

    def cli_words(self, *words: str) -> list[str]:
        """Return the command line of redis-cli at this server; the password comes by the environment."""
        return ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *words]

    def listens(self, *words: str) -> subprocess.Popen[str]:
        """Return a running redis-cli, such as one that subscribes, with its output to read line by line."""
        return subprocess.Popen(self.cli_words(*words), stdout=subprocess.PIPE, text=True, env=_with_password())

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
                answer = b""
                while not answer.endswith(b"+PONG\r\n"):
                    part = connection.recv(100)
                    if not part or b"-" in part:
                        return False
                    answer += part
                return True
        except OSError:
            return False


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _with_password() -> dict[str, str]:
    return os.environ | {"REDISCLI_AUTH": PASSWORD}
