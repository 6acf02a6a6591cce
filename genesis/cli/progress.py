"""A progress bar on the terminal: on stderr, so that a pipe gets answers only; without a terminal it says nothing."""

import sys
from types import TracebackType

import attrs


@attrs.define(eq=False)
class Bar:
    """Use as a context; `update` takes the part that is done in [0, 1] and what is being done."""

    title: str
    hidden: bool = False
    _progress: object = attrs.field(default=None, init=False)
    _task: object = attrs.field(default=None, init=False)

    def __enter__(self) -> "Bar":
        if not self.hidden and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            progress.start()
            self._progress, self._task = progress, progress.add_task(self.title, total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from rich.progress import Progress

        if isinstance(self._progress, Progress):
            self._progress.stop()

    def update(self, part: float, text: str = "") -> None:
        from rich.progress import Progress, TaskID

        if isinstance(self._progress, Progress):
            assert isinstance(self._task, int)
            words = f"{self.title}: {text}" if text else self.title
            self._progress.update(TaskID(self._task), completed=part, description=words)
