#!/usr/bin/env bash
# Django's deployment check with the settings as they are in production: no debug, https, servers of the outside.
set -euo pipefail
cd "$(dirname "$0")/.."

env --ignore-environment PATH="$PATH" HOME="${HOME:-/}" LC_ALL=C.UTF-8 \
    SECRET_KEY="$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    DATABASE_URL=postgresql://uop_web@127.0.0.1/uop REDIS_URL=redis://127.0.0.1:6379/0 \
    BASE_URL=https://ops.example.com ALLOWED_HOSTS=ops.example.com CSRF_TRUSTED_ORIGINS=https://ops.example.com \
    .venv/bin/python manage.py check --deploy --fail-level WARNING
