"""Old paths: each is its successor's route under the name that older clients know, and says so in its headers.

`Deprecation` is since when (RFC 9745), `Sunset` until when (RFC 8594), `Link` where to go instead. An old path whose
successor this engine does not serve is not served either.
"""

from collections.abc import Iterable
from typing import Final

import attrs

from web.api import Route

SINCE: Final = "@1767225600"
"""1 January 2026."""
SUNSET: Final = "Fri, 31 Dec 2027 23:59:59 GMT"

V2: Final = "/api/v2"
SUCCESSORS: Final = (
    ("GET", "/risk/status", "/risk/unified/status"),
    ("GET", "/risk/windows", "/risk/unified/windows"),
    ("POST", "/risk/windows", "/risk/unified/windows"),
    ("POST", "/risk/pause", "/risk/unified/pause"),
    ("POST", "/risk/resume", "/risk/unified/resume"),
    ("GET", "/risk/max-trades", "/risk/unified/max-trades"),
    ("POST", "/risk/max-trades", "/risk/unified/max-trades"),
    ("POST", "/risk/max-trades-symbol", "/risk/unified/max-trades-symbol"),
    ("GET", "/risk/trade-counter", "/risk/unified/trade-counter"),
    ("POST", "/prob/validate", "/validation/probability"),
    ("POST", "/prob/validate/run", "/validation/probability"),
)
"""(method, old path, new path)."""


def legacy_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The old names of those routes that there are."""
    known = {(route.method, route.path): route for route in routes}
    return tuple(
        attrs.evolve(
            known[method, V2 + new],
            path=V2 + old,
            successor=V2 + new,
            summary=f"Old name of {V2 + new}. {known[method, V2 + new].summary}",
        )
        for method, old, new in SUCCESSORS
        if (method, V2 + new) in known
    )


def headers_of(route: Route) -> dict[str, str]:
    """What every answer of an old path says, refusals included; nothing on any other."""
    if route.successor is None:
        return {}
    return {"Deprecation": SINCE, "Sunset": SUNSET, "Link": f'<{route.successor}>; rel="successor-version"'}
