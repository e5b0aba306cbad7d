"""The door for Django's requests: for tests, and for servers that speak WSGI. One request, one transaction."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from users.ingest import addresses, door
from users.ingest.body import read_bounded
from users.ingest.protocol import Answer, Incoming


@csrf_exempt
def receive(request: HttpRequest, *_path: str, **_named: str) -> HttpResponse:
    """Take what an SDK sends; answers 200 after the commit, and never raises."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    incoming = Incoming(request.method or "", request.path, request.GET.dict(), headers)
    try:
        answer = take(request, incoming)
    except Exception as error:
        answer = door.explain(error)
    response = HttpResponse(answer.body, content_type=answer.content_type, status=answer.status, headers=answer.headers)
    response["Access-Control-Allow-Origin"] = "*"
    return response


def take(request: HttpRequest, incoming: Incoming) -> Answer:
    address = addresses.find(request.path)
    if answer := door.without_key(address, incoming):
        return answer
    assert address is not None
    incoming.body = read_bounded(request)
    opened = door.open_request(address, incoming)
    key = door.first_key(door.secrets_of(incoming, opened))
    if key is None:
        return door.unauthenticated()
    if answer := door.over_limit(key, opened):
        return answer
    [results] = door.store([door.read_all(key, opened)])
    return opened.answer(results)
