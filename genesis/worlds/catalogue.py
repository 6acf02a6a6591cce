"""The catalogue of rules: what each says, and which states a sweep must reach for its silence to mean anything.

A rule that looked a thousand times at nothing has proven nothing. `unreached` names what a sweep owes.
"""

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen
class Rule:
    """`needs` are states of a witness, all of which some world must reach."""

    text: str
    needs: tuple[str, ...] = ()


CATALOGUE: Final[Mapping[str, Rule]] = {
    "M1": Rule("an order leaves when its intent is durable", ("a frame on left", "the process was killed")),
    "M2": Rule("one order at the venue for one intent, and none without", ("the process was killed",)),
    "M3": Rule("every fate is known in the end, and risk holds room for open orders alone", ("a doubt was resolved",)),
    "M4": Rule(
        "nothing is sent twice, and what was proven absent or refused does not come back",
        ("order state UNKNOWN", "a doubt ended in the proof of absence", "order state REJECTED"),
    ),
    "M5": Rule("no order and no position exceeds its limit, by the venue's side", ("order state FILLED",)),
    "M6": Rule("every trade of the venue is booked once, with its fee", ("order state FILLED",)),
    "M7": Rule(
        "wallets and positions are the venue's, and each strategy's coins those that its stops rest for",
        (
            "order state FILLED",
            "a person adopted what a strategy held",
            "a person gave back what was adopted",
            "a person sold adopted coins by hand",
            "a strategy adopted what another held",
            "money was moved while the engine traded",
            "coins that were there before were moved while the engine traded",
        ),
    ),
    "M8": Rule(
        "orders change only as the table of states allows", ("order state CANCELED", "order state PENDING_UPDATE")
    ),
    "M9": Rule("nothing opens while trading is halted, over restarts too", ("trading was halted by a person",)),
    "M10": Rule(
        "no order but a stop before its session is compared, and no dead session's frame counts",
        (
            "a frame of an older session was heard",
            "a stop left while history was silent",
            "one of two equal stops was taken out while history was silent",
        ),
    ),
    "M11": Rule(
        "of two engines only the newer one writes",
        ("a second engine took the journal over", "a second engine was refused by the lock"),
    ),
    "M12": Rule("nonces rise, over restarts, power cuts and clock steps", ("the power failed", "fault clock_step")),
    "M13": Rule(
        "a gap or a wrong checksum leads to a new socket or a new book",
        ("a socket with a gap was left", "a book was thrown away for its checksum"),
    ),
    "M14": Rule("no entry leaves on an old signal", ("fault slow_disk", "fault line_at_decision")),
    "M15": Rule("no two orders of ours trade with each other", ("order state FILLED", "fault manual_order")),
    "M16": Rule(
        "no position lies without its stop for long, by the venue's side",
        ("an opened position waited for its stop", "a stop was gone and came back"),
    ),
    "M17": Rule("of two equal stops of one lot one goes soon", ("two stops of one lot were the same",)),
    "M18": Rule(
        "over REST nothing leaves but stops, closes at market and cancels, each order once, in a session of its own"
        " that is compared; no stop goes but for a sale, and what a person wants flat is flat in time",
        (
            "a stop left over REST",
            "the answer to a stop over REST was lost",
            "a close left over REST",
            "a cancel left over REST",
            "a flatten was wished where REST alone could carry it",
        ),
    ),
    "E1": Rule("every message is somewhere once", ("a channel redelivered",)),
    "E2": Rule(
        "channels keep their order, and nobody acks whose time is over",
        ("an actor was killed with messages in its hands", "a channel redelivered"),
    ),
    "E3": Rule(
        "a message that kills is put aside after exactly three lives, no other is, and the rest go on",
        ("a poisonous message was put aside",),
    ),
    "E4": Rule(
        "restarts come in time, and a branch gives up exactly when its budget is spent",
        ("a restart came in time", "a budget of restarts was spent"),
    ),
    "E5": Rule(
        "an actor with work and no progress is found in time, and time never stands still",
        (
            "a stuck actor was found in time",
            "an actor hung with messages in its hands",
            "an actor turned in place with messages in its hands",
        ),
    ),
    "E6": Rule("a stop ends in time, and children stop in reverse", ("children stopped in reverse order",)),
    "E7": Rule(
        "ready again soon after the last fault, without a storm", ("the progress watchdog found a stuck actor",)
    ),
    "E8": Rule("no task stays behind", ("an actor crashed and was restarted",)),
    "E9": Rule("a line that says nothing more is left in time", ("a line was silent for longer than a heartbeat",)),
    "S1": Rule(
        "the journal is whole and holds what was promised",
        ("the process was killed", "a power cut lost bytes", "fault disk_error", "fault disk_full"),
    ),
    "S2": Rule(
        "settings are one version whole, durable before they are in force, and never impossible",
        ("settings were changed while running", "impossible settings were refused"),
    ),
    "S3": Rule(
        "damage to the journal is told by name, and never answered with an empty one",
        ("a sector of the journal went bad", "a corrupt journal was put aside by name"),
    ),
    "A1": Rule(
        "who changes something may, is named, and it is written down once", ("a person halted trading over the web",)
    ),
    "A2": Rule("every door that must stay shut does", ("the web answered 403 to too small a scope",)),
    "A3": Rule("no secret is in any file", ("the process was killed",)),
    "O1": Rule("counters say what happened", ("a counter of crashes was above 0",)),
    "O2": Rule("one seed is one history in any process", ("a world was run again in another process",)),
    "C1": Rule("no strategy skips a candle of the market", ("an actor was killed with messages in its hands",)),
    "R1": Rule("what risk keeps is what the journal tells of it", ("the process was killed",)),
    "P3": Rule(
        "a shadow stays on paper: nothing live knows it, and its money is what it was",
        ("a shadow traded on paper", "a shadow went on after a crash or a restart"),
    ),
    "P1": Rule("decided again from the journal, everything is the same", ("a decision was made again",)),
}


def unreached(sometimes: Mapping[str, int], checks: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """By rule, the states that no world reached, and "a look" where nobody even looked."""
    owed: dict[str, tuple[str, ...]] = {}
    for name, rule in CATALOGUE.items():
        missing = [state for state in rule.needs if not sometimes.get(state)]
        if not checks.get(name):
            missing.append("a look")
        if missing:
            owed[name] = tuple(missing)
    return owed
