"""What profiles of simulated worlds showed: notes on the page of benchmarks."""

from typing import Final

WORLDS: Final = """\
**Trading actors in worlds.** In an hour on candles of 1m (250 transactions, 40 orders) the journal takes 111 ms, the
order actor 66, risk 35, the account 23, the watch over stops 12 and signal 9, of 717 (sampled); on 5m 39, 25, 11, 13, 2
and 4 of 400. None of their functions stands out, and a warm journal would take a third of it. What was done is to leave
out what nobody needs: tuples of the newest two hundred fills, verdicts and scores are made when there is another (each
was fetched for that, 9 us a turn), the grounds of wishes when something was forgotten, and the risk status of those;
the watch over stops is woken by what it looks at (119 steps an hour of 5m, 34 now), the account's view goes out at once
after a quiet time (175 and 135), an order's evidence is asked for where that matters, a commit is looked at once. In
turns with the code before, each world twice each way, the better one taken (busy machine, medians): 1.04 on 1m, 1.02 on
5m, by sums 1.02 and 1.01, and in coarser rounds of whole processes no gain at all: it is about the noise. `genesis
replay`, which runs the same machines, 51 to 47 ms an hour of 1m in two rounds.

**What goes by the clock in worlds.** Of an hour on 5m (371 to 400 ms) trio's own loop takes an eighth (7,000 steps in
5,500 turns, 5,500 waits, 1,260 cancel scopes), the clock with all that it rings a seventh (of which the market 8 %),
the replay at the end 4 to 5, garbage at the end 1.9, a life's start 4; nothing else takes 2 %. A wait and what ends it
went from 2.83 to 2.20 us and a scope from 3.40 to 2.41 (in turns, warm): sleepers are woken with one object that says
nothing, and worlds ask trio's wait and its scopes' change of deadline directly. The clock is read without trio's way to
it (9,000 times an hour), a market's moments are made before it begins, a minute is added to the ticker's day, settings
are read once a world, a regime's words are made once a candle, each channel's one receiver is looked up, nobody pings
where nobody is connected (800 steps an hour with a web), and a virtual read does not ask twice whether it is cancelled.
The steps themselves are made by a loop of worlds' own since (`genesis/worlds/virtual_loop.py`): trio's steps in trio's
order, without instruments, without the way to the kernel between two of them and without what is made anew for each
wait. Four worlds of an hour went from 8.75 to 8.31 thousand million instructions (cachegrind), and no step of any world
moved; with all of that session 120 worlds in turns took 0.95 and 0.96 of the CPU time (a host four times as slow as
usual).

**Huge pages.** What lives after the start is gathered in pages of 2 MiB (`genesis/edge/huge_pages.py`). On a host of
November 2026 whose kernel gives them where they are asked for (`madvise`), 40 worlds in turns took 0.948 of the CPU
time (medians of worlds 0.942; 0.942 and 0.935, 0.929 and 0.954 in two rounds before), and the engine's part from its
read to its send 567 us beside 619 (four rounds in turns, 0.89, 0.95, 0.98, 0.86), with 0.4 MiB more memory. To ask for
huge pages for what comes, too, gave nothing more. The text of the interpreter cannot be gathered: its files would have
to lie in huge pages of their own.
"""
