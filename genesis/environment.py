"""The environment as the engine and its commands see it: with the `.env` files, and with secrets from where they lie.

Apart from the settings, which know every strategy: a command that only asks the engine something need not load those.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from genesis.edge import config_files
from genesis.edge.secret_providers import is_reference, resolve
from genesis.edge.secrets import find
from genesis.edge.user_dir import UserDir


def merged_environment(
    user_dir: UserDir, environment: Mapping[str, str], *, here: Path | None = None
) -> dict[str, str]:
    """The environment over `.env` of the user directory over `.env` of the working directory."""
    return config_files.environment(environment, [(here or Path.cwd()) / ".env", user_dir.root / ".env"])


def with_secrets(environment: Mapping[str, str], names: Iterable[str], user_dir: UserDir) -> dict[str, str]:
    """The environment with these secrets in it, from wherever it says that they are kept.

    Looked for in this order: a file of that name in `secrets/`, NAME_FILE, NAME_CMD, NAME; the last may be a reference
    such as `vault:secret/data/genesis#key`. Blocks. Raises SecretRefused: a place that is there but unusable is not
    skipped for another one.
    """
    found = dict(environment)
    for name in names:
        secret = find(name, directory=user_dir.secrets, environment=found)
        found.pop(f"{name}_FILE", None)
        found.pop(f"{name}_CMD", None)
        if secret is None:
            continue
        text = secret.reveal()
        found[name] = resolve(text, found).reveal() if is_reference(text) else text
    return found
