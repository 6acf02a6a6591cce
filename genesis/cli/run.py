"""`genesis run`: reads the configuration, takes the user directory, and hands over to the engine."""

import gc
import math
import socket
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
from cyclopts import Parameter

from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where, environment
from genesis.configuration import Configuration, load, with_secrets
from genesis.domain.settings_build import Built, Layer
from genesis.edge.errors import SecretRefused
from genesis.edge.user_dir import DirectoryInUse, UserDir, UserDirError
from genesis.run_options import CannotStart, ExitCode, Mode, RunOptions

if TYPE_CHECKING:
    from genesis.edge.teller import Teller

LIVE_CONFIRM: Final = "GENESIS_LIVE_CONFIRM"
LIVE_WORDS: Final = "trade real money"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
LAST_LINES_S: Final = 2.0
"""How long the end waits for a terminal that takes no lines."""
LIVE_KEYS: Final = ("BITFINEX_API_KEY", "BITFINEX_API_SECRET")


def run(
    *,
    mode: Annotated[
        Mode, Parameter(help="sim: a recording; paper: the real feed, simulated orders; live: real money.")
    ] = Mode.SIM,
    recording: Annotated[
        str | None, Parameter(help="A recording's name or file (mode sim); `genesis data list` names them.")
    ] = None,
    speed: Annotated[str, Parameter(help="Recorded seconds a second, or max.")] = "60",
    port: Annotated[int | None, Parameter(help="Port of the page and the API; 0 takes a free one.")] = None,
    seed: Annotated[int, Parameter(help="Seed of everything that is left to chance (mode sim).")] = 0,
    json: Annotated[bool, Parameter(negative="", help="Print the summary as JSON.")] = False,
    dev: Annotated[
        bool, Parameter(negative="", help="Give tokens without proof: for trying the API out, on loopback, mode sim.")
    ] = False,
    fresh: Annotated[
        bool, Parameter(negative="", help="Begin the simulated session anew; the old one is put into archive/.")
    ] = False,
    live: Annotated[bool, Parameter(negative="", help="Say once more that mode live is meant.")] = False,
    where: Where | None = None,
) -> int:
    """Start the engine and run until the recording ends, SIGTERM or Ctrl-C."""
    user_dir = (where or Where()).user_dir
    options = options_of(
        user_dir,
        mode=mode,
        recording=recording,
        speed=speed,
        port=port,
        seed=seed,
        json=json,
        dev=dev,
        fresh=fresh,
        live=live,
    )
    try:
        user_dir.create()
        held = user_dir.hold()
    except DirectoryInUse as error:
        raise CommandFailed(str(error)) from None
    except UserDirError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    try:
        loose = user_dir.loose_secrets()
        if loose:
            text = f"{loose[0]} must be readable by its owner only (chmod 600), was open to others"
            raise CommandFailed(text, ExitCode.CONFIGURATION)
        lines = _log(options)
        # What is loaded stays: nobody looks for garbage in it, neither meanwhile nor later.
        gc.disable()
        try:
            from genesis.running import run_engine
        finally:
            gc.freeze()
            gc.enable()
        try:
            return int(run_engine(options))
        finally:
            lines.end(LAST_LINES_S)
    except CannotStart as error:
        raise CommandFailed(str(error), error.exit_code) from None
    finally:
        held.release()


def options_of(
    user_dir: UserDir,
    *,
    mode: Mode,
    recording: str | None,
    speed: str,
    port: int | None,
    seed: int,
    json: bool,
    dev: bool,
    live: bool,
    fresh: bool = False,
) -> RunOptions:
    """Everything that can be judged before anything is touched. Raises CommandFailed."""
    pace = speed_of(speed)
    if recording is not None and mode is not Mode.SIM:
        raise CommandFailed(f"--recording is for mode sim, the mode was {mode}", ExitCode.CONFIGURATION)
    values: dict[str, object] = {} if port is None else {"web.port": port}
    command = Layer(name="command line", values=values)
    found = _recording(recording)
    base = symbols_of(found) if mode is Mode.SIM else group_of(user_dir)
    configuration = load(user_dir, environment(), base=base, command=command)
    configuration = attrs.evolve(configuration, environment=_secrets(configuration, user_dir, mode))
    if not isinstance(configuration.outcome, Built):
        raise CommandFailed("\n".join(str(fault) for fault in configuration.outcome), ExitCode.CONFIGURATION)
    settings = configuration.outcome.settings
    if dev and (mode is not Mode.SIM or settings.web.host not in LOOPBACK):
        text = f"--dev needs mode sim on loopback, was mode {mode} on {settings.web.host}"
        raise CommandFailed(text, ExitCode.CONFIGURATION)
    open_access = not _auth_required(configuration.environment)
    if open_access and (mode is not Mode.SIM or settings.web.host not in LOOPBACK):
        text = f"AUTH_REQUIRED=False needs mode sim on loopback, was mode {mode} on {settings.web.host}"
        raise CommandFailed(text, ExitCode.CONFIGURATION)
    if mode is Mode.LIVE:
        _must_be_meant(live, configuration)
    return RunOptions(
        mode=mode,
        user_dir=user_dir,
        settings=settings,
        layers=configuration.layers,
        priority=configuration.priority,
        environment=configuration.environment,
        recording=found,
        speed=pace,
        seed=seed,
        json=json,
        dev=dev,
        open_access=open_access,
        token_minutes=_token_minutes(configuration.environment),
        fresh=fresh,
        confirmed=mode is Mode.LIVE,
    )


def _secrets(configuration: Configuration, user_dir: UserDir, mode: Mode) -> Mapping[str, str]:
    """The environment with its secrets fetched; the venue's keys in mode live only. Raises CommandFailed."""
    from genesis.domain.config_keys import SECRETS

    names = [each.name for each in SECRETS if mode is Mode.LIVE or not each.name.startswith("BITFINEX_")]
    try:
        return with_secrets(configuration.environment, names, user_dir)
    except SecretRefused as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None


def _auth_required(environment: Mapping[str, str]) -> bool:
    """`AUTH_REQUIRED`; without it, yes. Raises CommandFailed on what is neither yes nor no."""
    text = environment.get("AUTH_REQUIRED", "").strip()
    if text.lower() in ("", "true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise CommandFailed(f"AUTH_REQUIRED must be True or False, was {text[:40]}", ExitCode.CONFIGURATION)


def _token_minutes(environment: Mapping[str, str]) -> float | None:
    """`ACCESS_TOKEN_EXPIRE_MINUTES`. Raises CommandFailed unless it is a number of minutes of at most a day."""
    text = environment.get("ACCESS_TOKEN_EXPIRE_MINUTES", "").strip()
    if not text:
        return None
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 1 <= minutes <= 1440:
        raise CommandFailed(
            f"ACCESS_TOKEN_EXPIRE_MINUTES must be a number from 1 to 1440, was {text[:40]}", ExitCode.CONFIGURATION
        )
    return minutes


def speed_of(text: str) -> float:
    """`max` is inf. Raises CommandFailed on what is no speed."""
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and 0 < speed <= 1_000_000):
        raise CommandFailed(
            f"--speed must be max or a number from above 0 to 1000000, was {text}", ExitCode.CONFIGURATION
        )
    return speed


def _recording(name: str | None) -> str | None:
    """A name stays a name, a path becomes absolute. Raises CommandFailed when neither is known."""
    if name is None:
        return None
    from genesis.domain.recording import RecordingError
    from genesis.simulator.recordings import find

    try:
        path = find(str(Path(name).expanduser()))
    except RecordingError as error:
        raise CommandFailed(str(error), ExitCode.NOT_FOUND) from None
    return str(path.absolute()) if Path(name).expanduser().exists() else name


def symbols_of(recording: str | None) -> Layer | None:
    """Whoever chose a recording and no symbols gets the recording's. Raises CommandFailed when it is corrupt."""
    if recording is None:
        return None
    from genesis.domain.recording import CandleRecording, RecordingError
    from genesis.simulator.recordings import load as load_recording

    try:
        loaded = load_recording(recording)
    except RecordingError as error:
        raise CommandFailed(str(error)) from None
    if isinstance(loaded, CandleRecording):
        symbols = [str(symbol) for symbol in loaded.symbols]
    else:
        symbols = sorted({str(channel.symbol) for channel in loaded.channels})
    return Layer(name=f"recording {loaded.name}", values={"market.symbols": symbols})


def group_of(user_dir: UserDir) -> Layer:
    """A group id of this installation's own, unless settings name one.

    Engines that share an account number their orders from 1 on, each for itself: only the group tells whose is whose.
    Orders in the journal keep the group that they had, so a moved directory loses nothing.
    """
    name = f"{socket.gethostname()}:{user_dir.root.absolute()}"
    return Layer(name="this installation", values={"orders.group_id": zlib.crc32(name.encode()) % (2**31 - 1) + 1})


def _must_be_meant(live: bool, configuration: Configuration) -> None:
    """Real money takes three things: the flag, the keys, and words that nobody types by accident."""
    if not live:
        raise CommandFailed("mode live trades real money and needs --live as well", ExitCode.CONFIGURATION)
    missing = [name for name in LIVE_KEYS if not configuration.environment.get(name)]
    if missing:
        raise CommandFailed(f"mode live needs {' and '.join(missing)} in the environment", ExitCode.CONFIGURATION)
    words = configuration.environment.get(LIVE_CONFIRM)
    if words is None:
        if not sys.stdin.isatty():
            text = f"mode live must be confirmed: set {LIVE_CONFIRM}={LIVE_WORDS!r}"
            raise CommandFailed(text, ExitCode.CONFIGURATION)
        words = input(f"This sends real orders to Bitfinex. Type {LIVE_WORDS!r} to go on: ")
    if words.strip() != LIVE_WORDS:
        text = f"mode live was not confirmed, nothing was started: the words are {LIVE_WORDS!r} ({LIVE_CONFIRM})"
        raise CommandFailed(text, ExitCode.CONFIGURATION)


def _log(options: RunOptions) -> "Teller":
    """Set logging up; gives who says the lines on the terminal."""
    from genesis.domain.config_keys import SECRETS
    from genesis.edge import logs
    from genesis.edge.teller import Teller

    values = (options.environment.get(secret.name) for secret in SECRETS)
    settings = options.settings.logs
    lines = Teller(logs.terminal())
    logs.configure(
        level=settings.level,
        file=options.user_dir.logs / f"{options.mode.value}.log",
        file_max_bytes=settings.file_max_bytes,
        files_kept=settings.files_kept,
        console=lines,
        redactor=logs.Redactor(value for value in values if value),
    )
    return lines
