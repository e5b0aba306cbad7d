"""The settings as they are on a server: read in a process of their own, for this one has the suite's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = {
    "DJANGO_SETTINGS_MODULE": "ops_platform.settings",
    "SECRET_KEY": "s" * 64,
    "DATABASE_URL": "postgresql://uop_web@127.0.0.1/uop",
    "BASE_URL": "https://ops.example.com",
}


def values(*names: str, **environment: str) -> list:
    code = f"import json; from django.conf import settings as s; print(json.dumps([getattr(s, n) for n in {names!r}]))"
    env = {"PATH": os.environ["PATH"], **SERVER, **environment}
    return json.loads(
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True).stdout
    )


def test_a_server_prints_no_link_that_resets_a_password() -> None:
    assert values("EMAIL_BACKEND") == ["django.core.mail.backends.dummy.EmailBackend"]


def test_login_attempts_are_counted_by_the_visitors_own_address() -> None:
    assert values("ALLAUTH_TRUSTED_PROXY_COUNT") == [0], "anybody could say who they are"
    assert values("ALLAUTH_TRUSTED_PROXY_COUNT", TRUST_PROXY="1") == [1]
