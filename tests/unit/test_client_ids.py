from __future__ import annotations

import pytest

from trading_system.rules.client_ids import ROLES, ClientIdError, canonical, canonical_id, client_order_id, is_ours

PLAN = "abcdefgh234567yz"


def test_an_id_is_prefix_plan_role_and_two_digits_of_generation() -> None:
    assert client_order_id(PLAN, "e", 0) == "tmabcdefgh234567yze00"
    assert client_order_id(PLAN, "s", 35) == "tmabcdefgh234567yzs0z"
    assert client_order_id(PLAN, "1", 36) == "tmabcdefgh234567yz110"
    assert client_order_id(PLAN, "x", 1295) == "tmabcdefgh234567yzxzz"


def test_every_order_of_a_plan_has_its_own_id() -> None:
    ids = {client_order_id(PLAN, role, generation) for role in ROLES for generation in range(1296)}
    assert len(ids) == 12 * 1296
    assert all(is_ours(one) and len(one) == 21 for one in ids)


def test_the_canonical_id_forgets_only_the_generation() -> None:
    assert canonical(client_order_id(PLAN, "2", 7)) == canonical(client_order_id(PLAN, "2", 8)) == f"tm{PLAN}2"


@pytest.mark.parametrize("role", ROLES)
def test_the_account_calls_an_order_by_its_canonical_id(role: str) -> None:
    assert canonical_id(PLAN, role) == canonical(client_order_id(PLAN, role, 3))


def test_a_liquidation_has_a_name_but_can_never_be_sent() -> None:
    assert canonical_id(PLAN, "l") == f"tm{PLAN}l"
    with pytest.raises(ClientIdError, match="expected a role"):
        client_order_id(PLAN, "l", 0)
    with pytest.raises(ClientIdError, match="expected a role"):
        canonical_id(PLAN, "stop")


@pytest.mark.parametrize("generation", [-1, 1296])
def test_a_generation_that_two_digits_cannot_hold_is_refused(generation: int) -> None:
    with pytest.raises(ClientIdError, match="expected a generation from 0 to 1295"):
        client_order_id(PLAN, "s", generation)


@pytest.mark.parametrize("role", ["", "0", "E", "es", "t"])
def test_an_unknown_role_is_refused(role: str) -> None:
    with pytest.raises(ClientIdError, match="expected a role"):
        client_order_id(PLAN, role, 0)


@pytest.mark.parametrize("plan", ["", "abc", PLAN.upper(), PLAN + "a", "abcdefgh23456718"])
def test_a_plan_id_of_another_shape_is_refused(plan: str) -> None:
    with pytest.raises(ClientIdError, match="expected a plan id"):
        client_order_id(plan, "e", 0)


@pytest.mark.parametrize("text", ["", "web_1234567890", f"tm{PLAN}e0", f"tm{PLAN}q00", f"tm{PLAN}e00\n"])
def test_an_order_of_another_program_is_not_ours(text: str) -> None:
    assert not is_ours(text)
    with pytest.raises(ClientIdError, match="leave orders of other programs alone"):
        canonical(text)
