"""The product's settings, as the suite needs them: log in as owner (the suite creates its database), cheap password hashes."""

import os

os.environ["DATABASE_ROLE"] = "owner"
os.environ.setdefault("LOCAL_INBOX", "1")

from ops_platform.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = False
DATABASES["default"]["TEST"]["NAME"] = f"test_uop_{os.environ.get('TEST_DB', 'main')}"  # noqa: F405
# A live server's threads wait on kept-alive sockets until the end; with a connection each, the database could not be dropped.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
WHITENOISE_AUTOREFRESH = (
    True  # assets are looked up when asked for, not listed anew for each of a thousand test clients
)
