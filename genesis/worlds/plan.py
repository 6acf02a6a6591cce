"""The plan of faults of a world: what goes wrong and when, drawn from the seed before anything starts."""

import random
from typing import Final

import attrs

WEIGHTS: Final = {
    # The network between engine and venue.
    "latency_spike": 3,
    "bytewise": 2,
    "stall_both": 2,
    "stall_to_venue": 3,
    "stall_from_venue": 3,
    "late_bytes": 5,
    "reset": 3,
    "fin": 2,
    "refuse": 2,
    "connect_hang": 2,
    "dns": 1,
    "silent_handshake": 2,
    # The venue, through its fault desk.
    "venue_drop": 3,
    "venue_stop": 2,
    "maintenance": 2,
    "lose_frames": 3,
    "duplicate_frames": 3,
    "reorder_frames": 2,
    "delay_frames": 2,
    "venue_stall": 2,
    "bad_checksum": 2,
    "torn_frame": 2,
    "lost_ack": 4,
    "ghost": 5,
    "nonce_refused": 2,
    "rate_limited": 2,
    "server_error": 2,
    "handshake_refused": 2,
    "line_at_decision": 2,
    "rest_down": 4,
    "twin_stop": 4,
    "half_sent": 4,
    "echo": 3,
    # The engine's process.
    "crash": 8,
    "crash_storm": 2,
    "hang": 3,
    "livelock": 2,
    "poison": 1,
    "crash_busy": 6,
    "kill_at_step": 8,
    "power_cut": 6,
    "graceful_restart": 2,
    "second_engine": 1,
    "usurper": 1,
    # Its machine.
    "clock_step": 2,
    "slow_disk": 2,
    "disk_full": 1,
    "disk_error": 1,
    "sync_error": 1,
    "bad_sector": 1,
    # Its people.
    "halt": 2,
    "halt_in_line": 1,
    "manual_order": 5,
    "cancel_all": 3,
    "flatten": 2,
    "update_order": 3,
    "new_settings": 2,
    "bad_settings": 1,
    "slow_browser": 2,
    "strangers": 3,
    "boss": 3,
    "adopt": 3,
    "move_money": 2,
    # Its socket alone, while REST answers.
    "socket_away": 4,
}
"""How often each is drawn. Orders are lost where two faults meet, so those that leave one in doubt weigh more."""

TWINS: Final = frozenset({"twin_stop"})
"""What needs coins for a second stop."""
BY_HAND: Final = frozenset({"adopt", "move_money"})
"""What a person does with the account's own coins and money."""
AWAY: Final = frozenset({"socket_away"})
"""What takes the authenticated socket alone."""
APART: Final = TWINS | BY_HAND | AWAY
"""These come in plans of their own, to some worlds alone: all other plans stay what they were."""

AIMED: Final = frozenset(
    {
        "stall_both",
        "stall_to_venue",
        "stall_from_venue",
        "late_bytes",
        "reset",
        "fin",
        "venue_drop",
        "venue_stop",
        "lose_frames",
        "duplicate_frames",
        "delay_frames",
        "torn_frame",
        "lost_ack",
        "ghost",
        "rest_down",
        "half_sent",
        "socket_away",
        "crash",
        "kill_at_step",
        "power_cut",
        "halt",
        "usurper",
        "disk_error",
    }
)
"""These can lie in wait for the next order and strike in the moment in which it leaves."""
AIMED_SHARE: Final = 0.6
LONGEST_WAIT_CANDLES: Final = 4.0
MARKET_BEGINS_S: Final = 60
MINUTE_S: Final = 60
AROUND_SHARE: Final = 0.75
"""Of the faults of a world with longer candles that are not put just behind an end."""


@attrs.frozen(order=True)
class PlannedFault:
    """One fault at a virtual second; an aimed one waits from then on for an order."""

    at_s: float
    name: str
    aimed: bool = False


def plan_of(
    chance: random.Random,
    *,
    first_s: float,
    last_s: float,
    per_hour: float,
    only: frozenset[str] = frozenset(),
    candle_s: int = 60,
) -> tuple[PlannedFault, ...]:
    """Faults between two moments, some of them in company: `only` restricts the kinds, `candle_s` is how long the
    world's shortest candles are."""
    names = [name for name in WEIGHTS if (name in only if only else name not in APART)]
    weights = [WEIGHTS[name] for name in names]
    found: list[PlannedFault] = []
    while len(found) < (last_s - first_s) / 3600 * per_hour:
        at_s = chance.uniform(first_s, last_s)
        # Decisions fall just after a candle's end: half of all faults are put where orders are under way.
        if chance.random() < 0.5:
            ended_s = at_s - at_s % candle_s
            # The first candle ends when there is a market.
            at_s = (ended_s if ended_s > MARKET_BEGINS_S else candle_s) + 1.0 + chance.expovariate(2.0)
        elif candle_s > MINUTE_S and chance.random() < AROUND_SHARE:
            # And most others in the minute around one, where they would be if candles were a minute long.
            ends_s = max(round(at_s / candle_s), 1) * candle_s
            at_s = ends_s + at_s % MINUTE_S - MINUTE_S / 2
        # Trouble seldom comes alone.
        for _ in range(1 if chance.random() < 0.7 else 3):
            name = chance.choices(names, weights)[0]
            found.append(PlannedFault(at_s, name, name in AIMED and chance.random() < AIMED_SHARE))
            at_s += chance.expovariate(0.2)
    return tuple(sorted(found))
