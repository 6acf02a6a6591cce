"""Compiling steps: the same source as machine code, when numba is there.

A step is ordinary Python over numbers, so the engine runs it as it stands and never loads a compiler. For long arrays
its function is made again with every step it calls compiled too. Nothing about the arithmetic changes (no fast-math, no
contraction), so both ways give the same bits; a test holds them to it.

Loops over arrays are kept on the disk between runs (`kept=True`). Their names then carry a digest of every function and
number that they were made of, however deep, and of the compiler's options and passes: a loop whose step changed, or
that is compiled otherwise, is another loop, and is compiled anew.
"""

import gc
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, MutableSequence
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Final, TypeVar

from genesis.domain.indicators.compiling_passes import for_our_own

Step = TypeVar("Step", bound=Callable[..., Any])
INTO_CALLERS: Final = "is_put_into_callers"
ONE_KIND_A_NAME: Final = "has_one_kind_a_name"


@cache
def can_compile() -> bool:
    return importlib.util.find_spec("numba") is not None


def local_floats(size: int) -> MutableSequence[float]:
    """Numbers that live as long as one call. Compiled, with a `size` known beforehand, they are registers of the
    machine, where an array would be written to and read from memory at every step."""
    return [0.0] * size


def ask_for(table: Any, row: int) -> None:
    """Two lines of memory of a two-dimensional table's row are soon wanted. Compiled, the processor fetches them while
    it does something else; to read them for that would hold up all that comes after. Otherwise nothing happens."""


def into_callers(function: Step) -> Step:
    """Marks a function that is put into its callers however long it is: to hand its arrays over (seven numbers each)
    would cost more than it does."""
    setattr(function, INTO_CALLERS, True)
    return function


def one_kind_a_name(function: Step) -> Step:
    """Marks a long function of ours in which no name holds now whole numbers and now floats: it is compiled without the
    pass that gives each assignment a name of its own, which takes the longer the more names there are. A marked one
    that does not keep to it is refused."""
    setattr(function, ONE_KIND_A_NAME, True)
    return function


SHORT: Final = 40
"""Bytes of bytecode up to which a function is put into its caller always: a call would cost more than it does."""

LOOKED_UP: Final = 8
"""Whole numbers of a tuple from which on it is a table to the compiler, and not so many branches."""

LINE: Final = 64
"""Bytes of a line of memory."""

OURS: Final = "genesis."
COLLECTED_EVERY: Final = 20_000
"""Objects that may be made between two looks for garbage where a compiler works. It makes millions that live for a
second: with Python's 700 what lives on is looked through again and again, a seventh of a first sweep."""

LOADING: Final = 300_000
"""Steps that plain Python takes in about the time in which a compiler is loaded."""


def worth_compiling(steps: int) -> bool:
    """Whether so many steps are done sooner by machine code, the loading of the compiler included."""
    return can_compile() and ("numba" in sys.modules or steps >= LOADING)


def compiled(function: Any, *, kept: bool = False, inline: bool = True, **bound: Any) -> Any:
    """The function as machine code. Raises ModuleNotFoundError without numba.

    `bound` puts functions in the place of globals of these names, so that one loop is made for each step. With `kept`
    the machine code is kept on the disk, where there is a place for it; only for functions that are called with numbers
    and arrays. `inline` puts what it calls into it: right for steps, and slow to compile for long functions.
    """
    return _compiled(function, kept, inline, tuple(sorted(bound.items())))


def plain(function: Any, **bound: Any) -> Any:
    """The same function not compiled, with the same functions in the place of its globals."""
    if not bound:
        return function
    again = FunctionType(
        function.__code__, function.__globals__ | bound, function.__name__, function.__defaults__, function.__closure__
    )
    return again


def kept_name(function: Any, **bound: Any) -> str:
    """What its machine code is kept as: another name as soon as anything changes that it is made of."""
    return f"{function.__name__}_{_digest(function, bound)}"


def compile_for(made: Any, *arguments: Any) -> bool:
    """Compile what `compiled` gave for arguments of such types, or read what is kept, and call nothing.

    False, at once, where it was to be kept and there is no place for that.
    """
    if made.stats.cache_path is None:
        return False
    made.compile(tuple(importlib.import_module("numba").typeof(each) for each in arguments))
    return True


@cache
def _compiler() -> Any:
    """The compiler, loaded; from now on garbage is looked for less often."""
    often, *rest = gc.get_threshold()
    if 0 < often < COLLECTED_EVERY:
        gc.set_threshold(COLLECTED_EVERY, *rest)
    return importlib.import_module("numba")


@cache
def _compiled(
    function: Any, kept: bool, inline: bool, bound: tuple[tuple[str, Any], ...], is_inner: bool = False
) -> Any:
    numba = _compiler()
    surroundings = dict(function.__globals__) | dict(bound)
    for name in _names(function.__code__):
        called = surroundings.get(name)
        if called is local_floats:
            surroundings[name] = _local_floats()
        elif called is ask_for:
            surroundings[name] = _ask_for()
        elif isinstance(called, tuple) and len(called) > LOOKED_UP and all(type(each) is int for each in called):
            surroundings[name] = importlib.import_module("numpy").array(called)
        elif isinstance(called, FunctionType):
            short = len(called.__code__.co_code) <= SHORT or hasattr(called, INTO_CALLERS)
            surroundings[name] = _compiled(called, False, inline or short, (), True)
    again = FunctionType(function.__code__, surroundings, function.__name__, function.__defaults__)
    again.__module__ = function.__module__
    # Steps are a few operations each, so calls and checks cost more than they do. No step may divide by zero (in plain
    # Python it would raise), so nothing needs to look here.
    wishes: dict[str, Any] = {"error_model": "numpy", "forceinline": inline, "nogil": True}
    if (function.__module__ or "").startswith(OURS):
        wishes["pipeline_class"] = for_our_own(hasattr(function, ONE_KIND_A_NAME))
    if is_inner:
        # Only compiled code calls it, so it needs no entry for Python or C.
        wishes |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    if kept:
        again.__qualname__ = kept_name(function, **dict(bound))
        try:
            return numba.njit(again, cache=True, **wishes)
        except RuntimeError:
            # No folder that could be written to: compiled in every process.
            pass
    made = numba.njit(again, **wishes)
    made.get_call_template = _for_any_number(made.get_call_template)
    return made


def _for_any_number(ask: Any) -> Any:
    """A callee's way to find the machine code for types, told of whole numbers where a call names one.

    The compiler takes each number that stands in a call (`ema_step(state, 3, close)`) for a type of its own, and would
    compile the callee for every one of them. What is put into its caller comes to the same machine code without that.
    """
    types = importlib.import_module("numba.core.types")

    def of_types(arguments: Any, named: Any) -> Any:
        plainly = tuple(types.unliteral(each) for each in arguments)
        return ask(plainly, {name: types.unliteral(each) for name, each in named.items()})

    return of_types


@cache
def _local_floats() -> Any:
    """`local_floats` for the compiler: room in the caller's own frame, which it takes apart into registers."""
    extending, types = importlib.import_module("numba.extending"), importlib.import_module("numba.core.types")
    cgutils = importlib.import_module("numba.core.cgutils")
    arrayobj = importlib.import_module("numba.np.arrayobj")
    ir = importlib.import_module("llvmlite.ir")

    def room(typing: Any, size: Any) -> Any:
        if not isinstance(size, types.IntegerLiteral):
            return None
        count, array = size.literal_value, types.Array(types.float64, 1, "C")

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            double = ir.DoubleType()
            place = cgutils.alloca_once(builder, ir.ArrayType(double, count))
            made = context.make_array(array)(context, builder)
            whole = types.intp
            arrayobj.populate_array(
                made,
                data=builder.bitcast(place, double.as_pointer()),
                shape=cgutils.pack_array(builder, [context.get_constant(whole, count)]),
                strides=cgutils.pack_array(builder, [context.get_constant(whole, 8)]),
                itemsize=context.get_constant(whole, 8),
                meminfo=None,
            )
            return made._getvalue()

        return array(size), build

    return extending.intrinsic(prefer_literal=True)(room)


@cache
def _ask_for() -> Any:
    """`ask_for` for the compiler."""
    extending, types = importlib.import_module("numba.extending"), importlib.import_module("numba.core.types")
    cgutils = importlib.import_module("numba.core.cgutils")
    ir = importlib.import_module("llvmlite.ir")
    whole = ir.IntType(32)

    def ask(typing: Any, table: Any, row: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(table)(context, builder, arguments[0])
            shape, strides = (cgutils.unpack_tuple(builder, each) for each in (array.shape, array.strides))
            place = [context.cast(builder, arguments[1], row, types.intp), context.get_constant(types.intp, 0)]
            first = cgutils.get_item_pointer2(context, builder, array.data, shape, strides, table.layout, place)
            line = builder.bitcast(first, ir.IntType(8).as_pointer())
            fetch = builder.module.declare_intrinsic(
                "llvm.prefetch", [line.type], ir.FunctionType(ir.VoidType(), [line.type, whole, whole, whole])
            )
            for bytes_on in (0, LINE):
                where = builder.gep(line, [ir.Constant(ir.IntType(64), bytes_on)])
                # To read, into the nearest cache, data.
                builder.call(fetch, [where, whole(0), whole(3), whole(1)])
            return context.get_dummy_value()

        return types.void(table, row), build

    return extending.intrinsic(ask)


def _names(code: CodeType) -> list[str]:
    return list(code.co_names)


@cache
def _way_of_compiling() -> bytes:
    """The source of what makes machine code here, with its options and passes: the same functions come to other code by
    another of it."""
    ways = (sys.modules[__name__], sys.modules[for_our_own.__module__])
    return "".join(inspect.getsource(way) for way in ways).encode()


def _digest(function: Any, bound: Mapping[str, Any]) -> str:
    """Of the function's own code and of every function and number that it uses, however deep, and of how they are
    compiled."""
    whole = hashlib.sha256(_way_of_compiling())
    seen: set[int] = set()

    def add(one: FunctionType, instead: Mapping[str, Any]) -> None:
        if id(one) in seen:
            return
        seen.add(id(one))
        code = one.__code__
        whole.update(code.co_code)
        whole.update(bytes(hasattr(one, mark) for mark in (INTO_CALLERS, ONE_KIND_A_NAME)))
        whole.update(repr([each for each in code.co_consts if not isinstance(each, CodeType)]).encode())
        for name in _names(code):
            used = instead[name] if name in instead else one.__globals__.get(name)
            whole.update(name.encode())
            if isinstance(used, FunctionType):
                add(used, {})
            elif isinstance(used, int | float | tuple):
                whole.update(repr(used).encode())

    add(function, bound)
    return whole.hexdigest()[:16]
