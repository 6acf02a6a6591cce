"""Talks to the running engine over its own API, with a token made from the user directory's secret."""

import http.client
import secrets
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

import attrs
import msgspec

from genesis.cli.failures import CommandFailed, NotRunning, Starting
from genesis.cli.options import environment
from genesis.edge import run_file
from genesis.edge.config_files import DocumentError
from genesis.edge.errors import SecretRefused
from genesis.edge.file_lock import holder
from genesis.edge.user_dir import UserDir
from genesis.environment import merged_environment, with_secrets
from genesis.run_options import ExitCode
from web.keyring import Keyring, KeyringError, open_keyring, with_signing_secret
from web.tokens import Minted, Scope, Tokens

if TYPE_CHECKING:
    from genesis.core.clock import Clock

TIME_OUT_S: Final = 10.0
TOKEN_LIFE_S: Final = 300.0
API: Final = "/api/v2"
_PLAIN_IN_PATHS: Final = "/%:@!$&'()*+,;=-._~"


class _Wall:
    """The one thing that a token asks of a clock. The engine's own would load trio, and a command has no loop."""

    def wall_ms(self) -> int:
        return int(time.time() * 1000)


@attrs.frozen
class Answer:
    """What the engine said."""

    status: int
    content: bytes


def keyring_of(user_dir: UserDir) -> Keyring:
    """The directory's secrets; makes them when they are not there yet. Raises CommandFailed when they are unusable."""
    try:
        keyring = open_keyring(user_dir.keyring, secrets.token_bytes)
        merged = merged_environment(user_dir, environment())
        secret = with_secrets(merged, ["JWT_SECRET_KEY"], user_dir).get("JWT_SECRET_KEY")
        return with_signing_secret(keyring, secret) if secret else keyring
    except (KeyringError, DocumentError, SecretRefused) as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None


def mint(user_dir: UserDir, *, scope: Scope, life_s: float = TOKEN_LIFE_S, subject: str = "cli") -> Minted:
    """A token as the engine would make it: whoever can read the secret is its owner."""
    tokens = Tokens(keyring=keyring_of(user_dir), clock=cast("Clock", _Wall()), random_bytes=secrets.token_bytes)
    return tokens.mint(subject=subject, scope=scope, life_s=life_s)


def address_of(user_dir: UserDir, port: int | None) -> str:
    """Where the engine listens: as told, else as it wrote down itself. Raises NotRunning when it wrote nothing."""
    if port is not None:
        return f"http://127.0.0.1:{port}"
    written = run_file.read(user_dir.run_file)
    if written is None:
        raise NotRunning(f"on {user_dir.root}", holder(user_dir.lock))
    return written.address


def trust_of(user_dir: UserDir, port: int | None) -> ssl.SSLContext | bool:
    """What a client believes of the engine's certificate: exactly the one that the engine wrote down, if it did."""
    written = None if port is not None else run_file.read(user_dir.run_file)
    if written is None or not written.certificate:
        return True
    context = ssl.create_default_context()
    # It is named for the world outside, and we dial this machine's own address.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(written.certificate)
    except (OSError, ssl.SSLError) as error:
        raise CommandFailed(f"the engine's certificate {written.certificate} cannot be read: {error}") from None
    return context


class Client:
    """One engine. Every method gives the decoded answer or raises CommandFailed with the exit code that fits."""

    def __init__(self, user_dir: UserDir, port: int | None, *, scope: Scope = Scope.READ, subject: str = "cli") -> None:
        self.address = address_of(user_dir, port)
        self._lock = None if port is not None else user_dir.lock
        self._trust = trust_of(user_dir, port)
        # No secret yet means that no engine ever ran here, and a command that looks must not make one.
        if not user_dir.keyring.exists():
            raise NotRunning(f"on {user_dir.root}", holder(user_dir.lock))
        token = mint(user_dir, scope=scope, subject=subject).token
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **query: object) -> Any:
        return self._ask("GET", path, query={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, object], *, api: str = API) -> Any:
        return self._ask("POST", path, body=body, api=api)

    def patch(self, path: str, body: Mapping[str, object]) -> Any:
        return self._ask("PATCH", path, body=body)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, *, query: Any = None, body: Any = None, api: str = API) -> Any:
        target = quote(api + path, safe=_PLAIN_IN_PATHS)
        if query:
            target += f"?{urlencode({name: _worded(value) for name, value in query.items()})}"
        try:
            answer = self._request(method, target, None if body is None else msgspec.json.encode(body))
        except TimeoutError:
            text = f"the engine at {self.address} did not answer in {TIME_OUT_S:.0f} s"
            raise CommandFailed(text, ExitCode.TIME_OUT) from None
        except (OSError, http.client.HTTPException):
            raise NotRunning(f"at {self.address}", None if self._lock is None else holder(self._lock)) from None
        if 200 <= answer.status < 300:
            return self._decoded(answer)
        error = _error(answer)
        if error.get("code") == "starting":
            raise Starting(str(error.get("message")))
        text = str(error.get("message") or f"the engine answered {answer.status}")
        raise CommandFailed(text, _EXIT_OF_STATUS.get(answer.status, ExitCode.ERROR))

    def _request(self, method: str, target: str, body: bytes | None) -> Answer:
        # By the standard library: it asks no proxy for the way to our own engine, and is loaded in a tenth of the time
        # that a client for the world outside takes.
        where = urlsplit(self.address)
        host, port = where.hostname or "", where.port
        line: http.client.HTTPConnection
        if where.scheme == "https":
            trust = self._trust if isinstance(self._trust, ssl.SSLContext) else ssl.create_default_context()
            line = http.client.HTTPSConnection(host, port, timeout=TIME_OUT_S, context=trust)
        else:
            line = http.client.HTTPConnection(host, port, timeout=TIME_OUT_S)
        try:
            headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
            line.request(method, target, body=body, headers=headers)
            answer = line.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            line.close()

    def _decoded(self, answer: Answer) -> Any:
        try:
            return msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            raise CommandFailed(f"what answers at {self.address} is no Genesis engine", ExitCode.NOT_RUNNING) from None


_EXIT_OF_STATUS: Final[Mapping[int, ExitCode]] = {
    404: ExitCode.NOT_FOUND,
    412: ExitCode.CONFIGURATION,
    422: ExitCode.CONFIGURATION,
    504: ExitCode.TIME_OUT,
}


def _worded(value: object) -> str:
    """As the API reads it: JSON's words for yes and no."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _error(answer: Answer) -> Mapping[str, Any]:
    """What the engine says of a refusal; empty when it does not make sense."""
    try:
        error = msgspec.json.decode(answer.content)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
