"""How the API says no: one exception with a status, a code for programs and a sentence for people."""

from collections.abc import Mapping

from web.models import ErrorAnswer, ErrorBody

Detail = dict[str, str | int | float | bool | list[str] | dict[str, str] | None]

STATUS_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "refused",
    412: "version_conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
    422: "invalid",
    429: "too_many_requests",
    500: "internal_error",
    503: "busy",
    507: "not_kept",
}
"""The code that goes with a status when nobody said a better one."""


class ApiError(Exception):
    """An answer that is not a success. `headers` are added to it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        detail: Detail | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or STATUS_CODES.get(status, "error")
        self.detail: Detail = detail or {}
        self.headers: Mapping[str, str] = headers or {}

    def answer(self, error_id: str) -> ErrorAnswer:
        return ErrorAnswer(error=ErrorBody(code=self.code, message=self.message, detail=self.detail, id=error_id))
