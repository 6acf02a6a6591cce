"""Print the signed headers of one REST call, ready for curl. The secret is read, used, and never shown.

    BITFINEX_API_KEY=... BITFINEX_API_SECRET=... python -m tools.build_auth_headers v2/auth/r/wallets '{}'

The body must be sent exactly as signed. A nonce serves once, and must be above every earlier one of the key: without
`--nonce` it is the time in microseconds, as the engine's own. `--curl` prints the whole command instead.
"""

import argparse
import os
import shlex
import sys
import time

from protocols.bitfinex.auth import rest_headers
from protocols.bitfinex.errors import LocalProtocolError

DEFAULT_ADDRESS = "https://api.bitfinex.com"


def signed_path(text: str) -> str:
    """`v2/auth/...` from a path or a whole address. Raises LocalProtocolError on anything else."""
    path = text.split("://", 1)[-1]
    path = path[path.index("/") :] if "://" in text and "/" in path else path
    path = path.strip("/").removeprefix("api/")
    if not path.startswith("v2/auth/") or "?" in path:
        raise LocalProtocolError(f"path must begin with v2/auth/ and have no query, was {text!r}")
    return path


def build(path: str, body: str, *, key: str, secret: str, nonce: int, curl_address: str | None = None) -> str:
    """The headers, one a line, or (with an address) the curl command."""
    path = signed_path(path)
    headers = rest_headers(key, secret, path, nonce, body.encode())
    if curl_address is None:
        return "\n".join(f"{name}: {value}" for name, value in headers.items())
    words = ["curl", "-X", "POST", f"{curl_address}/{path}"]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, "--data-raw", body])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="v2/auth/r/wallets, with or without the address before it")
    parser.add_argument("body", nargs="?", default="{}", help="exact JSON text of the body (default {})")
    parser.add_argument("--nonce", type=int, help="default: now in microseconds")
    parser.add_argument("--curl", action="store_true", help="print a curl command")
    options = parser.parse_args()
    key, secret = os.environ.get("BITFINEX_API_KEY"), os.environ.get("BITFINEX_API_SECRET")
    if not key or not secret:
        print("BITFINEX_API_KEY and BITFINEX_API_SECRET must be set", file=sys.stderr)
        return 4
    address = os.environ.get("BITFINEX_AUTH_API_URL", DEFAULT_ADDRESS).rstrip("/").removesuffix("/v2")
    nonce = options.nonce if options.nonce is not None else time.time_ns() // 1000
    try:
        print(
            build(
                options.path,
                options.body,
                key=key,
                secret=secret,
                nonce=nonce,
                curl_address=address if options.curl else None,
            )
        )
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
