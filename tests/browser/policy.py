"""The content security policy of a careful project: nothing from elsewhere, nothing inline."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Respond = Callable[[HttpRequest], HttpResponse]


def strict(get_response: Respond) -> Respond:
    """Add it to every answer, as a middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'; form-action 'self'"
        return response

    return respond
