#!/bin/sh
# Look every pinned version up among the known advisories. What cannot be reached from here is said, and is no failure.
set -u
cd "$(dirname "$0")/.."
tool=.venv/audit
found=$(mktemp)
trap 'rm -f "$found"' EXIT

if [ ! -x "$tool/bin/pip-audit" ]; then
    .venv/bin/python -m venv "$tool" && "$tool/bin/python" -m pip install --quiet 'pip-audit>=2.9,<3' || {
        echo "audit: skipped, pip-audit cannot be installed from here"
        exit 0
    }
fi
bad=0
for lock in run full dev; do
    : >"$found"
    said=$("$tool/bin/pip-audit" --requirement "requirements/$lock.txt" --require-hashes --disable-pip \
        --progress-spinner off --timeout 10 --format json --output "$found" 2>&1) && {
        echo "audit: requirements/$lock.txt: nothing is known"
        continue
    }
    if [ -s "$found" ]; then
        echo "audit: requirements/$lock.txt:"
        "$tool/bin/python" -c '
import json, sys
for each in json.load(open(sys.argv[1]))["dependencies"]:
    for known in each.get("vulns", ()):
        print(" ", each["name"], each["version"], known["id"], "mended in", ", ".join(known["fix_versions"]) or "none")
' "$found"
        bad=1
    else
        echo "audit: skipped, the advisories cannot be reached from here ($(printf '%s' "$said" | tail -n 1 | cut -c1-120))"
        exit 0
    fi
done
exit $bad
