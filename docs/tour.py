# ruff: noqa: INP001
"""Writes the tour: the commands of a new user with what they really print, a page in each language.

``python docs/tour.py`` renews both pages and their pictures, in about two minutes. The candles are those of the demo's
synthetic market, so that everyone sees the same numbers; the folder of the tour and the home folder get neutral names.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from trading_system.demo import SEED, START_MS
from trading_system.languages.isolates import with_marks
from trading_system.rules.grid import text_of
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
CANDLES = "BTCUSDT_1m.csv.gz"
DAYS = 30
PICTURE = "chart.png"
WRONG_TOML = "[account]\nequity = -1\nleverge = 2\n"


class Stop(NamedTuple):
    """One command of the tour, and what is said before it in each language."""

    command: str
    english: str
    arabic: str


STOPS = (
    Stop(
        "trading-system --help",
        "What there is. Every command has a `--help` of its own.",
        "ما الموجود. ولكل أمر ⟦`--help`⟧ خاص به.",
    ),
    Stop(
        "trading-system demo --out demo",
        "See it work: a synthetic market, a local exchange, seven days of trading over the wire, one cut and one lost "
        "answer on purpose. It must end equal to its backtest.",
        "شاهده يعمل: سوق مصطنع ومنصة محلية وتداول سبعة أيام عبر الشبكة، مع قطع واحد وجواب واحد ضائع عمداً. "
        "ويجب أن ينتهي مساوياً للاختبار على الماضي.",
    ),
    Stop(
        "trading-system status --store demo/run",
        "Where that line stands. Without `--store` the newest one is looked at; a line that trades answers too.",
        "أين وصل ذلك الخط. ومن دون ⟦`--store`⟧ يُنظر إلى أحدثها؛ والخط الذي يتداول يجيب أيضاً.",
    ),
    Stop(
        "trading-system positions --store demo/run",
        "What it holds, and which entries wait.",
        "ما الذي يملكه، وأي أوامر دخول تنتظر.",
    ),
    Stop(
        "trading-system signals BTCUSDT --store demo/run --last 8",
        "Its newest signals, and what came of each. A rule keeps its name: [reasons](reasons.md) explains it.",
        "أحدث إشاراته وما صار إليه كل منها. والقاعدة تبقى باسمها، وتشرحها صفحة [الأسباب](reasons.md).",
    ),
    Stop(
        "trading-system trades --store demo/run --last 8",
        "Its newest ended trades, in money and in R, the risk that was planned.",
        "أحدث صفقاته المنتهية، بالمال وبـ ⟦R⟧ أي المخاطرة المخططة.",
    ),
    Stop(
        "trading-system why BTCUSDT --store demo/run",
        "Why it did not trade more: from candles to trades, every refusal with the numbers of the newest one.",
        "لماذا لم يتداول أكثر: من الشموع إلى الصفقات، وكل رفض مع أرقام أحدثه.",
    ),
    Stop(
        f"trading-system backtest --candles {CANDLES} --symbol BTCUSDT --out backtest --report report.html",
        "Candle files of your own, in about a second, and a page about the run for the browser.",
        "ملفات شموع من عندك في نحو ثانية، وصفحة عن التشغيل للمتصفح.",
    ),
    Stop(
        f"trading-system chart BTCUSDT --candles {CANDLES} --interval 1h -o {PICTURE}",
        "What the rules see in them.",
        "ما تراه القواعد فيها.",
    ),
    Stop(
        "trading-system init",
        "The first files of a set-up of your own.",
        "أولى ملفات تجهيزك.",
    ),
    Stop(
        "trading-system doctor --offline",
        "Is this machine fit for it? A row that is not ends with the command that mends it.",
        "هل هذا الجهاز صالح له؟ والسطر الذي ليس سليماً ينتهي بالأمر الذي يصلحه.",
    ),
    Stop(
        "trading-system config check",
        "Settings that cannot be are named with their line; here two lines of `trading.toml` are wrong.",
        "الإعدادات التي لا تصح تُسمّى بسطرها؛ وهنا سطران خاطئان في ⟦`trading.toml`⟧.",
    ),
    Stop(
        "trading-system backtest --candles nowhere.csv --symbol BTCUSDT",
        "A wrong input is one sentence: what was expected, what was there, what mends it.",
        "والمدخل الخاطئ جملة واحدة: المتوقع والموجود وما يصلحه.",
    ),
    Stop(
        "trading-system sgnals",
        "A word that is nearly right is recognised.",
        "والكلمة القريبة من الصواب تُعرف.",
    ),
)
HEADS = {
    "en": """# A tour of the commands

[العربية](tour.ar.md)

What a new user types, and what the program prints. `docs/tour.py` makes this page; nothing of it is written by hand.
The market is the demo's, so gains and losses mean nothing.
""",
    "ar": """<div dir="rtl">

# جولة في الأوامر

[English](tour.md)

ما يكتبه مستخدم جديد وما يطبعه البرنامج. يصنع ⟦`docs/tour.py`⟧ هذه الصفحة ولا يُكتب شيء منها باليد. السوق هو سوق العرض،
فلا معنى لربح ولا خسارة. اضبط ⟦`TRADING_LANGUAGE=ar`⟧ أو أضف ⟦`--lang ar`⟧ إلى أي أمر.
""",
}


def main() -> None:
    """Take the tour in both languages and write the pages."""
    for language in HEADS:
        with tempfile.TemporaryDirectory() as folder:
            page = taken(Path(folder), language)
            shutil.copy(Path(folder) / PICTURE, PICTURES / picture_of(language))
        (ROOT / "docs" / name_of(language)).write_text(page, encoding="utf-8")


def name_of(language: str) -> str:
    """Return the name of the page in a language."""
    return "tour.md" if language == "en" else f"tour.{language}.md"


def picture_of(language: str) -> str:
    """Return the name of the tour's chart in a language."""
    return f"tour_{language}.png"


def taken(folder: Path, language: str) -> str:
    """Run every command in ``folder`` and return the page."""
    write_candles(folder / CANDLES)
    parts = [with_marks(HEADS[language])]
    for stop in STOPS:
        if stop.command.endswith("config check"):
            (folder / "trading.toml").write_text(WRONG_TOML, encoding="utf-8")
        elif "nowhere" in stop.command:
            (folder / "trading.toml").unlink()
        said = neutral(printed(stop.command, folder, language), folder)
        parts.append(step(stop, said, language))
        if PICTURE in stop.command:
            parts.append(f'<img src="pictures/{picture_of(language)}" alt="{stop.command}" width="560">\n')
    if language != "en":
        parts.append("</div>\n")
    return "\n".join(parts)


def step(stop: Stop, said: str, language: str) -> str:
    """Return one command of the page with what it printed."""
    command = f"```bash\n{stop.command}\n```\n"
    if language == "en":
        return f"{stop.english}\n\n{command}\n```text\n{said}```\n"
    return f'{with_marks(stop.arabic)}\n\n<div dir="ltr">\n\n{command}\n</div>\n\n```text\n{said}```\n'


def printed(command: str, folder: Path, language: str) -> str:
    """Return what a command prints, both outputs as a person sees them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "BUS_", "DATABASE_"))}
    chosen = {} if language == "en" else {"TRADING_LANGUAGE": language}
    done = subprocess.run(  # noqa: S603  the commands of this file
        [sys.executable, "-m", "trading_system.cli", *command.split()[1:]],
        cwd=folder,
        env={**kept, **chosen, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def neutral(text: str, folder: Path) -> str:
    """Return a text without the places of one machine, and without blanks at the end of a line."""
    text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    text = text.replace(str(folder), "tour").replace(str(Path.home()), "~")
    return re.sub(r"(rules-[0-9a-f]{8})[0-9a-f]+", r"\1", text)


def write_candles(path: Path) -> None:
    """Write ``DAYS`` of the demo's BTCUSDT as an exchange's download looks."""
    one = DEMO_SYMBOLS[0]
    rows = synthetic_candles(SEED, one.symbol, START_MS, DAYS * 1440, one.tick, one.step, one.start_price)
    lines = ["open_time,open,high,low,close,volume"]
    lines += [",".join([str(row[0]), *map(text_of, row[1:6])]) for row in rows.tolist()]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


if __name__ == "__main__":
    main()
