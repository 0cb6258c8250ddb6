"""Episodes: each trouble is told once when it has lasted, and once when it is over."""

from __future__ import annotations

from trading_system.contracts import AlertDTO, from_ms, serialize, to_alert
from trading_system.services.health_words import ALERTS, ENGLISH, alert_sentence, health_in
from trading_system.services.monitoring_engine.episodes import SETTLED_MS, Episode, Key, fold, patience_ms, recalled
from trading_system.services.vital_signs import Limits, Trouble

NONE: dict[str, int] = {}
SILENT = Trouble("service_silent", "data_feed", {"age_s": 21})
BARE = Trouble("position_unprotected", "BTCUSDT", {"quantity": 1.0, "stop": 98.0})


class Told:
    """The episodes of a line whose troubles a test decides, second by second."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000
        self.lasting: dict[Key, Episode] = {}
        self.alerts: list[AlertDTO] = []

    def pass_time(self, seconds: int, *troubles: Trouble) -> list[AlertDTO]:
        told: list[AlertDTO] = []
        for _ in range(seconds):
            self.now += 1_000
            self.lasting, due = fold(self.lasting, troubles, self.now, patience_ms(Limits()))
            told += due
        self.alerts += told
        return told


def test_a_trouble_is_told_once_and_its_end_once_when_it_has_settled() -> None:
    told = Told()
    (begun,) = told.pass_time(60, SILENT)
    assert begun == {
        "id": f"service_silent:data_feed:{told.now - 59_000}",
        "kind": "service_silent",
        "subject": "data_feed",
        "over": False,
        "time": from_ms(told.now - 59_000),
        "began": from_ms(told.now - 59_000),
        "numbers": {"age_s": 21},
    }
    assert told.pass_time(SETTLED_MS // 1000) == []
    (over,) = told.pass_time(60)
    assert (over["id"], over["over"], over["numbers"]) == (begun["id"], True, {"lasted_s": 60})
    assert told.lasting == {}
    assert [to_alert(serialize(alert)) for alert in told.alerts] == told.alerts


def test_one_that_comes_and_goes_within_the_settling_time_is_one_episode() -> None:
    told = Told()
    for _ in range(20):
        told.pass_time(3, SILENT)
        told.pass_time(5)
    assert len(told.alerts) == 1
    told.pass_time(20)
    assert [alert["over"] for alert in told.alerts] == [False, True]


def test_what_does_not_last_is_not_told_and_needs_no_end() -> None:
    told = Told()
    for _ in range(5):
        told.pass_time(10, BARE)
        told.pass_time(1)
    told.pass_time(30)
    assert told.alerts == []
    (begun,) = told.pass_time(11, BARE)
    assert begun["subject"] == "BTCUSDT"
    assert begun["time"] > begun["began"]


def test_two_troubles_of_one_kind_have_their_own_episodes() -> None:
    told = Told()
    other = SILENT._replace(subject="strategy_engine")
    told.pass_time(5, SILENT, other)
    told.pass_time(20, other)
    assert [(alert["subject"], alert["over"]) for alert in told.alerts] == [
        ("data_feed", False),
        ("strategy_engine", False),
        ("data_feed", True),
    ]
    assert list(told.lasting) == [("service_silent", "strategy_engine")]


def test_the_told_alerts_alone_say_what_still_lasts() -> None:
    told = Told()
    told.pass_time(5, SILENT, BARE)
    assert recalled(told.alerts) == {key: one for key, one in told.lasting.items() if one.said}
    told.pass_time(60, BARE)
    told.pass_time(3, SILENT, BARE)
    assert recalled(told.alerts) == told.lasting
    assert fold(recalled(told.alerts), [SILENT, BARE], told.now, NONE) == (told.lasting, [])


def test_every_kind_has_a_phrase_for_both_ends_in_both_languages() -> None:
    numbers = {
        "age_s": 21,
        "lasted_s": 1234,
        "behind": 7,
        "sentence": "ValueError: x",
        "unknown": 2,
        "loss_pct": 3.1,
        "messages": 3,
        "free_mb": 12,
        "off_s": 1.5,
    }
    assert {key.partition(".")[0] for key in ENGLISH if key.endswith((".begun", ".over"))} == set(ALERTS)
    for language in ("en", "ar"):
        for kind in ALERTS:
            for over in (False, True):
                at = from_ms(0)
                alert: AlertDTO = {
                    "id": "1",
                    "kind": kind,
                    "subject": "BTCUSDT",
                    "over": over,
                    "time": at,
                    "began": at,
                    "numbers": {**numbers},
                }
                said = alert_sentence(alert, health_in(language))
                assert said.startswith(("✅",) if over else ("🩺", "🛑"))
                assert "{" not in said
    assert alert_sentence({**alert, "kind": "new_kind"}, health_in("ar")) == "new_kind: BTCUSDT"
    assert (
        alert_sentence({**alert, "kind": "service_silent"}, health_in("en"))
        == "✅ BTCUSDT gives signs again, after 1,234 s."
    )
