"""How it is measured, and what profiles showed: notes of the benchmarks (more: `_notes_worlds`, `_useless`)."""

from typing import Final

NOTES: Final = """## How it is measured

CPU time where one thread does the work (decoding, mailboxes, risk, indicators, backtests), wall time where sockets or
the disk take part (tick to order, durable intents, start, requests). Wall time on a busy machine is mostly waiting for
a core, so those lines say little unless nothing else runs; tick to order is told in CPU time as well.

Tick to order runs from the moment before the exchange writes the bytes that close a candle (with those of the pair's
other channels, which the engine reads too) to the moment after it has read the bytes of the order. Beside it, in the
same round, stand five actors that do the least there is between a tick and an order, between the same two moments and
with the same pauses between two ticks (`tools/bench/_prototype.py`): after a pause the same work takes three and a half
times the CPU that it takes right after itself, for them as for the engine. "Not durable" is with a journal that answers
and keeps nothing, so all that durability costs (SQLite, hashes, a thread, the disk) stands in the line of what it adds.
Even then the order asks the journal's actor and waits for its answer; "without its wait" leaves that time out, from the
question to the moment at which the order goes on: an intent that is not durable needs no question.

It is measured in two ways. **Wire to wire** has the exchange in a process of its own, and likewise the prober of the
five actors, with the same stream, clock and pauses. **One loop** has the exchange, or the prober, on the loop and core
of those whom it times, and was all there was until late in November 2026; its figures stand beside the others, since a
ruler that is changed where a goal is missed must show both. The goal is judged wire to wire since then, because that is
what it says, and what the five actors' figures were that it comes from (a prober in a process of its own). On one loop
the engine answers for what the exchange does in the same time (writing to several channels, reading the order, some 80
to 100 us, and what that leaves of the caches), where the prober of the five actors does next to nothing; no market's
other end is on the engine's core. The same minute has told 4.1 times the five actors on one loop and 2.2 wire to wire.

What there is to say against it: most of that difference is that both sides now pay for waking a process that has slept,
some 170 us from the tick's write to the end of its read and 70 to 90 from the order's write to its read, so that the
same work of ours is a smaller multiple. Therefore what the engine itself does, from its read to its send, stands beside
what the five actors do there, with a line of its own, by the wall and in CPU time of the whole process (4.7 times on
that occasion), and the CPU line of one loop stays a goal. The far ends favour nobody: the exchange's two parts took 173
and 91 us where the prober's took 168 and 69, and so it was when the prober worked for 150 us before each tick, as the
exchange does (155 and 76, 177 and 72), and when neither ever slept (174 and 40, 160 and 66). Five actors without a
pause, as they were measured first, are told as well.

"At 10,000 messages/s" was an open loop: a prober that writes so many ticks a second, each through all five actors to an
order (2 ms of them in one write: the 500 us and the 279 of a mere echo in those figures are the time of such a write).
An engine does not order ten thousand times a second, and no account may. So the exchange says as much of the traded
pair on the socket that the candle comes on, tickers and trades, as many in a write as the prober writes ticks, and the
candle's closing frame stands in such a write: the same bytes are read, cut, decoded and handed over on both sides
before the order leaves. "Beside 10,000 messages/s", on one loop, has a feed of another symbol in a process of its own,
which goes through a connection actor into the engine's market cache.

Until November 2026 the time ended after the exchange had parsed the order, five actors had no pauses, the journal wrote
to memory, and an order that took longer than a pause was counted from the next pair's boundary.
200 symbols are replayed by an exchange in a process of its own, so that the memory told is the engine's alone.
TA-Lib, vectorbt and backtesting.py run in environments of their own, which the command builds from hashed locks; in a
quick run numpy reading the columns once stands beside the indicators. Clients of market data (bitfinex-api-py,
ccxt.pro, cryptofeed, picows) read the same feed in environments of their own, which the command builds from hashed
locks; cryptofeed has no candles of this exchange and hears tickers instead, picows is how near a client in Cython comes
to the socket. Bounds taken from a prototype or a peer
were measured on another, less busy machine. ADX stands beside TA-Lib's ADX and both directions, since ours gives all
three. The exact backtest runs one EMA cross with ATR, and the regime ensemble with its dozen of indicators; the bare
loop beside the fast runner does the arithmetic of a cross in floats, with a stop, a target, and guards of the day's
loss and of drawdown, and nothing else. vectorbt is given the closes alone.

The figures kept here are of two rounds on two cores that other work kept busy (load 5 to 8); start, memory and
/health were measured in two rounds right after the others. Indicators, the fast runner and the sweep were measured
later, beside their peers and in one round (load 8 to 12). A ratio whose spread is wide proves nothing: in one of the
two rounds EMA took 1.5 times as long as TA-Lib, in the other TA-Lib itself took four times as long as usual.

Tick to order, 200 symbols and `/metrics` are of one later round, beside eleven other busy programs that also wrote to
the disk: a decision with a durable intent took 24 ms then, with the changes told below and without them alike, where
it had taken 3.7 on a machine with less to do. The CPU line and the ratios to figures of the same moment are what that
round can say. 200 symbols grow by some 12 MiB an hour until each series has its share of candles, and then no more.

## Profiles

**Exact backtest** (cProfile, 20,000 one-minute bars). Before: building a candle, an update message and a sorted list
of pending candles for each minute and stream; four ticks a minute through the venue; JSON of every decision; sorting
wallets and following figures for each point of the curve. Now:

- a minute whose candle lies inside the venue's band (no order can fill, trigger or end) is one tick instead of four;
- the candle of a bigger time frame is built when its stream could close something, not every minute;
- decision lines are written when somebody asks for them, equity figures when somebody looks;
- the wallets' order is kept until a wallet changes.

Digest, trades, curve and refusals of nine runs over the shipped recordings stayed the same bytes. Together 1.4 to 2
times as fast (four-day crash, CPU time in turns on one machine: default settings 21,400 to 37,400 bars/s, one strategy
on 5m 30,300 to 63,300).

Then the walk learned to leap: what strategies will say is worked out over columns, and only minutes in which something
can happen are handed to the machines; what risk and the account would remember of the others comes from the columns,
and the walk of every minute judges it in a property test. 100,000 bars, one strategy on 5m, 178 trades: 49,000 to
113,000 bars/s. A profile of that: numpy asked of single numbers 760 times (a fifth), the cyclic collector looking
through all that lives on (a sixth), the curve's 50,000 points and figures (a sixth). Without those 205,000 bars/s; the
regime ensemble on 5m, which trades less, 280,000 to 360,000. Without numba 170,000 and 206,000. What remains is about a
millisecond for each order through order machine, venue, account and risk with its verdict, so a strategy that trades
every fifty bars stays at 60,000 to 70,000. Without the compiler loaded (it takes a second and a half) plain Python
steps are sooner done up to 300,000 candles, so short runs do not load it.

Then the order's millisecond (in turns with the code before, CPU time, medians: 1m 68,000 to 106,000 bars/s, 5m 128,000
to 204,000, crash 88,000 to 110,000). Rows became columns by `np.array`, which looks at each row as at a sequence of its
own: a fifth to a third of a run, a seventh of that number by number. A verdict's seventy numbers as text and its record
cost twice as much as finding them and are written when somebody reads them: at 1m, where most scores are refused, a
sixth of a run. Changed rows, updates and fills were JSON for a journal that is not there, and the order machine was
asked again after reports (5 %). Risk went through the last sixty ended orders at each fill, and `attrs.evolve` copied
lots (7 %). What did not help: no collections at all, and forgetting each finding at once (1 to 2 % both). What is left
at 1m, where 3,100 of 3,700 scores that ask for something are refused and 207 trades are made: a third risk (90 us a
judgement, of which the 33 rules 35), a fifth the step and range of each candle in plain Python (2 us a bar, which alone
would end at 500,000 bars/s), a fifth orders, a tenth passing over. At 5m, with 222 trades: 40 % orders, spread over
some sixty functions of which none takes 4 %. In both the drawdown ends trading before the bars end. Where no loss may
end it, 5m makes 374 trades at 145,000 to 160,000 bars/s and 1m 1,818 trades at 31,000 to 37,000: half a millisecond an
order, at 50,000 bars as at 200,000.

Then what a refusal costs, and plain Python's steps (in turns with the code before, medians of CPU time beside eight to
twelve busy programs: 1m 1.40 times as fast, 5m 1.19, both to the end 1.15 to 1.2; at real-time priority, so that nobody
else's work empties the caches: 1m 145,000 to 218,000 bars/s, 5m 305,000 to 356,000, 5m to the end 213,000 to 237,000;
the regime ensemble with its dozen of indicators 306,000 to 331,000 on 5m, 84,000 to 94,000 on 1m; all at 100,000 bars).
A rule is a question now and, apart, the numbers of its answer, which are worked out of facts that do not change when
somebody reads the verdict: 33 rules 17 to 4 us, and a test reads the same judgements at once and after everything has
gone on. The day of a moment was looked up anew for every quarter of an hour (3 us a score). Steps are written into the
loop that calls them where no compiler is loaded (`genesis/domain/indicators/unfolding.py`: the same source, its
parameters put in, its state in local names; 10 ms to write, so from 40,000 candles on): an EMA cross 0.65 to 0.35 us a
bar, to the same bits; one that looks through windows hardly gains, its loops are its cost. Ranges are heard all at once
but for the running mean (a quarter of what it was). The curve is drawn when a wallet changes, not after each of 3,500
leaps; a walked minute in which nobody can act is two comparisons of columns; a score is made without the candle and
opinion that only its words need; a flat account is not valued at every close. In the order's path: cells are not named
where nobody keeps them, a lot's one leg is compared with what is wanted before anything else is asked, sixty ended
orders are looked through only when one of ours is among them, what is said most often is asked for first. Each of those
is a fiftieth to a hundredth; together an order is a seventh cheaper. What is left at 1m, where 3,706 of 100,000 minutes
are walked: a quarter risk (43 us a score on a busy machine, of which the facts 11, the rules 7), 45 % orders, a tenth
steps, a tenth passing over. At 5m 70 % are the 666 orders: a fifth of that is the order machine looking what to do next
(eight times a trade), a tenth telling risk of the account, a tenth each hearing the venue, admitting, and the venue.
300,000 bars/s hold where a strategy says something every hundred and twenty bars (5m), and not where it crosses every
27 (1m): there a score and its refusal or its orders are all that is done, and 100,000 bars hold 3,706 of them.

Of those 3,706, some 3,200 were refused, nearly all after the drawdown had ended trading, and each was a walked minute
with a judgement of its own. They are counted in a row now. A rule says whether a candle may move its answer (the time,
the price, its range); while nothing is held or under way, one that no candle moves refuses all that follows, up to the
next day, the end of a lock or a wild candle, and only the others are asked again. Nothing is written a second time: for
whoever reads the words the risk machine judges the stretch, from the state before it. 489 minutes are walked, at 1m
with 207 trades as many as at 5m with 222. In turns with the code before, at real-time priority: 201,000 to 213,000 to
312,000 to 319,000 bars/s, best of six, to the same bytes; 5m, which is hardly refused, 316,000 to 327,000 to 351,000 to
355,000. The bench times the first run of a process: 193,000 to 199,000 before and 284,000 to 305,000 now, where those
after it went from 221,000 to 320,000. 8 ms of that are the writing of the steps into their loop (12 while `inspect`
looked for each one's last line by reading tokens), the rest is code that runs for the first time. It was slower still
by what `numpy.unique` imports, 40 ms where nothing of that was compiled to bytecode. What is left at 1m: 60 % orders
and the walk around them, a sixth what the strategy says and its ranges, a twentieth counting refusals, as much passing
over. Collections of garbage take 1.3 %.

A trade is three orders, eight looks of the order machine, eighteen messages of the venue and 4,300 calls of functions,
of which none takes 2 % by itself; it was 1.05 ms with everything warm. Two of the eighteen were `te`, which `tu` says
again in the same breath, and the venue wrote texts of ledgers, META and a history for a wire that is not there
(`Books.is_told`; a property test holds both venues to one another). A sale from the only lot, a minute's four ticks and
the prices that a venue refuses made objects that nobody looks at. What a strategy's loop works out of numbers that it
never changes (`2.0 / (period + 1.0)`) is worked out before its first round, and its columns are looked at through
views: an EMA cross 0.50 to 0.36 us a bar with its lists. In turns with the code of the session's start, on two cores
that ten others used, medians of CPU time of the first run of a process: 1m 193,000 to 219,000 (1.14 times; 1.12 an
hour before), 1m to the end with 1,818 trades 30,100 to 35,400 (1.18). Every one of these is a hundredth or two.

**Fast runner.** Once the walk looked at every score (16 ns each with a trade every fifty bars) and the strategy's three
indicators at every bar, with their state in memory (17 ns). Now the walk leaps from word to word: between two of them a
price can only reach a protective order or raise a peak, and whether it could is told by the extremes of blocks of 64
rows, which stay in the nearest cache; rows themselves are looked at only where a block reaches so far. What an order at
a word would meet (its fill, cut as the venue cuts it, and where its stop and target would stand) hangs on nothing that
was traded before, so it is worked out for all words beforehand: first a loop that only gathers, with which many misses
of the cache are waited for at once, then one that only computes. Before, each fill waited for some ten lines of memory
one after another, 1.6 us of them at 1,000,000 bars, where the arithmetic is a tenth of that. Powers of ten come from a
table, prices are compared as they lie in the market's columns, and numpy's `union1d` (12 ms for 20,000 words) is gone.
With 18 trades a thousand bars: 21 to 24 ns
a bar before, 9.8 after, beside 6.0 of the bare compiled loop (0.61 of its speed at 1,000,000 bars, 0.54 at 5,000,000);
at 100,000 bars, which the bare loop has in its cache, 8.8 beside 3.0. A run of 5,000,000 bars held 576 MiB, of which
the bars themselves are 240; with minutes and rows in 32 bits 519; vectorbt, which is given closes alone, 707.
What a child process says it held at most was
once its parent's: both are now read where the program's own is told.

**Memory of long markets.** What 5,000,000 bars cost a user is not what an array of them does. A worker of a search held
867 MiB at most (compiled 669): the reader's copy of the whole series and a table of it when the mapped array was made,
temporaries of whole columns when rows were looked through for faults, and the times once more as whole numbers. Now
months are read one by one, faults are looked for a stretch at a time, times lie in the mapped array as whole numbers
too, and whoever has looked through a stretch of a mapped column lets go of its pages. 220 MiB (compiled 352), 0.31 of
vectorbt's 705: interpreter and libraries 45, opens, highs, lows and closes where an order meets them 70 to 90 of shared
pages, minutes 19, records and fills of 180,000 words 36. Volume and times are never there. Before the first trial a
worker takes 0.25 s of processor instead of 1.7. Reading the market for one exact backtest: 360 MiB instead of 866, 1.2
s instead of 2.8. Bars that somebody made in memory are 229 MiB by themselves, which no runner can lessen: 351 MiB. The
memory line is of the worker's path, with the store made beforehand; until November 2026 it was of bars in memory.

An exact backtest of 5,000,000 bars with 90,000 trades ended at 3 GiB, some 28 KB a trade (in the same measurement as
what follows 2,647 MiB, of which 275 were there before it began). By roots, of a trade: what the words of its decisions
are made of 6.6 KB, the order machine's ended orders and trades 4, the venue's ledger, orders and trades 5, fills and
trades of the result 2.2, names and expected prices 0.7, all that the account has seen 0.6. Words of more than 20,000
decisions are not kept now, but found by walking once more when somebody reads them; the order machine lets go of all
but its newest thousand orders; the venue keeps nothing. Of a bar: four columns of what a strategy said, four of its
ranges and five of places, of 64 bits each, 100 bytes; now codes are a byte, a probability that never changes stands
once, ranges are told by one column and a place, and minutes are 32 bits or, where none is missing, a range: 33 bytes.
926 MiB, to the same fills; 3.8 KB a trade are left, nearly all of which is the result.

**Sweep.** Averages that many sets look at are made once; where two of them change sides is found for a hundred sets a
stretch of 1,024 rows at a time (all columns of a stretch fit into the second cache), without a branch, many rows to
an instruction: 160 to 76 us a set. What an order would meet is worked out once for every score, so that a set costs
its own cash, guards and curve (185 us for 1,500 fills); drawdown comes from blocks of the curve's points, returns
only from the ends of its periods (65 to 33 us). A hundred sets are one call, so two threads meet the interpreter ten
times, not a thousand. Sets keep their figures only; fills and curve are made again when somebody looks. In turns on a
machine with ten busy programs: vectorbt 67 to 80 sets/s (no guards, no brackets, no precision), this one 850 to 1,100
before and 3,090 after, 46 times vectorbt. Two threads take 1.1 times the processor's time of one, so they could be
nearly twice as fast; with no core to spare they were 1.0 to 1.4 times. What remains is a tenth of a microsecond for a
fill with all its guards, and 36 MB of columns that come from far memory once for every hundred sets.

Then, in turns with vectorbt at 53 to 57 sets/s: 3,630 to 6,100 to 6,600 sets/s, 110 to 117 times vectorbt, and the
process holds 217 MiB instead of 309 to 347. Averages are made for 1,024 candles at a time, eight side by side (0.33 ns
each; one after another they wait for themselves), and all sets of a group look at them while they lie in the second
cache; nothing of a column is kept. A byte of turns comes from an exclusive or, which stays eight rows to a register
where a sum was worked out in 64 bits (42 to 34 ms for a thousand sets). Half of the walk was waiting for records in far
memory, though they were read ten events ahead: what is read holds up all behind it until it comes, what the processor
is asked to fetch does not (`ask_for`; 107 to 50 ns a fill). Four closures for each result were a tenth of a sweep, with
the collections they caused. Room for turns of 25 MB became 100 in use, since numpy asks for pages of two megabytes: now
it is as small as most sets need, and grows. Of what is left (175 ms a thousand sets) the walk takes 77, the curve 44,
turns 36, records of all scores 10. These are laid out by all threads of a sweep together since: 8.5 ms of a thousand
sets were one thread's alone, 4.2 are left, so that two threads could be 1.89 times one where they could be 1.85.

A run alone finds its turns the same way, its two averages in four parts at once (275 to 90 us for 100,000 bars). Laying
out what an order would meet took as long as trading it, and most of that was handing over arrays: a call with three of
them is 25 ns, where what a sale needs is 8. Written out, or put into the caller (`into_callers`), 197 to 95 us. In all
0.80 to 0.43 to 0.48 ms beside 0.26 of the bare loop, which has these bars in its cache.

**Without a compiler** a run is 100,000 bars in 52 ms, 1.9 million bars a second, ten times backtesting.py (574,000
before): averages by `itertools.accumulate`, sides through `map`, and memory looked at through views instead of lists of
all rows. A compiler takes two seconds to load and ten to be used the first time, so up to six million candles a run
alone does without. It holds 355 MiB for 5,000,000 bars then (0.48 of vectorbt's 740; 547 before), of which the bars are
229 and the interpreter with numpy 42; records and fills of its 180,000 words are most of the rest.

**Searches.** A trial by the array runner costs milliseconds where the exact one takes the better part of a second; the
ten best are traded again by the exact runner and differ by the rounding of floats.

**Risk.** An entry costs some 25 times a quiet signal: facts, every rule's finding, and the verdict's record. It happens
a few times an hour, so it was left alone.

**Indicators over arrays** (numba). Three things cost more than the arithmetic: views of rows and outputs (counted
references, atomically), checks for division by zero, and calls that were not inlined. Numbers of a row are now read
into a tuple, steps are inlined and compiled without those checks: EMA 26 to 7 ns a bar, RSI 34 to 10, ATR 31 to 11,
ADX 107 to 29, MACD 39 to 12, Bollinger 70 to 32, with the same bits. Then the state went into registers
(`local_floats`: room in the caller's own frame that the compiler takes apart), columns are read where they lie,
outputs are written once, Wilder's average multiplies by a weight where it divided, and Bollinger bands read what
leaves the window off the array: on a busy machine EMA 3.9, RSI 4.2, ATR 4.7, ADX 17, MACD 3.9, Bollinger 11 ns a bar
beside TA-Lib's 2.5, 3.4, 2.4, 33 (ADX with both directions), 7.3 and 12. Of each, 0.8 ns are the pages of a fresh
output. EMA was bound by three dependent operations (2.6 ns); TA-Lib's binary fuses two of them into one instruction,
which Python has no word for. Now long arrays are walked in four lanes (`genesis/domain/indicators/lanes.py`): an
average forgets where it began, so three lanes begin early and hold the right bits when their part begins, which is
looked after. EMA 2.6 to 1.0 ns a bar beside TA-Lib's 1.95, ATR 2.6 to 1.35 beside 1.15, with the same bits; ATR in
nearer memory (100,000 bars) is 0.83, so what is left of it is the reading of three columns. Longer
stretches that begin less early (16,384 bars a lane, 48 periods) took another twentieth off it: 1.13 to 1.15 beside
1.15 to 1.18. Eight lanes of half the length instead of four for ATR: 0.92 of TA-Lib's time in the middle of six rounds
(0.71 to 1.18), where four took 1.02 (0.94 to 1.12). With each range multiplied by its weight where many are worked out
at once, the chain that waits for itself is one product shorter: 0.83 to 0.89 in four rounds. Of 0.70 ns in memory that
is there already, 0.46 are the reading of three columns and the writing of one, and 0.12 more are the pages of a fresh
output. The length of a stretch between 2,048 and 16,384 bars a lane changes less than a twentieth.

Live, a number read from the state costs as much as arithmetic with it: each is read once and kept in a name now (in
turns: ADX 0.91 of what it took, MACD 0.94, EMA 0.94; ADX over arrays 0.93). Reading the whole state with one slice was
no quicker in plain Python, and a branch for the way a bar moved made ADX over arrays a fifteenth slower.

Live steps are now written with all that they call in them, at the first bar or when a strategy is read (1 to 9 ms
each): in turns EMA 0.143 to 0.115 us, RSI 0.25 to 0.22, ATR 0.18 to 0.15, ADX 0.48 to 0.39, MACD 0.28 to 0.21,
Bollinger 0.44 as before: its one call is gone, and what is left is the window's arithmetic, a root, and the sums made
anew at every round. The step lies in a plain field: reached through a cached property it cost what it saves.

**A first start without a compile cache.** The compiler takes each number that stands in a call for a type of its own,
so an average was compiled once for every place that it stands at; and it made an entry for Python and one for C for
some fifty functions that only compiled code calls. Both are gone, with the same machine code for what is left: a
first fast run of 100,000 bars 10.8 to 8.5 s of CPU where a run with the cache takes 0.4 to 0.9, a first sweep after it
another 1.15 instead of 1.65. Since then a run alone compiles nothing below six million candles, so the first costs what
every other does. A first sweep compiled for 8 to 9 s. Half of that was the walk, so a process of its own compiles and
keeps it now, where nothing is kept yet and there is a second core, while this one compiles the rest and then reads what
was kept (`genesis/research/fast_beside.py`); the loop over sets is Python with two calls, so the walk is not optimised
once more as a part of it (1 to 2 % of a sweep of short sets). Passes of the compiler that look for closures, lists
written as loops and sums of whole arrays are left out for our own code, which has none: the walk 3.5 to 2.9 s, to the
same speed. The first sweep of 1,000 sets over 100,000 bars, whole process, five rounds in turns, medians: 10.9 to 6.2 s
by the wall where one with the cache takes 2.0 (at the quietest moment 5.3), CPU 10.8 to 6.1 and 4.8 of the child, most
memory 298 to 257 MiB. On one core, or where nothing can be kept, all of it is done here, in about 10 s. Where the
second core is taken by others it may gain nothing: in one of the five it took 12.2. `tools/bench/first_sweep.py` tells
both now, each with an empty folder for machine code and then with the folder that this left. On one core, beside some
ten busy programs, the first took 9.2 s of processor more than the next.

Then where the compiler's own six seconds go (one core): 1.4 s writing the code out, 1.0 finding types, 0.5 giving each
assignment a name of its own, 2.0 in LLVM (0.6 each for single functions, for whole modules and for machine code), 0.6
looking for garbage. Names of their own are three where one stood, and each is typed and written out: the longest
kernels are marked (`compiling.one_kind_a_name`) and compiled with their names as they stand, and a marked one with a
name that holds whole numbers here and floats there is refused (none of ours had such a name). Constants given to a name
must be told as numbers; else the compiler takes the first for the only value that it ever has, which looked in an
earlier attempt as if names could not be left alone. Garbage is looked for every 20,000 objects instead of 700 where a
compiler is loaded: another 0.4 s, and nothing after it, since what is left then is looked through soon enough (at
200,000 the next sweep paid). In turns with the code before, one core, at real-time priority: 5.8 to 6.0 s more than the
next before, 4.9 after. The walk by itself is a fortieth slower for it (62 to 63.5 of a sweep's 137 ms).

**Two threads** were 1.70 to 1.87 times one (at real-time priority beside nine busy programs, best of eight each). Of
that, 2.7 of 75 ms are one thread's alone (parameters looked through, the pool, results put together), 1 to 2 the last
group's tail. Most of the rest was processor time that one thread did not need (143 to 150 ms beside 135): after each
set both kernels took the interpreter back, so two thousand times threads took turns, a hundred of them slept for it,
and the counts of shared objects went from core to core. Threads beside others trade four sets a call now, and draw four
(`fast_sweep.IN_TURN`): 1.79 to 1.91, 139 to 145 ms; one thread alone trades them one by one, as near as before. Where
fills are written is kept from group to group: four times as large, given back each time, it made the allocator hand
back all its pages, which cost two milliseconds of every sweep. Groups of half as many sets: 163 ms of processor, since
each group makes its averages anew.

**Mailboxes** cost what a trio memory channel costs, with lease, ack and fencing. An ask was six coroutines deep, and
its answer was told twice; the messages of a lease came through three coroutines. In turns with the code before, and
with a bare channel in the same process: ask and reply 10.1 to 9.0 us of CPU (bare 13.8), a hop of one message 5.0 to
4.7 (bare 4.4), of 64 0.268 to 0.263 (bare 0.253). Where the bare channel takes 0.389 the mailbox's 64 take 0.38: the
absolute goals say which machine it was.

**Tick to order** was 2.1 ms without durability on a quiet machine. A profile of the time between the two frames alone
(cProfile switched on at the boundary and off at the order) said where it went: risk 16 % (the verdict 5, its text of 33
rules 2, facts worked out four times for one decision 3, the status for people 4), three transactions 16 %, the order
machine 11 %, the bench's own pacer 10 % (it looked at every mailbox twenty times for one decision), the account's and
the people's actors 13 %, the private socket with the exchange's reading 8 %, signal 5 %, public socket 5 %, and twenty
turns of the loop. Of that, what need not be before the order no longer is:

- score, verdict and intent become durable in one transaction instead of three: risk puts its commit into the journal's
  line and tells the approval at once, the intent's commit stands behind it, and the journal waits up to 2 ms for a
  commit that is announced. Nothing leaves before the one sync that covers all three;
- lists of recent things, screens, notices, the risk status and the orders' view come after the commit's answer, and
  step aside for ten turns of the loop; the account values closed candles as much later, the web's hearer 2 ms later;
- a verdict's facts serve its conclusion too; the private socket's lock costs no turn when nobody else holds it;
- the bench gives the engine time instead of looking whether it is done.

In one pair of runs side by side on a busy machine the fastest tenth of forty decisions went from 3.4 to 0.7 ms of CPU;
the goals above have what a whole run measured. Half of what was there before all that was the interpreter: a busy loop
kept it for 5 ms from the journal's thread, which asks for it several times in a commit (`GIL_TURN_S` in
`genesis/running.py`). What remains is the verdict with its trace, the order machine with its protection, and SQLite
with the hashes of about nine rows. The running engine tells each stage as `genesis_decision_seconds`.

Counted anew (function calls between the two moments, cProfile on CPU time; tasks and turns by an instrument of trio):
4,350 calls, 8 to 15 turns and 2.3 ms of CPU after a rest of 15 ms, beside 0.26 ms of five actors after the same rest
(0.07 when one tick follows the other: the work is then three and a half times as cheap, so most of either is waiting
for memory). Then:

- the journal had never met a follower: verdicts named "order", writers are named by their whole path. Every decision
  waited the 2 ms for nothing and paid a second sync;
- each of four actors that step aside turned the loop by itself; one task does it for all;
- the account heard of a candle a turn before the strategies did;
- the order actor copied both sides of the book twice, to see whether an order would meet our own: only where one rests;
- 74 numbers of a verdict became text by `format(number, "f")`, twice as slow as `str`; commands went through a writer
  of JSON in Python; the private socket's frame through a parser's state (40 us) and a lock's turn of the loop;
- a scope with a deadline around each lease (five in a decision) became one timer for all mailboxes.

3,000 calls, 9 turns and 1.6 to 1.8 ms of CPU after a rest were left, 6 to 7 times the five actors: risk 0.50 (33 rules
0.11, their text 0.07, facts and the wish 0.12, record, state and its digest 0.10), the order machine with its
protection 0.26, the private socket 0.17, signal 0.16, public socket 0.14, market cache 0.13, journal 0.07 without
keeping anything, account and screens 0.07, turns of the loop 0.07. No one thing stands out any more: five actors keep
nothing, judge one rule and write no record, in five hops instead of eight. Beside 20,000 messages a second the order's
p99 is 1.2 times that of an idle engine.

A third time, with the CPU of each task's every step between the two frames (an instrument of trio), on two cores that
ten others used: 1.69 ms, 6.6 times the five actors. In the order of their steps, in microseconds: the exchange's write
85 and 20, public socket 150, market cache 68, signal 92 and 61, market cache again 64, risk 486, account 21 to 34,
journal 38 and 30 (an empty one), order machine 315, screens 36, those who stand aside 60, order's handing out 25,
private socket 180, ten turns of the loop 115. Nothing waited: no step had a pause before it. Then, in turns with the
code before, medians of three rounds of 22 decisions:

- what the journal keeps is written by the journal, in its thread: verdict, score, intent and report are handed over as
  what nobody changes any more, risk's state as what rests until the journal has answered (`LateRecord`, `LateCell`);
  with that, and with rules that are asked first and worded later, risk's step went from 486 to about 250;
- the market cache tells strategies of a candle, and all others and its own view when those had their turn; an order's
  command leaves before its report is told;
- the journal was woken by half of a decision, set a timer and slept again, and once more for the score's commit; a
  question that is lodged now wakes nobody before somebody waits for its answer, so one look finds three commits;
- five context managers around the private socket's send became one scope.

1.69 to 1.37 ms (lower quartile 1.56 to 1.20), 6.6 to 5.3 times the five actors, before risk's state went, too (0.04).
The goal of twice is missed by far. What is left is not any one thing: some six hundred functions are run once each,
cold. The text of risk's state is made in 7 us when it was made right before and in 41 after a rest of 15 ms, five
actors take 55 and 265, the whole decision about five times what it takes in a backtest. Beside 10,000 messages a second
nothing waits for them either (p50 as when idle, both ways): five actors are quicker then because all messages are
theirs and keep their code warm, a decision of the engine's is as cold as ever.

A fourth time, by each call's time in a cold decision (`sys.setprofile` between the two frames) and by marks around
some forty functions, on two cores that ten others used. In microseconds, of an entry and of an exit: risk's judgement
236 and 203 (33 rules 38 and 24, facts 32 and 39, the bracket 19, the quantity 16, the wish 13, the day 15, the market
11, what is remembered 18), the order's admission 166 and 345 (of the exit: what is its strategy's own 61, whether it
waits 43, whether it takes the stop's place 68), the strategy's step 45, the command's text 15 and 43, the checks of
four commits 18. Then:

- who passes a decision on goes on in the same turn (`Outlet.hand`): a score's commit stands in the journal's line when
  risk hears of the score, and signal, risk and the market cache were each woken once more for their remainder, in half
  of all decisions before who was next;
- an order that can leave does so before protection is looked at, which an exit paid with 45 (`take_ready`); cells of
  strategies and orders are written by the journal, too; times of stages are noted behind the order;
- an exit's sizes of stops are worked out once instead of three times, a wallet's spare only where something differs,
  the command once instead of twice, and an order at market is not asked for the prices that it does not have;
- the scope that ends a send that hangs is made before the command comes, and only gets its time then;
- frames of several commands went through a writer of JSON in Python.

In turns with the code before, medians of two times four rounds of 22 decisions in CPU time: 1.39 to 1.18 ms and 1.37 to
1.27 (the second one with the steps of the order actor for the replay, which are 0.015), 5.16 to 4.57 and 4.84 times the
five actors. The goal of twice is missed as before, and what is left is as flat as before: risk 0.25, order 0.21 and
0.28, private socket 0.13, signal 0.13, public socket 0.12, the exchange's own write 0.10, market cache 0.07, an empty
journal 0.06, turns of the loop 0.06. A dozen microseconds were the most that any one change brought, but for those of
exits. Five actors that do the least take 0.26 of the 1.2.

A fifth time, signal and risk alone: a mark of time before each statement of their steps, the caches emptied before
each candle. Nothing stands out: the first number of a decision (a price as `Decimal`) takes 7 to 15 microseconds,
whatever is called for the first time one, a statement a quarter. So fewer functions and less of what they look at:

- the rules are asked as one question, which is written from their own sources
  (`genesis/domain/risk_rules/at_once.py`), and rules about what is opened are not asked about what only takes away:
  38 and 24 before, 27 and 10 now;
- the account is looked up once for each of its states (`AccountSheet`); what hangs neither on the time nor on a price
  is worked out between two candles (`ReadyGrounds`): an exit's facts 37 to 19, an entry's, that has less to look at,
  28 to 20;
- a strategy in numbers says what it recommends, its words are found behind the order (`Said`): 16; its step is
  written out as those of indicators are: 4;
- a message and a commit go into a channel that has room without a coroutine; late records, cells and judgements are
  structs; members of enumerations are not asked for their values; a new day is looked for once in a quarter of an
  hour.

In turns with the code before, on two cores that ten others used, lower thirds of 60 decisions: signal 124 to 75, risk
253 to 180 of an entry and 234 to 161 of an exit. Having an entry's facts ready was lost in the noise, of an exit's a
twelfth of the step was seen. A score that yields before it is kept would save another 25, but its record must stand
in the journal before the order's.

A sixth time, what lies between the machines: both sockets, the exchange's own write, the market cache's step, mailboxes
and the turns of the loop. Between the two moments the engine and its exchange made 17 calls of the kernel (two sends,
three reads, ten looks for news, one re-arming, one for the mask), five actors and their prober 14 (two, four, six,
two): the comparison is fair, but that the prober begins to wait for its answer within the time, the exchange before.
What differed was how many functions of Python each call went through. In microseconds of CPU by task, cold, before and
after:

- a command to the exchange went through five coroutines, two locks and a timer of its own, then through the library's
  layers: 97 to 60. One function carries it; whoever looks at the line each second ends a send that hangs; a frame is
  masked in C with a mask that was drawn behind the frame before, and written straight to the stream;
- trio's stream goes through some fifteen functions for each send and receive, and asks the kernel for bytes once in
  vain before it waits. Ours (`genesis/edge/tcp_stream.py`, it passes trio's own check of a stream) goes through four
  and does not: the exchange's write 62 to 50, the public socket 96 to 75. Simulated worlds keep trio's stream, since
  their sockets have no descriptor to give away. It is beneath TLS, too;
- eight of the twenty-two steps between the frames were those of the task that turned the loop for who stands aside: 25
  in its steps and as much around them. They come back when the loop comes to rest now, which takes one step (10). The
  pacer of replays waits for the same rest before it looks: 240 replayed minutes 3.05 to 2.67 s of CPU, a world's hour
  a tenth cheaper;
- the events of one read are put by one call with one ring; a mailbox looks through its channels once for each lease.

Together with what signal, risk and order gave up in the same hours: 2,180 calls of 630 functions to 1,390 of 420, and
in turns with the code before on a busy machine (three rounds, 22 to 31 decisions each) 1.21 to 0.91 ms, 4.9 to 3.7
times the five actors. What is left there is flat as well: the kernel's two sends take 13 to 25 us each, a hop to the
next actor 7 to 11 with everything that trio does around it, and no function of ours more than 5.

Of the same, from the approval to the frame (the order actor's steps and an empty journal's, by an instrument of trio
that notes the CPU of each task's step), in turns with the code before on two cores that ten others used: an entry takes
0.7 and an exit 0.55 of what it took (203 and 323 us in a quiet hour). Of the order actor's 255 and 494 function calls
before the frame, each once and cold, some 140 and 160 are left:

- what an exit is asked hangs on nothing that comes with it but its quantity (how much is its own and free, whose places
  it takes: more than half of it), so it is asked after each turn, of an exit that has not come, and holds until
  anything is heard (`genesis/domain/order_foresight.py`). Worlds with it and without end in the same bytes, and every
  replay asks each exit when it comes;
- deadlines are looked at behind the frame, and settings taken when they are new; what the replay needs, and what others
  are told of an order, is made by the journal beside the loop or behind the frame;
- what is spare of a wallet is looked for before an order only when it can have changed; an opening order is asked once
  why it must not leave, not twice; one at market is not copied to be compared;
- the journal looked through each commit on the loop, and the store once more in its thread: a third of its share;
- the watch of actors that hang was told of every message, though it was looking already.

What is left is flat, of 150 us of an entry on the busy machine: to lease 12, to the admission 18, its command 12, its
row 3, its record 5, checks 5, what others are told 11, whether it may leave 14, the frame's command 14, what is to be
kept 15, the question to the journal 10, and 15 behind the answer; no stretch between two of 24 marks took more than 15.
Of the 2 ms that durability adds the texts take 0.4 of CPU in the journal's thread, SQLite and hashes 0.7, the anchor
0.2.

A seventh time, what can be done before the frame, and what everybody on the way pays. The closing frame of a candle
says that it has ended; what it ended at was told before (here by the minute's last trade, two seconds of venue time
and a pause of 15 ms earlier; at the venue by the last trade, or in the half second that a candle's end is waited for).
So:

- in the last two seconds of a candle strategies tell risk what they will say of it as it stands, where that asks for
  something. Risk judges it on a copy of its state and takes the answer when that very score is said to that very state
  (`genesis/domain/risk_ahead.py`); whatever is heard first makes it void. All decisions of the bench were foreseen.
  Worlds of seeds with hints at every moment, right, wrong and late, end in the same bytes, and a replay judges each
  score when it comes. A hint costs 240 us of CPU with its four texts of the state, and a world's hour costs what it
  did. A candle whose last trade comes with its end is judged then;
- who steps aside hears of a loop at rest from the loop's clock (`genesis/core/rest.py`): trio asks it how long it may
  sleep only when nobody can go on. trio's own means looked at every turn through a sorted list of those who wait, and
  a task took a step to get there: some 70 of 1,110 calls;
- the engine's clock is read directly, where trio finds it by four calls, and once in the order's lease instead of three
  times; risk's look at its own commit is a join of its words and no longer sixteen questions about types.

The calls of an entry between the frames, of Python and of C: 1,110 to 937; its Python functions 257 to 213. In turns
with the code before, on two cores that ten others used (load 11 to 13, eight rounds, 22 to 31 decisions each), 769 to
698 us, 3.92 to 3.26 times the five actors; risk's step 150 to 68. Not built: `Instruments` of trio as a plain dict (57
calls of 660; lost in the noise), the state behind a strategy's step and the order's command made ahead as well (some 8
and 12 us by the profile), the command given to the private socket with the journal's answer still to come (a hop, some
20 us: but what the journal may answer is more than yes). What is left: the two ends of the sockets 200 us with what the
exchange does, market cache 53, signal 63, risk 68, order 150, journal 40, ten turns of the loop 100.

With the exchange in a process of its own, both at real-time priority beside a load of 15 to 35 (nobody has the core in
between then, but what others leave of the caches is in it): a decision is 170 us from the closing frame's write
to the end of its read, 620 to 680 in the engine, 90 from the order's write to its read, 880 to 990 in all, where the
five actors took 170, 140 and 70. Nothing waits in the engine's part, by the time of each task's every step: its wall
time is its CPU time to a microsecond or two (no thread asks for the interpreter, and there is nobody to be woken up),
all channels' frames come in one read and are one batch, eight turns of the loop lie between (some 6 us each), no timer
falls into it, and the kernel moved the engine to another core once in 524 reads. So it is work and cold code again.
Then:

- `isinstance` takes six times as long to say no of a struct (0.3 us, warm) as to say yes, since it asks the struct's
  class: a beat was asked some twenty such questions between the socket and the market book, and four beats come with a
  candle. They are told apart by their type: the engine's part 668 to 648 us (six rounds in turns, 166 decisions each);
- where prices come in the same read as the candle, the account, the screens and the view had their turns before the
  strategies did, 150 us of them, because who decides must find those prices in the view. The view gets the prices alone
  now, and the rest comes behind the decision, as it does without prices: at 10,000 messages a second 879 to 714 us from
  wire to wire, the engine's part 715 to 564 (105 decisions each).

What did not help there: a reader that gets ready for its next read (an `epoll_ctl`, some 29 us with the profiler's own)
when those who decide have had their turns: 640 and 644 us in the middle of 166 decisions, quartiles 602 and 687 beside
607 and 675.

An eighth time, statement by statement: a mark of time before each of them between the two frames, put in by a loader
that rewrites the sources (some 60 ns a mark), medians of 85 decisions. From the read of the closing frame until risk
hears of the score, which three actors do. Then:

- what a loop's names still held of the candle before was freed when the next one took its place, between a tick and its
  order: a commit with its records, their texts and the scores in them 5 us, a batch 2, a score 2. It is let go of when
  it is done with, while it is at hand;
- the step ahead makes all that is said and kept of a candle that closes as it stands: the score, the records and the
  cells (`genesis/domain/said_ahead.py`). At the close there is a comparison, a stamp and the hand-over; whatever was
  heard first makes it void, and records and cells are those of a step that was not foreseen, to the byte. The signal
  step without its lease and its turn of the loop 55 to 25;
- what the market cache tells of a candle that is about to close is made ready likewise, beats of streams without
  candles are heard behind the decision, a read of plain events is not sorted.

In turns with the code before, on two cores that others used (load 10 to 20, seven runs of 83 to 85 decisions), from one
actor's step to the next with the turn of the loop between them: market cache 62 to 69 before, 52 to 55 now, signal 62
to 69 and 37 to 39, all of the engine's part 535 to 582 and 433 to 508. The read of the public socket is what it was
(96 to 112 both times): some 25 functions of Python, none above 3.

From there to the frame, three more actors and the private socket, by the same marks:

- risk makes the commit of what it foresees, and the order actor the records, the commit and the command of the order
  that it rehearses; the private socket is shown the command's text in the same moment and sends it for that very
  command alone. At the approval there is one comparison and two stamps, or all is done as it would be without;
- the journal freed the batch before last at each lease (11 us), and risk and order likewise;
- the private socket is dialled as the public ones are, without a task that reads for it;
- asking an object of many base classes for its `__dict__` 4 us, decimals of a deep copy compared by value 6, members of
  an enumeration asked of their class 1 to 3 each.

In turns with the code before (two rounds of 85 decisions, load 6 to 14): risk 55 to 63 before, 44 to 45 now, order 100
to 107 and 68 to 70, the journal's first look 28 to 31 and 20, the private socket 51 to 56 and 33 to 37. Not found: how
to spare one of the two turns between the order's question and the journal's answer.

What did not help there: a reader that steps aside before it asks the kernel for more (an `epoll_ctl` and five functions
of trio, 15 us): to step aside is as cold (8), and the turn of the loop behind it takes 17 instead of 21 then.

A ninth time, at 10,000 messages a second, from the read of the public socket until risk hears of the score. What was
made ahead is taken there, too: in 39 or 40 of 40 decisions of a part, by the strategies and by risk, one hint each, for
no price makes it void. Against an idle engine all of the difference was in the first two steps: the read 156 us beside
99 (some 20 tickers and trades stand in front of the beat that closes the candle, or behind it), the market cache 67
beside 54. Then:

- an update is decoded once, typed, by what its frame begins with (`protocols/bitfinex/usual.py`); it was decoded as
  JSON and then again as what it is: 24 frames 28.9 to 25.3 us, warm. Frames of books pay a third more when each is
  looked up so in vain (1.05 to 1.35 us), so they are not, but for the first of a row;
- of the tickers of a read the newest is put, once: each of ten took its place in the channel before;
- what was traded is written down behind the decision, like beats of streams without candles;
- a lease of several channels is merged without counting each, prices go into the view without a copy of fields by name,
  a short frame is cut with half of the questions, the number of a commit is written behind the one before.

In turns with the code before, at real-time priority beside a load of 8 to 17 (two rounds of 85 decisions, both halves
of this time together): the read 103 and 111 before, 92 and 98 now, the market cache 49 and 54, 36 and 39, the
strategies 35 to 40 and 33 to 38, all of the engine's part 409 to 469 and 370 to 391. Of the read some 50 are the 24
frames (2 each, where they take 1 when read in a row), of which the first ticker and the first trade take 6 each; 17 are
trio's from the wait for more bytes to the next actor. Not built: trades of a read as one message (their envelopes, some
7 us by estimate), and the candle's frame read before those in front of it: what follows a gap is not believed, so each
would have to be looked at for its number first, which is a third of reading it.

From there to the frame at that rate, by the same marks, with engine and exchange at real-time priority (nobody else has
the core in between then: medians of one code lie 30 us apart on a busy machine instead of 200). It is what it is when
idle: what was foreseen was taken in 39 of 39 decisions, since prices that come in between make nothing of it void; each
turn of the loop had one task in it, that of the decision; and what tickers and trades keep warm every two milliseconds
is the way of the prices, not that of an order, which is walked once in a candle. So it is cold code again, some 490
statements of 0.4 us and six turns of 7 to 8. Then:

- a turn of the order actor stood between the journal's answer and the private socket, and did no more than hand the
  command on. It leaves in the step in which the journal answers now (`Channel.ask_then`), and the order actor comes to
  when nobody waits any more: 26 us before, some 15 now;
- risk's state before an answer that was judged ahead lost its last owner when that was taken: 12 us of freeing;
- an answer that nobody waits for yet is a value and a mark, who steps aside does so in one coroutine instead of two,
  and what is lent to the world outside is a field: 1 to 2 each;
- the bench itself asked the kernel twice for CPU time while the order waited for the journal, 10 us of what it timed.

In turns with the code before (three rounds, 369 decisions each, load 10 to 12) the engine's part 467 to 436 us in the
middle and 430 to 406 in the lower quartile, from wire to wire 665 to 637.

Not built there: that who is at rest has what it is told heard in the step of who tells it (risk's by signal, order's by
risk), a turn and a lease less each, some 17 us: an actor's message would be worked off by the code of another one's
step, with a crash that belongs to a third. And the command's frame masked ahead, 7.

A tenth time, from the score to the frame at that rate, by the same marks: of 250 us 69 were mailboxes and channels, 51
the order actor and its machine, 34 the private socket. Where nothing is near the core, what counts is how many things
are asked, not what for. Then:

- a lease asks the queues of its channels and nothing else of them, and one message alone is taken without a call: 7.2
  to 5.5 us with all caches emptied before each, six times on the way;
- the question whose answer lets an order leave is put with what it lets happen (`Channel.ask_then`), four functions
  less between the order's record and the journal's turn: some 5;
- the frame of a command that may come is masked when its text is written, for the socket of that moment and for that
  very text: 7; whether a command has begun to leave, and that it does now, is one look-up in the ledger: 3;
- the order actor waits in its own turn instead of in a coroutine of a coroutine, and looks at its cells without asking
  whether it has any: some 5; what its machine is behind an order that was rehearsed, and what its next record is made
  of, it takes over behind the frame: 6. What is kept and handed out is whole before that;
- the journal goes through its batch once: 3.

On a host three times as slow (November 29, medians of three rounds, after what the start has made was gathered in huge
pages): one in flight 1.42 times five actors (1,091 us beside 775), at 10,000 messages/s 1.36 (1.33 to 1.51); without
the journal's question 1.28 and 1.24. The durable intent took 5.6 ms more, of which SQLite's write alone is 0.6, and the
p99 beside 20,000 messages/s was 2.56 times that of an idle engine: both goals were missed there. The table above is of
the usual host.

In turns with the code before, at real-time priority beside a load of 5 to 6 (two rounds of 246 decisions each): the
engine's part 330 to 318 us in the middle and 303 to 291 in the lower quartile with all but the machine's taking over
behind the frame; with that, in another hour, 367 to 337 and 344 to 311, from wire to wire 560 to 517.

Before the score, and at every hop, at that rate:

- who is woken goes on in the same turn of the loop, right behind the step of who woke it (`genesis/core/turns.py`):
  between two turns trio asks the kernel and its deadlines, six times on the way, while nobody else can go on. It is
  another order of the same steps, each in its own task, so a crash is whose it was, and nothing is handed over by the
  code of somebody else. Alone, at real-time priority on a quiet machine (two rounds of 246 decisions each): the
  engine's part 299 to 280 us in the middle and 270 to 251 in the lower quartile. It costs nothing to who reads 20,000
  messages a second (1.26 to 1.34 us a message with it and without, three rounds);
- of a read in which a candle may end, the candle's frame and its market's newest ticker are read and handed over first,
  and the rest when those who decide have had their turns (`protocols/bitfinex/first.py`). Both are known by what they
  begin with; the numbers of all frames are compared before, at the tail of each, so that what follows a gap, or a loss
  that a double makes up for, is read in order as before. Of 23 frames these two are told after 10.7 us, warm, where all
  of them took 24.1; with the rest it is 33.5. Only where the last stamp of a read says that a candle may have ended is
  it looked through, so other reads pay for one comparison (1.17 us a message in bursts before and after, three rounds).

Both together, with the load of 4 to 6 that others made (two rounds of 246 decisions each): the engine's part 352 to 299
in the middle and 327 to 272 in the lower quartile, from wire to wire 509 to 453. From step to step, on a quieter
machine and with all of this time: the read 95 before and 61 now, market cache 38 and 28, signal 29 and 26, risk 31 and
28, order 61 and 51, the journal's two steps 44 and 49, the private socket's 30 and 25.

Eleventh, on a host three times as slow and not alone: who sleeps in a mailbox does so in a place that is made once, by
one `yield` of ours instead of trio's two coroutines, is woken without the way to the run, and takes one message alone
in one piece. A hand-over took 11 to 16 us and takes 1 to 2 less (read off the stages of two pairs of runs of 120
decisions, 740 us each in all; from wire to wire nothing shows above the noise). What the read is looked through for is
asked of its frames instead of taken out of each: 75 to 72 and 73 to 67. What is done once in a candle, and each
function that nothing else has just used, costs what it takes to fetch it, so numbers of all frames compared at once,
twice as fast when warm, took as long as one by one.

Not built there: the checkpoint of the bench's journal that keeps nothing (18 us of what is timed) is a turn of the
loop, since whoever lets others go first is left to the next one. And the ticker behind the decision, too, some 20: who
decides by a candle must find the newest prices in the view.

**Keeping the way warm** was measured and is not built. Where the code of a decision has just run it takes a sixth:
what risk makes of a score that wants nothing 15 us right after another one, 100 after a rest of 15 ms. But it is cold
again as soon as the loop has slept and somebody else had the core: 58 after a sleep of 0.3 ms, 61 after 1 ms, 76
after 2, 91 after 4, 96 after 8. A loop that turns without sleeping keeps it at 15 for a millisecond; after five the
others have had the core all the same (104). Five actors that rehearse with a tick of their own: 181 instead of 262
two milliseconds before, 243 to 253 five before. So a rehearsal helps who is told of the next candle's frame a
millisecond ahead, and nobody is: it would have to be repeated every one or two milliseconds (a sixth of a core for a
third of the time), or the loop would have to turn for ever, which is a core. With copies of signal's, risk's and
order's machines made to decide 1 and 3 ms before each candle a decision took 0.98 and 0.87 of what it took without,
one pair of runs each: the exchange's own step comes in between.

**Garbage collection** looked through everything twice in a replayed crash, once in its start, 105 and 75 ms of CPU
each, at whatever moment enough had been made. What was imported is frozen before the loop starts and what the start
made when it is over; the youngest generation is looked at every 5,000 objects instead of 700, the second and (every
ten minutes) all that was made since in the middle of a minute. Of the same replay: 228 pauses and 293 ms before, 7
and 48 ms after, none above 18 ms. `genesis_gc_pause_seconds` is the histogram of each generation.

**Memory of candles.** 5,000 candles of each of 600 series would take some 750 MB after days. Series that no strategy
trades share 400,000; 1,440 candles of each (a day of minutes, two months of hours) end at 198 MiB, and so did 720.

**Listeners.** Orders beside 200 clients of the event stream are timed in turns of one run: no clients, the engine's
own, and as many at the web of another process, a thousand orders of each. The last is the control: on two cores the
clients and who talks to them slow an order by the wall that their engine has nothing to do with (1.2 times at p50 and
1.6 at p99 on a busy machine). What an engine does for its clients between a tick and its order is in the processor
time of its thread, whose ratio is a goal of its own. With a task for each client p50, p90 and p99 of that were 1.3,
2.5 and 3.1 times those without listeners (110 orders, busy machine): all that are due wake in one batch of trio's,
and each frame went through three layers, 0.3 ms. One crier tells all of them now: what clients of the same wishes and
place hear is joined once, written into the socket beneath the server's protocol without waiting, for 0.2 ms at a
stretch with 1 ms between; he looks after tokens a few at a time, and pings go out one by one. A thousand clients cost
0.04 of a core beside 0.13 in the same minute before.

**Commands** that ask a running engine loaded trio, httpx (with click and rich behind it) and every strategy: 1.05 s of
CPU for `genesis status`, 0.51 without them, of which cyclopts and the tables' library are 0.35.

**Start.** Until /health answers `genesis run` took 1.14 s of CPU, 0.73 of it loading modules. In turns with the code
before it takes 0.98: 150 ms were collections that looked for garbage in what was being loaded (none meanwhile now, and
what was loaded is frozen); 23 of the 27 ms that the web's application took, functions that make the addresses of routes
and that nobody calls (`web/rules.py`); 14 ms for each HTTP client, the authorities of TLS, which are read once and not
for plain HTTP. A signed request cost 262 us through httpx's client and 185 through its transport; h11 on a stream of
ours takes 0.45 of the latter (270 and 118 us in turns on a busy machine, without the other side's 40), and httpx is not
loaded (63 ms and 2.5 MiB). A life
of an engine in a world, 24 to 33 ms in its first second, gained about one of them (20 worlds in turns: 1 to 2.7 %,
about the noise), since worlds had gone round most of it already. It is flat: eight transactions of the journal 3, REST
2, opening and verifying the file 2 to 3, the web 1.5 (in the quarter of lives that have one: 5), recovery of each of
seven actors 0.6 to 1.3, the exchange's side 2, the tree of supervisors 1.

**GET /health** spent half of its time in the framework (request and application context, routing, a task, a cancel
scope), and then nine tenths of the rest on looking at every actor and mailbox. The plain question is answered behind
the guard and the rate limit without the framework, and all who ask within 50 ms are told the same: 0.94 to 1.8 of the
bare application's speed in turns.
"""
