"""`python -m ops_platform.web …`: the web server, granian, with what it needs loaded before it forks its workers.

A worker that died is then back in less than half the time, and all of them share the memory. Only libraries: our own code
is loaded by each worker, so that those which SIGHUP starts run the new one.
"""

import gc
from importlib import import_module

from granian.cli import entrypoint

LIBRARIES = (
    "a2wsgi",
    "celery",
    "cryptography.fernet",
    "django.core.handlers.wsgi",
    "django.db.backends.postgresql.base",
    "django.db.models",
    "httpx",
    "jwt",
    "liquid",
    "msgspec",
    "numpy",
    "phonenumbers",
    "redis",
)

if __name__ == "__main__":
    for library in LIBRARIES:
        import_module(library)
    gc.freeze()
    entrypoint()
