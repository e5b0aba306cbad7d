"""What Django answers to: pages and the API, their addresses and forms in UTF-8."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")


class Utf8Request(WSGIRequest):
    """A request whose address and form are UTF-8, whatever its content type says.

    Django would decode with any codec that a stranger names there, while the request is made and before any middleware:
    of those some are for no text at all, and some make half a surrogate pair, which nothing can store.
    """

    @property
    def encoding(self) -> None:
        return None

    @encoding.setter
    def encoding(self, told: Any) -> None:
        pass

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except ValueError:  # nothing that could be read as one, and nothing for those to stumble over who look again
            self.content_type, self.content_params = "", {}
            meta["CONTENT_TYPE"] = ""


class Handler(WSGIHandler):
    request_class = Utf8Request


django.setup(set_prefix=False)
application = Handler()
