"""What docker-compose.yml, Dockerfile and .dockerignore must hold, each rule a function that names what breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Compose = Mapping[str, Any]

SERVERS = ("redis", "mongodb")
HOLDERS = {"journal": "execution_engine", "alerts": "telegram_engine", "watch": "monitoring_engine", "store": "mongodb"}
"""Volumes of one container each."""
NEEDED_BY = {
    "TRADING_API_KEY": "execution_engine",
    "TRADING_API_SECRET": "execution_engine",
    "TELEGRAM_TOKEN": "telegram_engine",
}
SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|API_KEY|AUTH$")
FROM_DOTENV = re.compile(r"\$\{[A-Z_]+(:-[\w,]*)?\}")
PINNED = re.compile(r"\d+\.\d+\.\d+[\w.-]*")
HOST_NAMESPACES = ("network_mode", "pid", "ipc", "userns_mode", "devices", "cap_add", "privileged", "volumes_from")


class Deployment(NamedTuple):
    """The files as they are read: compose parsed, the others as text; services: those that the program can run."""

    compose: Compose
    dockerfile: str
    dockerignore: str
    services: Sequence[str]
    version: str
    extras: Sequence[str]


Rule = Callable[[Deployment], Iterator[str]]


def problems(deployment: Deployment) -> list[str]:
    return [said for rule in RULES for said in rule(deployment)]


def containers(deployment: Deployment) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from deployment.compose["services"].items()


def a_container_for_each_service_and_server(deployment: Deployment) -> Iterator[str]:
    expected = {*deployment.services, *SERVERS}
    if set(deployment.compose["services"]) != expected:
        yield f"expected the containers {sorted(expected)}"
    for name in deployment.services:
        container = deployment.compose["services"].get(name, {})
        if container.get("command") != ["trading-system", "run", name]:
            yield f"{name}: its command does not run it"
        if container.get("environment", {}).get("SERVICE") != name:
            yield f"{name}: its health check asks about another service"


def nothing_is_published(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        if container.get("ports"):
            yield f"{name}: publishes a port"
    for name in SERVERS:
        if deployment.compose["services"].get(name, {}).get("networks") != ["inside"]:
            yield f"{name}: can be reached from another network than inside"
    if deployment.compose["networks"]["inside"] != {"internal": True}:
        yield "the network inside is not internal"


def roots_are_read_only(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        if container.get("read_only") is not True:
            yield f"{name}: its root can be written"
        if not any(mount.startswith("/tmp:size=") for mount in container.get("tmpfs", ())):  # noqa: S108
            yield f"{name}: has no bounded /tmp"


def nobody_has_rights_to_spare(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        if container.get("cap_drop") != ["ALL"]:
            yield f"{name}: keeps capabilities"
        if "no-new-privileges:true" not in container.get("security_opt", ()):
            yield f"{name}: may gain privileges"
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(container.get("user", ""))):
            yield f"{name}: no fixed user other than root"
        for key in HOST_NAMESPACES:
            if key in container:
                yield f"{name}: {key} opens the host"
    users = {container.get("user") for name, container in containers(deployment) if name in deployment.services}
    if users != {user_of(deployment.dockerfile)}:
        yield "the services' user is not that of the image"


def images_are_pinned(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        image, _, tag = container.get("image", "").partition(":")
        if not PINNED.fullmatch(tag):
            yield f"{name}: {image} has no whole version"
        if name in deployment.services and (tag != deployment.version or container.get("build") != "."):
            yield f"{name}: its image is not this version, built here"
    for line in instructions(deployment.dockerfile, "FROM"):
        image = line.split()[1]
        if ":" in image and not PINNED.fullmatch(image.partition(":")[2]):
            yield f"Dockerfile: {image} has no whole version"


def health_is_asked(deployment: Deployment) -> Iterator[str]:
    checks = instructions(deployment.dockerfile, "HEALTHCHECK")
    if len(checks) != 1 or "trading-system health" not in checks[0] or "$SERVICE" not in checks[0]:
        yield "Dockerfile: the health check does not ask the service for its progress"
    for name, container in containers(deployment):
        check = container.get("healthcheck")
        if name in SERVERS and not (check and {"test", "interval", "timeout", "retries"} <= set(check)):
            yield f"{name}: no health check"
        if name in deployment.services and check is not None:
            yield f"{name}: overrules the image's health check"


def what_is_kept_has_one_holder(deployment: Deployment) -> Iterator[str]:
    named = set(deployment.compose.get("volumes") or {})
    held: dict[str, list[str]] = {}
    for name, container in containers(deployment):
        for mount in container.get("volumes", ()):
            source, _, rest = mount.partition(":")
            if source.startswith((".", "/")):
                if not rest.endswith(":ro"):
                    yield f"{name}: can write {source} of the host"
                if "docker.sock" in mount:
                    yield f"{name}: holds the engine's socket"
            elif source not in named:
                yield f"{name}: the volume {source} is not declared"
            held.setdefault(source, []).append(name)
        if name in deployment.services and not any("/var/cache/trading-system" in m for m in container["volumes"]):
            yield f"{name}: no volume for compiled rules"
        if name in deployment.services and "./.env:/run/host/.env:ro" not in container["volumes"]:
            yield f"{name}: cannot see whether others can read .env"
    for volume, holder in HOLDERS.items():
        if held.get(volume) != [holder]:
            yield f"the volume {volume} is not that of {holder} alone"
    if "journal:/var/lib/trading-system" not in deployment.compose["services"]["execution_engine"]["volumes"]:
        yield "execution_engine: its journal does not outlive it"


def deaths_are_survived(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        if container.get("restart") != "unless-stopped":
            yield f"{name}: is not started again"
        if container.get("init") is not True:
            yield f"{name}: no init that passes signals on"
        for key in ("mem_limit", "pids_limit", "stop_grace_period"):
            if key not in container:
                yield f"{name}: no {key}"
        if not {"max-size", "max-file"} <= set(container.get("logging", {}).get("options", {})):
            yield f"{name}: its log grows without end"
        for other, how in container.get("depends_on", {}).items():
            if other not in SERVERS or how != {"condition": "service_healthy"}:
                yield f"{name}: waits for {other}, though services start in any order"


def secrets_go_where_they_are_needed(deployment: Deployment) -> Iterator[str]:
    for name, container in containers(deployment):
        told = container.get("environment", {})
        for key, value in told.items():
            if SECRET_NAME.search(key) and value and not FROM_DOTENV.fullmatch(str(value)):
                yield f"{name}: {key} stands in the file"
            secret = re.search(r"://[^@/]*:([^@]*)@", str(value))
            if secret and not FROM_DOTENV.fullmatch(secret[1]):
                yield f"{name}: the password of {key} stands in the file"
        if name in SERVERS and "env_file" in container:
            yield f"{name}: is told the whole .env"
        for key in (*NEEDED_BY, "REDIS_PASSWORD", "MONGO_PASSWORD"):
            if name in deployment.services and bool(told.get(key, "from .env")) != (NEEDED_BY.get(key) == name):
                yield f"{name}: {key} is not where it is needed, and only there"
        words = [container.get("command", ""), container.get("entrypoint", ""), container.get("healthcheck", "")]
        if SECRET_NAME.search(str(words)):
            yield f"{name}: a secret on a command line"


def the_image_is_small_and_closed(deployment: Deployment) -> Iterator[str]:
    text = deployment.dockerfile
    final = text[text.rindex("\nFROM ") :]
    if not instructions(text, "FROM")[-1].startswith("FROM python:3.12."):
        yield "Dockerfile: does not run on Python 3.12"
    if re.search("build-essential|cargo|rustup", final):
        yield "Dockerfile: a compiler in the image that runs"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user_of(text)):
        yield "Dockerfile: no fixed user other than root"
    if SECRET_NAME.search("\n".join([*instructions(text, "ENV"), *instructions(text, "ARG")])):
        yield "Dockerfile: a secret in a layer"
    if instructions(text, "ADD"):
        yield "Dockerfile: ADD fetches what nobody checked"
    if (
        instructions(text, "VOLUME") != ['VOLUME ["/var/cache/trading-system"]']
        or "XDG_CACHE_HOME=/var/cache/trading-system" not in final
    ):
        yield "Dockerfile: compiled rules have no volume"
    if "import warm; warm()" not in final:
        yield "Dockerfile: rules are not compiled when the image is made"
    for named in re.findall(r"\[([\w,]+)\]\"", text):
        missing = set(named.split(",")) - set(deployment.extras)
        if missing:
            yield f"Dockerfile: asks for extras that there are not: {sorted(missing)}"
    rules = [line for line in deployment.dockerignore.splitlines() if line and not line.startswith("#")]
    allowed = {rule[1:].rstrip("/") for rule in rules if rule.startswith("!")}
    if rules[:1] != ["*"] or "**/.env*" not in rules:
        yield ".dockerignore: lets in what nobody named"
    for line in instructions(text, "COPY"):
        words = [word for word in line.split()[1:-1] if not word.startswith("--")]
        if "--from=" not in line and not {word.removeprefix("./") for word in words} <= allowed:
            yield f"Dockerfile: copies what .dockerignore keeps outside: {' '.join(words)}"


RULES: tuple[Rule, ...] = (
    a_container_for_each_service_and_server,
    nothing_is_published,
    roots_are_read_only,
    nobody_has_rights_to_spare,
    images_are_pinned,
    health_is_asked,
    what_is_kept_has_one_holder,
    deaths_are_survived,
    secrets_go_where_they_are_needed,
    the_image_is_small_and_closed,
)


def instructions(dockerfile: str, word: str) -> list[str]:
    """Return the instructions of one kind, each on one line."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE)).splitlines()
    return [line for line in lines if line.startswith(f"{word} ")]


def user_of(dockerfile: str) -> str:
    users = instructions(dockerfile[dockerfile.rindex("\nFROM ") :], "USER")
    return users[-1].split()[1] if users else ""
