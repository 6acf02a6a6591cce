"""What connections measured, told together."""

from genesis.edge.connection_stats import ConnectionStats, worst_skew_ms


def test_the_clock_is_judged_by_the_open_line_that_differs_most() -> None:
    one, other, idle = ConnectionStats(), ConnectionStats(), ConnectionStats()
    for each in (one, other, idle):
        each.opened()
    assert worst_skew_ms((one, other, idle)) is None
    one.skew_ms, other.skew_ms, idle.skew_ms = 20.0, -1500.0, 9000.0
    idle.fell("not needed")
    assert worst_skew_ms((one, other, idle)) == -1500.0


def test_what_a_socket_before_measured_is_not_said_of_the_next() -> None:
    """A clock that was set right meanwhile stayed wrong for entries until every line had spoken anew."""
    line = ConnectionStats()
    line.opened()
    line.skew_ms = -5000.0
    line.fell("cut")
    line.opened()
    assert worst_skew_ms((line,)) is None
