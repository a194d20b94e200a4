#!/bin/sh
# Install what bench/peers measures beside us into .venv/peers: what cannot be had is named, and left out of the bench.
set -eu
cd "$(dirname "$0")/.."
into=.venv/peers
mkdir -p "$into"
if [ ! -x "$into/bin/python" ]; then .venv/bin/python -m venv "$into"; fi
if ! "$into/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt; then
    echo "peers: the packages of requirements/peers.txt could not be installed" >&2
fi
if ! command -v npm >/dev/null; then
    echo "peers: Restate's server comes by npm, which is not installed" >&2
else
    cp bench/peers/restate/package.json bench/peers/restate/package-lock.json "$into"
    if ! npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund --silent; then
        echo "peers: Restate's server could not be installed by npm" >&2
    fi
fi
touch .venv/.peers
