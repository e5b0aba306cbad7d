"""The settings as they are on a server: read in a process of their own, for this one has the suite's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_mail_to_operators_leaves_by_the_server_that_is_named() -> None:
    names = ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS")
    url = "smtp+tls://ops%40example.com:p%40ss@mail.example.com:587"
    told = values(*names, "DEFAULT_FROM_EMAIL", EMAIL_URL=url, EMAIL_FROM="ops@example.com")
    backend = "django.core.mail.backends.smtp.EmailBackend"
    assert told == [backend, "mail.example.com", 587, "ops@example.com", "p@ss", True, "ops@example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("BASE_URL", "ops.example.com"),
        ("EMAIL_URL", "mail.example.com"),
        ("CONN_MAX_AGE", "x"),
        ("CONN_MAX_AGE", "-1"),
        ("TRUST_PROXY", "ja"),
        ("DEBUG", "ja"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        values("DEBUG", **{name: value})
    assert name in refused.value.stderr.decode()


def test_a_flag_is_a_yes_or_a_no_and_without_either_what_it_usually_is() -> None:
    told = [values("TRUST_PROXY", TRUST_PROXY=word)[0] for word in ("True", "on", "1", "False", "off", "0", "")]
    assert told == [True, True, True, False, False, False, False]
    assert values("LOCAL_INBOX", EMBEDDED="yes", LOCAL_INBOX="") == [True]


def test_a_web_server_without_a_database_does_not_start() -> None:
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "ops_platform.web", "--port", "0"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "DATABASE_URL is not set" in ended.stderr


def test_login_attempts_are_counted_by_the_visitors_own_address() -> None:
    assert values("ALLAUTH_TRUSTED_PROXY_COUNT") == [0], "anybody could say who they are"
    assert values("ALLAUTH_TRUSTED_PROXY_COUNT", TRUST_PROXY="1") == [1]
