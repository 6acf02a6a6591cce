"""A secret shows itself nowhere, and comes only from places that others cannot read."""

import copy
import json
import logging
import pickle  # noqa: TID251  (to see it refused)
import traceback
from pathlib import Path

import msgspec
import pytest

from genesis.edge.errors import SecretRefused
from genesis.edge.secrets import Secret, find, from_command, from_environment, from_file, write_secret

CANARY = "canary-7f3a91"


def a_file(path: Path, text: str = CANARY + "\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{!r:>40}".format,
        lambda secret: f"{secret}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  (what old log calls do)
        lambda secret: str([secret, {"key": secret}]),
        lambda secret: str(ValueError(secret)),
        lambda secret: "".join(traceback.format_exception(ValueError(secret))),
        lambda secret: logging.LogRecord("x", 10, "x", 1, "%s", (secret,), None).getMessage(),
    ],
)
def test_it_is_masked_wherever_text_is_made(show: object) -> None:
    text = show(Secret(CANARY))  # type: ignore[operator]
    assert CANARY not in text
    assert "****" in text


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, bytes])
def test_it_is_not_carried_away(carry: object) -> None:
    with pytest.raises(SecretRefused):
        carry(Secret(CANARY))  # type: ignore[operator]


@pytest.mark.parametrize("encode", [json.dumps, msgspec.json.encode, msgspec.msgpack.encode])
def test_it_is_not_encoded(encode: object) -> None:
    with pytest.raises((TypeError, SecretRefused)) as caught:
        encode({"secret": Secret(CANARY)})  # type: ignore[operator]
    assert CANARY not in str(caught.value)


def test_it_has_no_attributes_to_look_into() -> None:
    secret = Secret(CANARY)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert len({secret, Secret(CANARY), Secret("other")}) == 2


def test_a_file_of_its_owner_is_read_without_the_line_end(tmp_path: Path) -> None:
    assert from_file(a_file(tmp_path / "key")).reveal() == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    path = a_file(tmp_path / "key", mode=mode)
    with pytest.raises(SecretRefused, match=rf"must be 0600, was {mode:04o}: chmod 600") as caught:
        from_file(path)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe\x00"])
def test_a_file_without_a_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(SecretRefused, match="must hold"):
        from_file(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretRefused, match="must be readable"):
        from_file(tmp_path / "missing")
    with pytest.raises(SecretRefused, match="must be a plain file"):
        from_file(tmp_path)


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    assert from_command(f"echo '{CANARY}'").reveal() == CANARY
    assert from_command(["echo", f"{CANARY}; rm -rf /"]).reveal() == f"{CANARY}; rm -rf /"


@pytest.mark.parametrize(("command", "text"), [("false", "must end with 0, was 1"), ("no-such-program", "failed")])
def test_a_failing_command_is_named_without_its_output(command: str, text: str) -> None:
    with pytest.raises(SecretRefused, match=text):
        from_command(command)


def test_a_slow_command_is_given_up() -> None:
    with pytest.raises(SecretRefused, match="TimeoutExpired"):
        from_command("sleep 5", timeout_s=0.05)


def test_the_environment_forgets_what_was_read() -> None:
    environment = {"KEY": f" {CANARY} ", "EMPTY": ""}
    secret = from_environment("KEY", environment)
    assert secret is not None
    assert secret.reveal() == CANARY
    assert environment == {"EMPTY": ""}
    assert from_environment("EMPTY", environment) is None
    assert from_environment("MISSING", environment) is None


def test_places_are_looked_at_in_their_order_and_a_bad_one_is_not_skipped(tmp_path: Path) -> None:
    environment = {"API_KEY": "from-environment", "API_KEY_CMD": "echo from-command"}
    assert find("API_KEY", directory=tmp_path, environment=environment) == Secret("from-command")
    environment["API_KEY_FILE"] = str(a_file(tmp_path / "named", "from-file"))
    assert find("API_KEY", directory=tmp_path, environment=environment) == Secret("from-file")
    a_file(tmp_path / "api_key", "from-directory")
    assert find("API_KEY", directory=tmp_path, environment=environment) == Secret("from-directory")
    (tmp_path / "api_key").chmod(0o644)
    with pytest.raises(SecretRefused):
        find("API_KEY", directory=tmp_path, environment=environment)
    assert find("OTHER", directory=tmp_path, environment={}) is None


def test_a_secret_is_written_for_its_owner_and_never_over_another(tmp_path: Path) -> None:
    write_secret(tmp_path / "new", Secret(CANARY))
    assert from_file(tmp_path / "new").reveal() == CANARY
    with pytest.raises(SecretRefused, match="must be new"):
        write_secret(tmp_path / "new", Secret("other"))
    assert from_file(tmp_path / "new").reveal() == CANARY


def test_a_secret_has_a_length() -> None:
    with pytest.raises(SecretRefused, match="had 0"):
        Secret("")
    with pytest.raises(SecretRefused, match="must have 1 to"):
        Secret("x" * 20_000)
