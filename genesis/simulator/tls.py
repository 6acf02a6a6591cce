"""The certificate of an exchange that is served over TLS."""

import ssl
from pathlib import Path


class TlsError(Exception):
    """A certificate or key that cannot be used; the text says which."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A context that shows this certificate (a PEM file, its chain behind it). Raises TlsError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"{certificate} and {key} must be a certificate and its key, were not: {error}") from None
    return context
