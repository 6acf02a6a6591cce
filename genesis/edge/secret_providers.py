"""Secrets by reference: a name in the environment says where its secret is kept, and it is fetched once, at the start.

| reference | what it names |
|---|---|
| `file:/run/secrets/key` | a file that only its owner can read |
| `env:OTHER_NAME` | another variable, which is removed |
| `cmd:pass show bitfinex` | what a command prints |
| `vault:secret/data/genesis#field` | HashiCorp Vault (or OpenBao): VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE |
| `op:vault/item/field`, `op://vault/item/field` | 1Password Connect: OP_CONNECT_HOST, OP_CONNECT_TOKEN |
| `azure:vault/name` or `azure:vault/name/version` | Azure Key Vault: AZURE_TENANT_ID, _CLIENT_ID, _CLIENT_SECRET |

The providers' own tokens may be references of the first three kinds. Only https is spoken, except to this machine; no
redirect is followed, because it would carry the token elsewhere; no error repeats what a provider answered.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from genesis.edge.errors import SecretRefused
from genesis.edge.secrets import Secret, from_command, from_environment, from_file

TIME_OUT_S: Final = 10.0
LARGEST_ANSWER: Final = 1_000_000
AZURE_API: Final = "7.4"
AZURE_LOGIN: Final = "https://login.microsoftonline.com"
REFERENCE: Final = re.compile(r"(file|env|cmd|vault|op|azure):(.+)", re.DOTALL)
_OP_ID: Final = re.compile(r"[a-z0-9]{26}")
_VAULT_NAME: Final = re.compile(r"[A-Za-z0-9-]{3,24}")

Environment = MutableMapping[str, str]


def is_reference(text: str) -> bool:
    """Whether a text names a place where a secret is kept, rather than being one."""
    return REFERENCE.fullmatch(text.strip()) is not None


def resolve(reference: str, environment: Environment) -> Secret:
    """Fetch what a reference names. Blocks. Raises SecretRefused with the place and what it must be."""
    found = REFERENCE.fullmatch(reference.strip())
    if found is None:
        raise SecretRefused("a secret's reference must begin with file:, env:, cmd:, vault:, op: or azure:")
    return _PROVIDERS[found[1]](found[2], environment)


def _file(rest: str, environment: Environment) -> Secret:
    return from_file(Path(rest).expanduser())


def _env(rest: str, environment: Environment) -> Secret:
    secret = from_environment(rest, environment)
    if secret is None:
        raise SecretRefused(f"env:{rest} must be set, was not")
    return secret


def _cmd(rest: str, environment: Environment) -> Secret:
    return from_command(rest)


def _vault(rest: str, environment: Environment) -> Secret:
    path, sharp, field = rest.partition("#")
    if not (path and sharp and field):
        raise SecretRefused("a vault reference must be vault:PATH#FIELD, such as vault:secret/data/genesis#api_key")
    where = f"vault:{path}#{field}"
    base = _address("VAULT_ADDR", environment)
    headers = {"X-Vault-Token": _token("VAULT_TOKEN", environment), "X-Vault-Request": "true"}
    if environment.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = environment["VAULT_NAMESPACE"]
    told = _get(where, f"{base}/v1/{quote(path.strip('/'))}", headers)
    data = told.get("data")
    # The second version of the key-value engine wraps what the first one gives plainly.
    if isinstance(data, Mapping) and isinstance(data.get("data"), Mapping) and "metadata" in data:
        data = data["data"]
    return _field(where, data, field)


def _op(rest: str, environment: Environment) -> Secret:
    parts = rest.removeprefix("//").split("/")
    if len(parts) != 3 or not all(parts):
        raise SecretRefused("a 1Password reference must be op:VAULT/ITEM/FIELD")
    vault, item, field = parts
    where = f"op:{vault}/{item}/{field}"
    base = _address("OP_CONNECT_HOST", environment)
    headers = {"Authorization": f"Bearer {_token('OP_CONNECT_TOKEN', environment)}"}
    vault_id = _op_id(where, f"{base}/v1/vaults", "name", vault, headers)
    item_id = _op_id(where, f"{base}/v1/vaults/{vault_id}/items", "title", item, headers)
    told = _get(where, f"{base}/v1/vaults/{vault_id}/items/{item_id}", headers)
    fields = told.get("fields")
    for each in fields if isinstance(fields, list) else ():
        if isinstance(each, Mapping) and field in (each.get("label"), each.get("id")):
            return _field(where, each, "value")
    raise SecretRefused(f"{where} must have that field, had not")


def _op_id(where: str, url: str, key: str, name: str, headers: Mapping[str, str]) -> str:
    """The id of a vault or item of this name; an id is one already."""
    if _OP_ID.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    found = _ask(where, "GET", url, headers, params={"filter": f'{key} eq "{escaped}"'})
    rows = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    ids = [str(each.get("id")) for each in rows]
    if len(ids) != 1 or not _OP_ID.fullmatch(ids[0]):
        raise SecretRefused(f"{where} must be one {key} {name!r}, were {len(ids)}")
    return ids[0]


def _azure(rest: str, environment: Environment) -> Secret:
    parts = rest.split("/")
    if len(parts) not in (2, 3) or not all(parts) or not _VAULT_NAME.fullmatch(parts[0]):
        raise SecretRefused("an Azure reference must be azure:VAULT/NAME or azure:VAULT/NAME/VERSION")
    where = f"azure:{rest}"
    tenant, client = (_needed(name, environment) for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"))
    login = _address("AZURE_AUTHORITY_HOST", environment, AZURE_LOGIN)
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": _token("AZURE_CLIENT_SECRET", environment),
        "scope": "https://vault.azure.net/.default",
    }
    answer = _ask(where, "POST", f"{login}/{quote(tenant, safe='')}/oauth2/v2.0/token", {}, data=form)
    access = _field(f"{where} (sign-in)", answer, "access_token")
    base = _address("AZURE_KEYVAULT_URL", environment, f"https://{parts[0]}.vault.azure.net")
    url = f"{base}/secrets/{'/'.join(quote(part, safe='') for part in parts[1:])}"
    headers = {"Authorization": f"Bearer {access.reveal()}"}
    return _field(where, _get(where, url, headers, params={"api-version": AZURE_API}), "value")


_PROVIDERS: Final[Mapping[str, Callable[[str, Environment], Secret]]] = {
    "file": _file,
    "env": _env,
    "cmd": _cmd,
    "vault": _vault,
    "op": _op,
    "azure": _azure,
}


# --- talking to a provider ----------------------------------------------------------------------------------------


def _needed(name: str, environment: Environment) -> str:
    found = environment.get(name, "").strip()
    if not found:
        raise SecretRefused(f"{name} must be set for this provider, was not")
    return found


def _token(name: str, environment: Environment) -> str:
    """A provider's own token: a text, or where it is kept on this machine."""
    text = _needed(name, environment)
    found = REFERENCE.fullmatch(text)
    if found is None:
        return text
    if found[1] not in ("file", "env", "cmd"):
        raise SecretRefused(f"{name} must be kept on this machine (file:, env: or cmd:), was {found[1]}:")
    return _PROVIDERS[found[1]](found[2], environment).reveal()


def _address(name: str, environment: Environment, default: str | None = None) -> str:
    text = (environment.get(name, "").strip() or default or _needed(name, environment)).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise SecretRefused(f"{name} must be an address such as https://vault.example:8200")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise SecretRefused(f"{name} must begin with https:// (http:// only on this machine)")
    return text


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _get(where: str, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None) -> dict[str, Any]:
    told = _ask(where, "GET", url, headers, params=params)
    if not isinstance(told, dict):
        raise SecretRefused(f"{where} must be answered with a JSON object, was not")
    return told


def _ask(
    where: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    params: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
) -> Any:
    """One request. What is said about a failure is its kind, never what anybody answered."""
    # Only whoever keeps his secrets elsewhere waits for the client to be loaded.
    import httpx

    try:
        with (
            httpx.Client(timeout=TIME_OUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream(method, url, headers=dict(headers), params=params, data=data) as answer,
        ):
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise SecretRefused(f"{where} must be answered in {LARGEST_ANSWER} bytes, was more")
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SecretRefused(f"{where} must be reachable, was not: {type(error).__name__}") from None
    if status != 200:
        raise SecretRefused(f"{where} must be answered with status 200, was {status}")
    try:
        return msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise SecretRefused(f"{where} must be answered with JSON, was not") from None


def _field(where: str, told: object, field: str) -> Secret:
    value = told.get(field) if isinstance(told, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise SecretRefused(f"{where} must hold a text, did not")
    return Secret(value.strip())
