#!/bin/sh
# Make .venv and install one hashed lock file and this package into it: setup.sh run|demo|org|full|dev.
# Needs Python 3.11 or newer with venv; says the one line that mends it when that is missing.
set -eu
level=$1
cd "$(dirname "$0")/.."

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# How long a plain loop takes, in tenths of a ms of CPU.
speed() { "$1" -c '
import time
begun, x = time.process_time(), 0
for i in range(300_000):
    x += i * i
print(int((time.process_time() - begun) * 10_000))' 2>/dev/null; }

# The Python that PYTHON names, else the quickest of those on the PATH; the first of them stays unless one is a tenth quicker.
# Interpreters that were built without optimization take up to twice as long. They are timed in turns, for a busy machine
# makes one look slow.
find_python() {
    if [ -n "${PYTHON:-}" ] && command -v "$PYTHON" >/dev/null && fits "$PYTHON"; then
        command -v "$PYTHON"
        return
    fi
    first=''
    set --
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        IFS=:
        for folder in $PATH; do
            unset IFS
            candidate="$folder/$name"
            [ -x "$candidate" ] && fits "$candidate" || continue
            [ -n "$first" ] || first="$candidate"
            has_venv "$candidate" && set -- "$@" "$candidate"
        done
        unset IFS
    done
    if [ $# -lt 2 ]; then
        echo "${1:-$first}"
        return
    fi
    for _ in 1 2 3 4 5; do
        at=0
        for candidate; do
            at=$((at + 1))
            took=$(speed "$candidate") || took=999999
            eval "[ $took -ge \${best_$at:-1000000} ]" || eval "best_$at=$took"
        done
    done
    at=1 found="$1" best=$best_1
    for candidate; do
        eval "took=\$best_$at"
        [ $((took * 10)) -ge $((best * 9)) ] || found="$candidate" best="$took"
        at=$((at + 1))
    done
    echo "$found"
}

as_root() { if [ "$(id -u)" = 0 ]; then echo "$1"; else echo "sudo sh -c '$1'"; fi; }

python=$(find_python)
if [ -z "$python" ]; then
    echo "AOB needs Python 3.11 or newer; found: $(python3 --version 2>/dev/null || echo none). On Debian 12:" >&2
    echo "    $(as_root 'apt-get update && apt-get install -y python3 python3-venv')" >&2
    exit 1
fi
if ! has_venv "$python"; then
    echo "$python has no venv module. This line installs it:" >&2
    echo "    $(as_root 'apt-get update && apt-get install -y python3-venv')" >&2
    exit 1
fi

if ! fits .venv/bin/python; then
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

failed() {
    echo "The packages of requirements/$level.txt could not be installed (see above)." >&2
    echo "They come from the package index that pip is set up with: check the network, then run the same command again." >&2
    exit 1
}
echo "Installing the packages of requirements/$level.txt"
if command -v uv >/dev/null; then
    uv pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$level.txt" || failed
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . || failed
else
    pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip"
    $pip install --quiet --require-hashes -r "requirements/$level.txt" || failed
    $pip install --quiet --no-deps --no-build-isolation -e . || failed
fi
# Envoy's published messages have a folder of their own: in the environment they would hide those of OpenTelemetry.
if [ "$level" = dev ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
        --target .venv/envoy -r requirements/envoy.txt || failed
fi
touch ".venv/.$level"
