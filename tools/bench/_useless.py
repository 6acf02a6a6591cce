"""What was tried and did not help: the last notes on the page of benchmarks."""

from typing import Final

USELESS: Final = """## What did not help

- What is put into a caller, compiled without putting what it calls into itself, so that six small functions are not
  compiled twice: 0.2 of 6.7 s of a first sweep, and 5 % of every sweep.
- What only compiled code calls, not optimised before it is put into its callers: lost in the noise (a tenth of the
  compiling is optimised twice so), and a sweep takes 6 % longer. Whole modules optimised once instead of twice, and a
  hash of the compiler's 40 flags that is kept instead of made anew at each of 29,000 questions: a hundredth.
- Taking out what the compiler does where a number is seen for the last time (it makes it zero): a sweep took 25 s then,
  which was not looked into.
- Columns of rows by `zip`, `array` or `struct` instead of `numpy.fromiter`: one and a half to four times as long.
- `searchsorted` in a column of 32 bits with a number of Python's widens the whole column first (86 us of 100,000
  rows; 0.3 of 64 bits): narrow columns are asked by bisection.
- Asking the order machine for nothing when nothing was heard: something always was.
- Room for averages that is kept from run to run, so that its pages are not taken anew: lost in the noise.
- The walk's conditions without branches (`|` instead of `or`): 3 % sooner compiled.
- The highest of a window as `max` of a slice: the regime ensemble in plain Python 7.7 to 6.4 us a bar, but compiled
  Donchian's channel 34 to 40 ns and the stochastic 39 to 48.
- Lanes of averages as a loop over eight numbers of an array in registers: 0.56 ns each beside 0.33 for eight names,
  since where each lane reads had to be looked up again.
- Compiling with less optimisation: at the lowest level a first run takes 8.0 s instead of 10.8 (the machine was busy),
  so three quarters of it are the compiler's own Python; and some kernels could not be kept then.
- Sums of returns instead of a running mean, and each period's close beside its begin: the curve of a sweep took no
  less.
- `error_model` alone on windowed indicators (Bollinger 61 to 61 ns): only inlining moved them.
- Trees of comparisons instead of loops for powers of ten and counts of digits in the fast runner: the walk was perhaps
  a quarter faster (1.7 to 2.0 ms for 1,964 fills beside 2.7, on a busy machine), and took twice as long to compile; a
  table of powers does the same for nothing.
- Copying each set's records out of the table of all scores: 47 us a set for what the walk finds in the table itself.
- Putting every called function into the walk: as fast (65 ns a word beside 68), and as long to compile (8 s).
- The walk in a dozen smaller functions: 0.4 s of 8.5 sooner compiled, and up to a tenth slower in a sweep, because an
  array is seven arguments.
- No cyclic collection while something is compiled: what it saves there it costs right after. Tried once more with a
  threshold of 200,000 on one core: 0.2 to 1.4 s less of 9, then 0.13 for the next sweep, and 13 MiB more.
- The compiler's pass that gives each assignment a name of its own goes through all blocks for each of sixty names, a
  quarter of its time by a profile: skipping those that do not mention the name gained nothing, since to know that is as
  much work.
- Putting what a run leaves behind among the old objects without looking through it (freeze and unfreeze).
- Lists to columns by `array` or `fromiter`: `np.array` is as quick when it is told the type.
- True ranges of stretches of four far apart lanes: sixteen streams at once are more than the prefetcher follows.
- A core of its own for the loop (`taskset`), where others use that core, too; and young garbage, which fell into none
  of 28 decisions.
- Collecting everything each minute: up to 100 ms by the wall on a busy machine, for what younger collections find too.
- Huge pages for all that the start made (`MADV_COLLAPSE`, 46 MiB in 0.2 to 0.9 s): no difference beyond the noise.
- `__slots__` for channels and mailboxes, with what a hop asks of them side by side: 9.3 us to put a message and 6.3 to
  take it with all caches emptied before, with and without.
- A short watch that notes who has taken work and when at its next look, 2 us less where nobody was watched: hangs are
  found in the same half second, but at other moments, and worlds with hangs went otherwise.
- An EMA as `value * (1 - k) + x * k` is a third shorter in its chain, but in a market that does not move it is not the
  price to the last bit, and averages of it would cross by rounding.
- One wrapper around `Mailbox` and `OrderMachine` for all worlds instead of new ones in each, so that the interpreter
  keeps what it has learned of these classes: 1.004 of the time.
- One timer for the long watches of all supervisors, at the shortest pause of any: reckoned, and not built. It would
  save 960 timers an hour and look at mailboxes 11,500 times instead of 6,600.
- SQLite's settings for the journal of a world's hour (250 transactions, 32 ms of CPU by themselves): `secure_delete`
  off, its log folded back every 4,000 pages, a cache of 8 MB, the file mapped, no syncs: 0.97 to 1.07 of the time.
  Pages of 512, 1,024, 2,048 and 8,192 bytes instead of 4,096: 1.35, 1.16, 1.05 and 1.01. A third is the kernel's, which
  is given some ten pages a transaction, a third Python's, a fifth SQLite's.
- Compiled modules. The modules that cost a world most, compiled with their sources as they are, gave the same digests
  of worlds and no speed (CPU time in turns, busy machine). Forty of them by mypyc 2.4: 20 worlds 0.94 of the
  interpreter's speed, a decision 1.02 of its time, exact backtest 0.78 to 0.93 (1m) and 0.95 to 1.09 (5m) of its bars a
  second. Fifty-two by Cython 3.3, types ignored: 0.98, 1.16, 0.87 to 0.92 and 0.74 to 0.99. No compiler could do much:
  the twenty most costly hold 35 % of a world's samples and forty 48 %, with all that they call in C. What they do is to
  read fields of structs and attrs classes, reckon in Decimal and call SQLite and msgspec; 3.11 remembers where a field
  lies, compiled code asks anew each time, and code that runs once, cold, is no smaller. Only classes of mypyc's own
  have quick fields, but it takes no attrs class whose field has a default made by `attrs.field`, and structs were left
  out; the order machine's seventeen classes must be compiled together or not at all; a float may not hold an int
  (`witness.py`); Cython knows no star in a list within `max` or in an `except`, and died in the exchange's coroutines.
  110 to 200 s of CPU to build.
"""
