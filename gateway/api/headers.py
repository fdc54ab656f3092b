"""Headers on every answer: nothing is sniffed, framed, cached or sent on to other sites."""

from __future__ import annotations

from flask import Flask, Response, request

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def guard(app: Flask) -> None:
    """Put the security headers on every answer of `app`."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        page = response.mimetype == "text/html"
        # A page with a style of its own names that style, and only that, in its policy.
        policy = PAGE_POLICY if page else API_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.add("Vary", "Accept-Language, Authorization")
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response
