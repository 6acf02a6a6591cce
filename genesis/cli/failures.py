"""How a command fails: one line for a person, a code for a script."""

from genesis.run_options import ExitCode


class CommandFailed(Exception):
    """The command could not do what was asked. The text is for stderr; every line of it is one reason."""

    def __init__(self, text: str, exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class NotRunning(CommandFailed):
    """No engine answers where one should."""

    def __init__(self, where: str, pid: int | None = None) -> None:
        text = f"no engine is running {where}; start one with `genesis run`"
        if pid is not None:
            text = (
                f"process {pid} has the directory but does not answer {where}: it starts, waits for the venue, or hangs"
            )
        super().__init__(text, ExitCode.NOT_RUNNING)


class Starting(NotRunning):
    """An engine has the directory, and waits for something before it runs: the text is what it says itself."""

    def __init__(self, text: str) -> None:
        CommandFailed.__init__(self, text, ExitCode.NOT_RUNNING)
