#!/bin/sh
# Make requirements/*.txt again from pyproject.toml: dev first, then run, demo, org and full with the same versions.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    .venv/bin/python -m pip install --quiet 'uv>=0.9,<1'
    uv=.venv/bin/uv
fi

lock() {
    out=$1
    shift
    "$uv" pip compile pyproject.toml "$@" --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o "requirements/$out.txt"
}
lock dev --extra models --extra demo --extra postgres --extra tls --extra trace --extra grpc --extra reload --extra langgraph --extra openai-agents --extra registry --extra triage --group dev --group build "$@"
lock run --group build -c requirements/dev.txt
lock demo --extra demo --group build -c requirements/dev.txt
lock org --extra triage --group build -c requirements/dev.txt
lock full --extra models --extra demo --extra postgres --extra tls --extra trace --extra grpc --extra reload --extra langgraph --extra openai-agents --extra registry --extra triage --group build -c requirements/dev.txt
{
    echo "# Envoy's messages, for one test only: they bring modules that others of the same name would hide."
    echo 'xds-protos>=1.78,<2' | "$uv" pip compile - --universal --python-version 3.11 --generate-hashes --no-annotate --no-deps \
        --no-emit-index-url --no-emit-find-links --no-header --quiet
} >requirements/envoy.txt
{
    echo "# Others that run beside us on the same machine, in an environment of their own: bench/peers, by \`make bench-cluster\`."
    printf 'dbos>=3.4,<4\nhypercorn>=0.18,<1\npsycopg[binary]>=3.3.9,<4\nrestate-sdk>=1.3,<2\n' | "$uv" pip compile - --universal \
        --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --no-header --quiet
} >requirements/peers.txt
