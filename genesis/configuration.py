"""Reads every layer of the configuration and builds the settings: where the files meet their meaning."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import attrs

from genesis.domain.config_keys import SECTIONS, STRATEGIES, nearest
from genesis.domain.settings_build import (
    PRIORITY_VARIABLE,
    Built,
    Fault,
    Layer,
    Priority,
    Source,
    build,
    in_order,
    layer_of_environment,
    layer_of_tree,
    priority_of,
)
from genesis.domain.settings_history import kinds_of
from genesis.edge import config_files
from genesis.edge.config_files import DocumentError
from genesis.edge.user_dir import UserDir
from genesis.environment import merged_environment as merged_environment
from genesis.environment import with_secrets as with_secrets
from genesis.run_options import Mode

WHOLE_TREE = "settings"
STEMS = (WHOLE_TREE, STRATEGIES, *SECTIONS)
OTHER_FORMATS = frozenset({".yaml", ".yml", ".toml", ".json5", ".jsonc", ".ini"})
"""What is written in one of these is no setting, although whoever wrote it believes so."""


@attrs.frozen(kw_only=True)
class Configuration:
    """What was read, and the settings or the faults it makes. `environment` is the merged one, with what .env said.

    `layers` stand in the order of `priority`, the weakest first.
    """

    layers: tuple[Layer, ...]
    outcome: Built | tuple[Fault, ...]
    environment: Mapping[str, str] = attrs.field(repr=False)
    priority: Priority = Priority.RUNTIME


def layer_of_document(document: config_files.Document) -> Layer:
    """`settings.json` is the whole tree; `risk.json` and its like are one section; `strategies.json` is the list."""
    name = f"config/{document.path.name}"
    if document.stem == WHOLE_TREE:
        return layer_of_tree(name, document.content)
    if document.stem in STEMS:
        return layer_of_tree(name, document.content, section=document.stem)
    near = nearest(document.stem, STEMS)
    hint = f"did you mean {near}.json?" if near else ""
    must_be = f"named {', '.join(stem + '.json' for stem in STEMS)}"
    return Layer(
        name=name,
        values={},
        faults=(Fault(path=name, must_be=must_be, was=document.path.name, layer=name, hint=hint),),
    )


def layer_of_error(error: DocumentError) -> Layer:
    """A document that cannot be read is a fault like any other: it is reported with the rest."""
    name = f"config/{error.path.name}"
    return Layer(name=name, values={}, faults=(Fault(path=name, must_be=error.must_be, was=error.was, layer=name),))


def read_layers(user_dir: UserDir, environment: Mapping[str, str]) -> tuple[Layer, ...]:
    """Files, then the environment over them. The whole tree comes before its sections, which are more exact."""
    documents, errors = config_files.read_folder(user_dir.config)
    errors += [
        DocumentError(path, f"JSON, in {path.stem}.json", path.name)
        for path in sorted(user_dir.config.glob("*"))
        if path.stem in STEMS and path.suffix.lower() in OTHER_FORMATS
    ]
    documents.sort(key=lambda document: (document.stem != WHOLE_TREE, document.stem))
    return (
        *(layer_of_document(document) for document in documents),
        *(layer_of_error(error) for error in errors),
        layer_of_environment(environment),
    )


def load(
    user_dir: UserDir,
    environment: Mapping[str, str],
    *,
    base: Layer | None = None,
    command: Layer | None = None,
    here: Path | None = None,
) -> Configuration:
    """Everything in force at a start: `base` lies under the files, `command` (the command line) over everything.

    The user's strategy files are read first: settings may name them. So they may one that ran here and whose file is
    gone since: a start at night, with positions open, ends as it would beside a file that is broken.
    """
    # Loaded here: a command that only prints its help shall not wait for numpy.
    from genesis.user_strategies import user_strategies

    user_strategies(user_dir.strategies)
    layers: list[Layer] = [] if base is None else [attrs.evolve(base, source=Source.BASE)]
    try:
        environment = merged_environment(user_dir, environment, here=here)
    except DocumentError as error:
        fault = Fault(path=str(error.path), must_be=error.must_be, was=error.was, layer=".env")
        layers.append(Layer(name=".env", values={}, faults=(fault,)))
    layers.extend(read_layers(user_dir, environment))
    if command is not None:
        layers.append(attrs.evolve(command, source=Source.COMMAND))
    priority = Priority.RUNTIME
    try:
        priority = priority_of(environment)
    except ValueError as error:
        known = ", ".join(each.value for each in Priority)
        fault = Fault(
            path=PRIORITY_VARIABLE, must_be=f"one of {known}", was=str(error).rpartition("was ")[2], layer=".env"
        )
        layers.append(Layer(name=".env", values={}, faults=(fault,)))
    ordered = in_order(layers, priority)
    outcome = build(ordered)
    if not isinstance(outcome, Built) and (ran := _kinds_that_ran(user_dir)):
        user_strategies(user_dir.strategies, ran=ran)
        outcome = build(ordered)
    return Configuration(layers=ordered, outcome=outcome, environment=environment, priority=priority)


def _kinds_that_ran(user_dir: UserDir) -> frozenset[str]:
    """The kinds of the strategies in the newest settings that each mode's journal holds."""
    found: set[str] = set()
    for mode in Mode:
        path = user_dir.database(mode.value)
        if path.exists():
            from genesis.config_history import versions
            from genesis.edge.store_errors import StoreError

            # Whoever starts in that mode is told what is wrong with its journal.
            with contextlib.suppress(StoreError):
                found |= kinds_of(versions(path, 1))
    return frozenset(found)
