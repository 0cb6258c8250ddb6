"""The files that deploy the line hold every rule of the lint, and the lint finds each rule broken."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment_lint import RULES, Deployment, problems

from trading_system.app import SERVICES
from trading_system.settings import secret_keys, setting_keys, variable_of

ROOT = Path(__file__).parents[2]


def deployment() -> Deployment:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Deployment(
        yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")),
        (ROOT / "Dockerfile").read_text(encoding="utf-8"),
        (ROOT / ".dockerignore").read_text(encoding="utf-8"),
        SERVICES,
        project["version"],
        tuple(project["optional-dependencies"]),
    )


def in_service(name: str, **changes: Any) -> Callable[[Deployment], Deployment]:
    """Return what gives a container other words; None takes a word away."""

    def change(whole: Deployment) -> Deployment:
        compose = copy.deepcopy(dict(whole.compose))
        for key, value in changes.items():
            if value is None:
                del compose["services"][name][key]
            else:
                compose["services"][name][key] = value
        return whole._replace(compose=compose)

    return change


def told(name: str, key: str, value: str) -> Callable[[Deployment], Deployment]:
    """Return what gives one variable of a container another value."""

    def change(whole: Deployment) -> Deployment:
        compose = copy.deepcopy(dict(whole.compose))
        compose["services"][name]["environment"] = {**compose["services"][name]["environment"], key: value}
        return whole._replace(compose=compose)

    return change


def in_dockerfile(old: str, new: str) -> Callable[[Deployment], Deployment]:
    """Return what writes something else into the Dockerfile."""

    def change(whole: Deployment) -> Deployment:
        assert old in whole.dockerfile
        return whole._replace(dockerfile=whole.dockerfile.replace(old, new))

    return change


def open_inside(whole: Deployment) -> Deployment:
    return whole._replace(compose={**whole.compose, "networks": {"inside": None, "outside": None}})


def without_volume(whole: Deployment) -> Deployment:
    volumes = {name: None for name in whole.compose["volumes"] if name != "journal"}
    return whole._replace(compose={**whole.compose, "volumes": volumes})


def without_service(whole: Deployment) -> Deployment:
    services = {name: one for name, one in whole.compose["services"].items() if name != "strategy_engine"}
    return whole._replace(compose={**whole.compose, "services": services})


def test_the_files_hold_every_rule() -> None:
    assert problems(deployment()) == []


BREAKS = [
    (without_service, "expected the containers"),
    (in_service("data_feed", command=["trading-system", "run"]), "data_feed: its command does not run it"),
    (told("data_feed", "SERVICE", "strategy_engine"), "data_feed: its health check asks about another service"),
    (in_service("redis", ports=["6379:6379"]), "redis: publishes a port"),
    (in_service("monitoring_engine", ports=["127.0.0.1:9108:9108"]), "monitoring_engine: publishes a port"),
    (in_service("mongodb", networks=["inside", "outside"]), "mongodb: can be reached from another network"),
    (open_inside, "the network inside is not internal"),
    (in_service("mongodb", read_only=False), "mongodb: its root can be written"),
    (in_service("redis", tmpfs=None), "redis: has no bounded /tmp"),
    (in_service("data_feed", cap_drop=["NET_RAW"]), "data_feed: keeps capabilities"),
    (in_service("data_feed", security_opt=None), "data_feed: may gain privileges"),
    (in_service("redis", user="0:0"), "redis: no fixed user other than root"),
    (in_service("redis", user=None), "redis: no fixed user other than root"),
    (in_service("data_feed", user="1000:1000"), "the services' user is not that of the image"),
    (in_service("data_feed", network_mode="host"), "data_feed: network_mode opens the host"),
    (in_service("data_feed", privileged=True), "data_feed: privileged opens the host"),
    (in_service("redis", image="redis:latest"), "redis: redis has no whole version"),
    (in_service("mongodb", image="mongo:7"), "mongodb: mongo has no whole version"),
    (in_service("data_feed", image="trading-system:0.0.9"), "data_feed: its image is not this version"),
    (in_dockerfile("python:3.12.8-slim-bookworm AS", "python:3.12-slim AS"), "Dockerfile: python:3.12-slim has no"),
    (in_dockerfile("HEALTHCHECK", "# HEALTHCHECK"), "Dockerfile: the health check does not ask"),
    (in_dockerfile("trading-system health", "pgrep trading-system"), "Dockerfile: the health check does not ask"),
    (in_service("redis", healthcheck=None), "redis: no health check"),
    (in_service("data_feed", healthcheck={"disable": True}), "data_feed: overrules the image's health check"),
    (in_service("redis", volumes=["./deploy:/deploy"]), "redis: can write ./deploy of the host"),
    (in_service("redis", volumes=["/var/run/docker.sock:/run/s:ro"]), "redis: holds the engine's socket"),
    (without_volume, "execution_engine: the volume journal is not declared"),
    (in_service("data_feed", volumes=["journal:/var/lib/trading-system"]), "the volume journal is not that of"),
    (in_service("data_feed", volumes=["./.env:/run/host/.env:ro"]), "data_feed: no volume for compiled rules"),
    (in_service("data_feed", volumes=["rules-cache:/var/cache/trading-system"]), "data_feed: cannot see whether"),
    (in_service("execution_engine", volumes=["journal:/journal"]), "execution_engine: its journal does not outlive"),
    (in_service("redis", restart="no"), "redis: is not started again"),
    (in_service("data_feed", init=None), "data_feed: no init"),
    (in_service("data_feed", mem_limit=None), "data_feed: no mem_limit"),
    (in_service("data_feed", pids_limit=None), "data_feed: no pids_limit"),
    (in_service("data_feed", stop_grace_period=None), "data_feed: no stop_grace_period"),
    (in_service("data_feed", logging={"driver": "json-file"}), "data_feed: its log grows without end"),
    (in_service("strategy_engine", depends_on={"data_feed": {"condition": "service_started"}}), "waits for data_feed"),
    (told("redis", "REDIS_PASSWORD", "hunter2"), "redis: REDIS_PASSWORD stands in the file"),
    (told("data_feed", "BUS_URL", "redis://:hunter2@redis:6379/0"), "data_feed: the password of BUS_URL stands"),
    (in_service("redis", env_file=".env"), "redis: is told the whole .env"),
    (told("data_feed", "TELEGRAM_TOKEN", "${TELEGRAM_TOKEN}"), "data_feed: TELEGRAM_TOKEN is not where"),
    (in_service("strategy_engine", environment={}), "strategy_engine: TRADING_API_KEY is not where"),
    (told("execution_engine", "TRADING_API_KEY", ""), "execution_engine: TRADING_API_KEY is not where"),
    (in_service("redis", entrypoint=["redis-server", "--requirepass", "${REDIS_PASSWORD}"]), "a secret on a command"),
    (in_dockerfile("python:3.12.8", "python:3.11.7"), "Dockerfile: does not run on Python 3.12"),
    (in_dockerfile("libfribidi0", "libfribidi0 build-essential"), "Dockerfile: a compiler in the image that runs"),
    (in_dockerfile("USER 10001:10001", "USER root"), "Dockerfile: no fixed user other than root"),
    (in_dockerfile(" SERVICE=", " SERVICE= TELEGRAM_TOKEN=1"), "Dockerfile: a secret in a layer"),
    (in_dockerfile("COPY rust ./rust", "ADD https://example.org/rust ./rust"), "Dockerfile: ADD fetches"),
    (in_dockerfile("VOLUME", "# VOLUME"), "Dockerfile: compiled rules have no volume"),
    (in_dockerfile("warm()'", "'"), "Dockerfile: rules are not compiled"),
    (in_dockerfile("telegram,metrics", "telegrams,metrics"), "Dockerfile: asks for extras that there are not"),
    (lambda whole: whole._replace(dockerignore="rust/target/\n"), ".dockerignore: lets in what nobody named"),
    (in_dockerfile("COPY rust ./rust", "COPY . ."), "Dockerfile: copies what .dockerignore keeps outside"),
]


@pytest.mark.parametrize(("broken", "expected"), BREAKS, ids=[expected for _, expected in BREAKS])
def test_a_broken_rule_is_found(broken: Callable[[Deployment], Deployment], expected: str) -> None:
    assert expected in "\n".join(problems(broken(deployment())))


def test_every_rule_has_a_control_that_breaks_it() -> None:
    silent = set(RULES)
    for broken, expected in BREAKS:
        whole = broken(deployment())
        silent -= {rule for rule in RULES if any(expected in said for said in rule(whole))}
    assert silent == set()


def test_the_example_of_secrets_names_all_that_the_compose_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    given = set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked <= given


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    known = {variable_of(key) for key in (*setting_keys(), *secret_keys())}
    for name, container in deployment().compose["services"].items():
        told = {key for key in container["environment"] if key.startswith("TRADING_")}
        assert told <= known, name
