# One image for all six services; which of them a container runs is said by its command and by SERVICE.
# Build it with `docker-compose build`. No secret enters it: they come from .env when a container starts.

FROM rust:1.83.0-slim-bookworm AS rust

# The feed is compiled here, and everything that pip needs becomes a wheel: nothing is compiled in the image that runs.
FROM python:3.12.8-slim-bookworm AS build
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY rust ./rust
COPY trading_system ./trading_system
RUN pip wheel --wheel-dir /wheels ".[redis,mongo,telegram,metrics]"
RUN python -m venv /opt/trading-system \
    && /opt/trading-system/bin/pip install --no-index --find-links /wheels "trading-system[redis,mongo,telegram,metrics]"

FROM python:3.12.8-slim-bookworm
# FriBiDi sets Arabic from right to left in the pictures.
RUN apt-get update && apt-get install -y --no-install-recommends libfribidi0 && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 trading \
    && useradd --uid 10001 --gid trading --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trading \
    && install -d -o trading -g trading -m 700 /var/lib/trading-system /var/cache/trading-system
COPY --from=build /opt/trading-system /opt/trading-system
ENV PATH=/opt/trading-system/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/var/cache/trading-system TRADING_DATA_FOLDER=/var/lib/trading-system SERVICE=
USER 10001:10001
WORKDIR /var/lib/trading-system
# Compiled rules: made here once. A new volume begins as a copy of this folder; a processor of another kind, or newer
# rules, get a folder of their own in it at the first start.
RUN python -c 'from trading_system.rules.detection import warm; warm()'
VOLUME ["/var/cache/trading-system"]
# Healthy is who makes progress, not who has a process.
HEALTHCHECK --interval=30s --timeout=15s --start-period=180s --retries=3 CMD ["sh", "-c", "exec trading-system health \"$SERVICE\""]
CMD ["sh", "-c", "exec trading-system run \"$SERVICE\""]
