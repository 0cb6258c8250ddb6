from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trading_system.rules.compiled import COMPILED_FILES, cache_folder, sources_hash

PACKAGE = Path(__file__).parents[2] / "trading_system"
TOUCH = "import numpy as np; from trading_system.rules.order_blocks import zone_reach; print(zone_reach(3.0))"


def run(code: str, root: Path, cache: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache)}
    environment.pop("NUMBA_DISABLE_JIT", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=root
    )
    return done.stdout.strip()


def small_package(root: Path) -> Path:
    """Copy the package and add a compiled caller and a compiled callee in two files of the rules."""
    rules = root / "trading_system" / "rules"
    shutil.copytree(PACKAGE / "rules", rules, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "trading_system" / "__init__.py").write_text("")
    with (rules / "structure.py").open("a") as callee:
        callee.write("\n\n@compiled\ndef reach_of(price: float) -> float:\n    return price + 1.0\n")
    with (rules / "order_blocks.py").open("a") as caller:
        caller.write(
            "\n\nfrom trading_system.rules.structure import reach_of\n\n\n"
            "@compiled\ndef zone_reach(price: float) -> float:\n    return 10.0 * reach_of(price)\n"
        )
    return rules


@pytest.mark.slow
def test_an_edit_of_a_callee_in_another_file_is_seen_at_once(tmp_path: Path) -> None:
    rules = small_package(tmp_path)
    assert run(TOUCH, tmp_path, tmp_path / "cache") == "40.0"
    before = {path.name for path in (tmp_path / "cache" / "trading-system").iterdir()}
    callee = rules / "structure.py"
    callee.write_text(callee.read_text().replace("price + 1.0", "price + 2.0"))
    assert run(TOUCH, tmp_path, tmp_path / "cache") == "50.0"
    after = {path.name for path in (tmp_path / "cache" / "trading-system").iterdir()}
    assert before < after


@pytest.mark.slow
def test_a_second_process_finds_the_machine_code_of_the_first(tmp_path: Path) -> None:
    code = (
        "from trading_system.rules.scan import next_touch; import numpy as np; "
        "from trading_system.rules.records import CANDLE; next_touch(np.zeros(1, CANDLE), 0, 1, 0.0, 1.0); "
        "print(sum(next_touch.stats.cache_hits.values()))"
    )
    small_package(tmp_path)
    assert run(code, tmp_path, tmp_path / "cache") == "0"
    assert run(code, tmp_path, tmp_path / "cache") == "1"


def test_every_file_with_a_compiled_rule_or_a_record_counts_for_the_cache() -> None:
    compiled = {path.name for path in (PACKAGE / "rules").glob("*.py") if "\n@compiled\n" in path.read_text()}
    constants = {"compiled.py", "records.py", "interval_table.py"}
    assert compiled | constants == set(COMPILED_FILES)
    assert all((PACKAGE / "rules" / name).is_file() for name in COMPILED_FILES)


def test_the_hash_changes_with_any_file_and_names_the_folder(tmp_path: Path) -> None:
    rules = small_package(tmp_path)
    hashes = {sources_hash(rules)}
    for name in COMPILED_FILES:
        with (rules / name).open("a") as file:
            file.write("# one more word\n")
        hashes.add(sources_hash(rules))
    assert len(hashes) == len(COMPILED_FILES) + 1
    assert cache_folder().name == f"rules-{sources_hash(PACKAGE / 'rules')}"


def test_grids_events_and_parameters_need_no_compiler() -> None:
    code = (
        "import sys; import trading_system.rules.grid, trading_system.rules.events, trading_system.rules.parameters; "
        "print('numba' in sys.modules)"
    )
    assert run(code, PACKAGE.parent, Path.home()) == "False"
