#!/usr/bin/env bash
# Brings what a checkout needs: .venv from the locked requirements, web assets from npm packages, compiled translations.
# Each part leaves a stamp with the hash of what it was made from; while that is unchanged, nothing is done.
set -euo pipefail
cd "$(dirname "$0")/.."

# `make demo` and `make test` may be started together: the second one waits here.
exec 9>.setup.lock
if command -v flock >/dev/null; then flock 9; fi

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }
fresh() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

make_venv() {
    local python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || { echo "Python 3.11 or newer is needed; say which one with PYTHON=…" >&2; exit 1; }
    if [ ! -x .venv/bin/python ]; then
        rm -rf .venv
        "$python" -m venv .venv \
            || { rm -rf .venv; echo "No venv: on Debian, apt-get install python3-venv" >&2; exit 1; }
    fi
    # pip only brings uv, by hash; uv brings the rest, by hash, many times faster.
    if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements/uv.txt)" ]; then
        .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
    fi
    # data.txt is in the list with all its dependencies left out: it is installed for the data files in it.
    .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes \
        requirements/dev.txt requirements/data.txt requirements/uv.txt
}

make_assets() {
    scripts/with_node.sh npm ci --omit=dev --ignore-scripts --no-fund --no-audit --loglevel=error
    .venv/bin/python scripts/vendor_assets.py
}

want=$(digest requirements/dev.txt requirements/data.txt requirements/uv.txt)
if ! fresh .venv/made-from "$want" || [ ! -x .venv/bin/python ]; then
    echo "setup: Python packages"
    make_venv
    echo "$want" >.venv/made-from
fi

want=$(digest package-lock.json scripts/vendor_assets.py scripts/icons.txt)
if ! fresh static/vendor/made-from "$want"; then
    echo "setup: web assets"
    make_assets
    echo "$want" >static/vendor/made-from
fi

shopt -s nullglob
catalogues=(locale/*/LC_MESSAGES/django.po)
if [ ${#catalogues[@]} -gt 0 ]; then
    want=$(digest "${catalogues[@]}")
    if ! fresh .venv/translations-made-from "$want" || [ ! -e "${catalogues[0]%.po}.mo" ]; then
        .venv/bin/python scripts/compile_translations.py "${catalogues[@]}"
        echo "$want" >.venv/translations-made-from
    fi
fi
