"""The backup stops the services, saves store and journal, and starts them again, whatever happens in between."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from trading_system.app import SERVICES

SCRIPT = Path(__file__).parents[2] / "deploy" / "backup.sh"

# Stands for docker-compose: writes down what it is asked, keeps what it is given, fails where FAILS says.
COMPOSE = """#!/bin/sh
printf '%s\\n' "$*" >>asked
case "$*" in *"$FAILS"*) exit 3 ;; esac
case "$*" in
*mongodump*) echo the-store ;;
*"tar -czf"*) echo the-journal ;;
*mongosh*) echo >emptied ;;
*mongorestore*) [ -e emptied ] && cat >restored-store ;;
*"tar -xzf"*) cat >restored-journal ;;
esac
"""


def backup(folder: Path, *words: str, fails: str = "never") -> subprocess.CompletedProcess[str]:
    program = folder / "compose"
    program.write_text(COMPOSE)
    program.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "COMPOSE": str(program), "FAILS": fails}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def asked(folder: Path) -> list[str]:
    words = [line.split()[0] for line in (folder / "asked").read_text().splitlines()]
    return [word for word in words if word in {"stop", "exec", "run", "start"}]


def test_store_and_journal_are_saved_from_one_standstill_for_their_owner_only(tmp_path: Path) -> None:
    assert backup(tmp_path, "kept").returncode == 0
    assert asked(tmp_path) == ["stop", "exec", "run", "start"]
    files = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    assert files == {"store.archive.gz": "the-store\n", "journal.tar.gz": "the-journal\n"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "kept").iterdir())


def test_what_was_saved_is_put_back(tmp_path: Path) -> None:
    backup(tmp_path, "kept")
    (tmp_path / "asked").unlink()
    assert backup(tmp_path, "--restore", "kept").returncode == 0
    assert asked(tmp_path) == ["stop", "exec", "exec", "run", "start"]
    assert (tmp_path / "restored-store").read_text() == "the-store\n"
    assert (tmp_path / "restored-journal").read_text() == "the-journal\n"


def test_what_began_after_the_backup_does_not_survive_and_nothing_is_put_beside_it(tmp_path: Path) -> None:
    backup(tmp_path, "kept")
    (tmp_path / "asked").unlink()
    assert backup(tmp_path, "--restore", "kept", fails="dropDatabase").returncode != 0
    assert asked(tmp_path)[-1] == "start"
    assert not (tmp_path / "restored-store").exists()
    assert not (tmp_path / "restored-journal").exists()


@pytest.mark.parametrize("fails", ["mongodump", "tar -czf"])
def test_a_backup_that_fails_is_no_backup_and_the_services_go_on(fails: str, tmp_path: Path) -> None:
    assert backup(tmp_path, "kept", fails=fails).returncode != 0
    assert asked(tmp_path)[-1] == "start"
    assert not (tmp_path / "kept" / "store.archive.gz").exists()
    assert backup(tmp_path, "--restore", "kept").returncode != 0
    assert not (tmp_path / "restored-journal").exists()


def test_an_older_backup_is_not_written_over_and_no_folder_is_no_guess(tmp_path: Path) -> None:
    backup(tmp_path, "kept")
    again = backup(tmp_path, "kept")
    assert (again.returncode, again.stderr) == (1, "kept: expected a new folder, was one with a backup; name another\n")
    assert asked(tmp_path).count("stop") == 1
    assert "expected a folder, was none" in backup(tmp_path).stderr


def test_the_backup_stops_every_service_and_names_no_password() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    (named,) = re.findall(r'^services="([^"]+)"', text, re.MULTILINE)
    assert tuple(named.split()) == SERVICES
    assert "--password" not in text
