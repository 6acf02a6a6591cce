"""The check that BLOCK channels form no circle: two full ones in a circle wait for each other for ever."""

import graphlib
import itertools
from collections.abc import Iterable
from typing import Any

from genesis.core.channel import Channel, Overflow
from genesis.core.errors import BlockCycle


def check_block_graph(edges: Iterable[tuple[str, str, Channel[Any]]]) -> None:
    """Raise BlockCycle, naming the way round, unless the BLOCK edges (sender, receiver, channel) form a DAG."""
    blocking = [edge for edge in edges if edge[2].overflow is Overflow.BLOCK]
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for sender, receiver, _ in blocking:
        sorter.add(receiver, sender)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        names: list[str] = error.args[1]
        steps = []
        for sender, receiver in itertools.pairwise(names):
            channel = next(edge[2].name for edge in blocking if edge[:2] == (sender, receiver))
            steps.append(f"{sender} -({channel})-> {receiver}")
        raise BlockCycle(f"BLOCK channels must form no circle, was: {', '.join(steps)}") from None
