"""What the compiler does with our own code before it types it: its usual passes, without those that bring us nothing.

Half of the time that a function takes to compile are passes over it in Python. Some look for things that none of our
steps and loops has. One gives each assignment a name of its own, so that one name may hold now this and now that: three
names are typed, written out and put together again then where one stood, and for each of them all blocks are gone
through. A long function that is marked (`compiling.one_kind_a_name`) is compiled with its names as they stand.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

SKIPPED: Final = frozenset({"inline_closure_likes", "inline_overloads", "generic_rewrites", "nopython_rewrites"})
"""Passes that look for closures, lists written as loops, raises, sums of whole arrays and library functions that are
written out in the caller. Without a pass such code would be refused, never compiled to something else; what others
wrote is given all passes."""
RENAMES: Final = "reconstruct_ssa"
"""The pass that gives each assignment a name of its own."""
STRIPS: Final = "strip_phis"
"""The pass that puts together again what `RENAMES` took apart."""
INFERS: Final = "nopython_type_inference"


@cache
def for_our_own(has_one_kind_a_name: bool) -> Any:
    """The compiler's pipeline (a class) with the passes that our own code needs, without `RENAMES` where each name
    holds one kind of thing."""
    compiler = importlib.import_module("numba.core.compiler")
    machinery = importlib.import_module("numba.core.compiler_machinery")
    skipped = SKIPPED | {STRIPS} if has_one_kind_a_name else SKIPPED

    def define_pipelines(self: Any) -> list[Any]:
        usual = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        chosen = machinery.PassManager("nopython")
        for one, description in usual.passes:
            if has_one_kind_a_name and one.name() == RENAMES:
                chosen.add_pass(_names_as_they_stand(), "names as they stand")
            elif one.name() not in skipped:
                chosen.add_pass(one, description)
            if has_one_kind_a_name and one.name() == INFERS:
                chosen.add_pass(_one_kind_a_name(), "one kind of thing a name")
        chosen.finalize()
        return [chosen]

    return type("ForOurOwn", (compiler.CompilerBase,), {"define_pipelines": define_pipelines})


@cache
def _names_as_they_stand() -> Any:
    """Instead of `RENAMES`: a constant of the module given to a name is the number itself. By the constant's name the
    compiler would take it for the only value that the name ever has."""
    ir, ir_utils = importlib.import_module("numba.core.ir"), importlib.import_module("numba.core.ir_utils")

    def run_pass(self: Any, state: Any) -> bool:
        blocks = state.func_ir.blocks
        for block in blocks.values():
            for given in block.find_insts(ir.Assign):
                if isinstance(given.value, ir.Global) and type(given.value.value) in (int, float, bool):
                    given.value = ir.Const(given.value.value, given.value.loc)
        state.func_ir._definitions = ir_utils.build_definitions(blocks)
        return True

    return _a_pass("FunctionPass", "genesis_names_as_they_stand", run_pass)


@cache
def _one_kind_a_name() -> Any:
    """Refuses a function with a name that holds whole numbers here and floats there: it would hold floats everywhere,
    and long whole numbers would lose their last digits without a word."""
    ir, errors = importlib.import_module("numba.core.ir"), importlib.import_module("numba.core.errors")
    types, typeof = importlib.import_module("numba.core.types"), importlib.import_module("numba").typeof

    def kind_of(value: Any, state: Any) -> Any:
        """What is given, where that is told by itself; what an operation comes to is what it is given to."""
        if isinstance(value, ir.Var):
            return state.typemap[value.name]
        if isinstance(value, ir.Arg):
            return state.args[value.index]
        return typeof(value.value) if isinstance(value, ir.Const) else None

    def run_pass(self: Any, state: Any) -> bool:
        for block in state.func_ir.blocks.values():
            for given in block.find_insts(ir.Assign):
                kind, holds = kind_of(given.value, state), types.unliteral(state.typemap[given.target.name])
                if kind is None or types.unliteral(kind) == holds:
                    continue
                is_shorter = isinstance(kind, types.Integer) and kind.signed and holds == types.int64
                if not is_shorter:
                    name = f"{state.func_id.func_name}: {given.target.name}"
                    raise errors.TypingError(f"{name} must hold one kind of thing, was {kind} and {holds}", given.loc)
        return False

    return _a_pass("AnalysisPass", "genesis_one_kind_a_name", run_pass)


def _a_pass(kind: str, name: str, run_pass: Callable[[Any, Any], bool]) -> Any:
    """A pass of the compiler, of its class of that name."""
    machinery = importlib.import_module("numba.core.compiler_machinery")
    made = type(name, (getattr(machinery, kind),), {"__init__": object.__init__, "_name": name, "run_pass": run_pass})
    return machinery.register_pass(mutates_CFG=False, analysis_only=kind == "AnalysisPass")(made)
