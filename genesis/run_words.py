"""What a run says on its terminal: where its page is, that it stops, and its figures at the end."""

import io
import sys
from typing import Final, TextIO

import attrs
from rich.console import Console

from genesis.edge.teller import Teller
from genesis.run_options import RunOptions
from genesis.summary import Summary, table_of

LAST_WORDS_S: Final = 2.0
"""How long the end waits for a terminal that stands still, before its last words are given up."""


@attrs.define(eq=False)
class RunWords:
    """Says lines on stdout; with --json stdout is for the summary alone, and the lines go to stderr.

    Nothing here waits but `end`: a terminal that stands still must not keep the loop that trades.
    """

    options: RunOptions
    _told: dict[TextIO | None, Teller] = attrs.field(factory=dict, init=False)

    def say(self, text: str) -> None:
        self._teller(sys.stderr if self.options.json else sys.stdout).say(text + "\n")

    def greet(self, market: str, address: str, ticket: str) -> None:
        """The first lines; `market` says what is traded there and how."""
        for line in (
            market,
            f"page: {address}/?ticket={ticket}",
            f"data: {self.options.user_dir.root}   (Ctrl-C stops)",
        ):
            self.say(line)

    def sum_up(self, summary: Summary) -> None:
        stdout = self._teller(sys.stdout)
        if self.options.json:
            stdout.say(summary.json() + "\n")
            return
        # As wide and as coloured as the terminal takes it, and not by way of it: it may take nothing.
        shown, real = io.StringIO(), Console()
        Console(file=shown, width=real.width, force_terminal=real.is_terminal).print(table_of(summary))
        stdout.say(shown.getvalue())

    def end(self) -> None:
        """Wait until all of it is said, or nobody takes it."""
        for teller in self._told.values():
            teller.end(LAST_WORDS_S)

    def _teller(self, stream: TextIO | None) -> Teller:
        return self._told.setdefault(stream, Teller(stream))
