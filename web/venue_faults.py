"""How the API tells that the venue was silent, or said no."""

from typing import Final

from web.desk import VenueRefused, VenueSilent
from web.errors import ApiError

AGAIN_AFTER_S: Final = 5


def venue_fault(error: VenueSilent) -> ApiError:
    """422 for what the venue calls invalid, 409 for what it will not do, 503 where it may answer in a moment."""
    if isinstance(error, VenueRefused):
        return ApiError(422 if error.fault else 409, f"the venue said no: {error}", code="venue_refused")
    headers = {"Retry-After": str(AGAIN_AFTER_S)}
    return ApiError(503, f"the venue gave no answer: {error}", code="venue_silent", headers=headers)
