"""The certificate with which the page is served beyond this machine."""

import os
import ssl

from genesis.run_options import CannotStart, ExitCode
from protocols.settings import WebSettings


def tls_of(web: WebSettings) -> ssl.SSLContext | None:
    """None without a certificate. Raises CannotStart when the files are not a certificate and its key."""
    if not web.tls_certificate and not web.tls_key:
        return None
    if not web.tls_certificate or not web.tls_key:
        raise CannotStart("web.tls_certificate and web.tls_key must be given together", ExitCode.CONFIGURATION)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(web.tls_certificate, web.tls_key)
    except (OSError, ssl.SSLError) as error:
        text = f"web.tls_certificate and web.tls_key must be PEM files that belong together: {error}"
        raise CannotStart(text, ExitCode.CONFIGURATION) from None
    return context


def absolute(path: str) -> str:
    """Commands are given from other folders than the engine was."""
    return os.path.abspath(path) if path else ""
