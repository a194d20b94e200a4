#!/bin/sh
# Make .venv and install one hashed lock file and this package into it: setup.sh run|demo|full|dev.
# Needs Python 3.11 or newer with venv; says the one line that mends it when that is missing.
set -eu
level=$1
cd "$(dirname "$0")/.."

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && fits "$name"; then
            command -v "$name"
            return
        fi
    done
}

as_root() { if [ "$(id -u)" = 0 ]; then echo "$1"; else echo "sudo sh -c '$1'"; fi; }

python=$(find_python)
if [ -z "$python" ]; then
    echo "AOB needs Python 3.11 or newer; found: $(python3 --version 2>/dev/null || echo none). On Debian 12:" >&2
    echo "    $(as_root 'apt-get update && apt-get install -y python3 python3-venv')" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
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
touch ".venv/.$level"
