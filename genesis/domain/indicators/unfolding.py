"""Steps written into who calls them: the same source without the calls, for where no compiler is loaded.

In plain Python a call costs as much as the arithmetic of an average. So a function is written again with the functions
that it calls put into their places: parameters become the caller's own names and numbers, what is returned becomes an
assignment, and sums of whole numbers (`state[at + 3]`) are worked out beforehand. Where a whole state is only ever
looked at by such numbers, a loop keeps it in local names, and what it works out of those that it never changes
(`2.0 / (period + 1.0)`) once, before its first round. Nothing about the arithmetic or its order changes, so the bits
are the same; a test holds both ways to it.

What cannot be written so (a return within a loop, a call whose place in an expression matters, a function whose source
is not at hand or is not what was loaded) stays the call that it was.
"""

import ast
import inspect
import linecache
import textwrap
from collections import Counter
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Final

from genesis.domain.indicators.compiling import plain

MOST_NODES: Final = 6_000
"""Of a written function: what would grow beyond it stays as it was."""

Sink = Callable[[ast.expr], list[ast.stmt]]
"""What becomes of a value that is returned."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_FOREIGN = (
    *_SCOPES,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.Yield,
    ast.YieldFrom,
    ast.Await,
    ast.Try,
    ast.With,
    ast.Global,
    ast.Nonlocal,
    ast.NamedExpr,
    ast.Delete,
    ast.Match,
    ast.Import,
    ast.ImportFrom,
    ast.Raise,
    ast.Assert,
)
_STILL = (
    ast.Name,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.Tuple,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.expr_context,
)
"""What gives the same whether it is worked out before or after a step: local names, numbers and sums of them."""


class NotWritten(Exception):
    """This call stays a call."""


@cache
def unfolded(function: Any, **bound: Any) -> Any:
    """The function with the steps that it calls written into it; the function itself where that cannot be.

    `bound` puts functions in the place of globals of these names, as `compiled` does.
    """
    try:
        return _Writer(function, bound).written()
    except NotWritten:
        return plain(function, **bound)


class _Writer:
    def __init__(self, function: FunctionType, bound: dict[str, Any]) -> None:
        self.function = function
        self.bound = bound
        self.names: dict[str, Any] = {}
        """The globals of what is written."""
        self.count = 0
        self.nodes = 0

    def written(self) -> Any:
        definition = _definition(self.function)
        known = _surroundings(self.function, self.bound)
        locals_ = {name: name for name in _locals(definition)}
        again = _copied(definition)
        again.body = self._block(_Renamed(self, known, locals_, {}).all(again.body), None)
        _keep_state_in_names(again, lambda: self.global_name("as_it_stands", plain(self.function, **self.bound)))
        again.decorator_list = []
        again.returns = None
        for each in again.args.args:
            each.annotation = None
        module = ast.fix_missing_locations(ast.Module(body=[again], type_ignores=[]))
        code = compile(module, f"<{self.function.__module__}.{self.function.__name__}, unfolded>", "exec")
        inner = next(const for const in code.co_consts if isinstance(const, CodeType))
        made = FunctionType(inner, self.names, self.function.__name__, self.function.__defaults__)
        made.__module__ = self.function.__module__
        return made

    def fresh(self, name: str) -> str:
        self.count += 1
        return f"{name}_{self.count}"

    def global_name(self, name: str, value: Any) -> str:
        """A name under which this value is known to what is written."""
        if name in self.names and self.names[name] is not value:
            name = self.fresh(name)
        self.names[name] = value
        return name

    # --- statements ---------------------------------------------------------------------------------------------------

    def _block(self, statements: list[ast.stmt], sink: Sink | None) -> list[ast.stmt]:
        """Statements with every step written into them. With a `sink`, every way through them ends in it."""
        written, ends = self._some(statements, sink)
        if sink is not None and not ends:
            written += sink(ast.Constant(None))
        return written or [ast.Pass()]

    def _some(self, statements: list[ast.stmt], sink: Sink | None) -> tuple[list[ast.stmt], bool]:
        written: list[ast.stmt] = []
        for place, statement in enumerate(statements):
            match statement:
                case ast.Expr(value=ast.Constant()):
                    continue
                case ast.Return(value=value):
                    value = value or ast.Constant(None)
                    written += self._value(value, sink or _returned)
                    return written, True
                case ast.Assign(targets=[target], value=value):
                    written += self._value(value, _into(target))
                case ast.AugAssign(target=ast.Name() as target, value=value):
                    before, now = self._before(value)
                    written += [*before, ast.AugAssign(target, statement.op, now)]
                case ast.Expr(value=ast.Call() as call):
                    written += self._value(call, _thrown_away)
                case ast.If(test=test, body=body, orelse=orelse):
                    before, now = self._before(test)
                    written += before
                    rest = statements[place + 1 :]
                    if sink is None or not _holds(statement, ast.Return):
                        then = self._block(body, None)
                        other = self._block(orelse, None) if orelse else []
                        written.append(ast.If(now, then, other))
                        continue
                    # What comes after it belongs to each way that goes on.
                    then, then_ends = self._some([*body, *_copied(rest)], sink)
                    other, other_ends = self._some([*orelse, *rest], sink)
                    written.append(
                        ast.If(now, self._ended(then, then_ends, sink), self._ended(other, other_ends, sink))
                    )
                    return written, True
                case ast.For() | ast.While():
                    if sink is not None and _holds(statement, ast.Return):
                        raise NotWritten
                    again = _copied(statement)
                    again.body = self._block(statement.body, None)
                    again.orelse = self._block(statement.orelse, None) if statement.orelse else []
                    written.append(again)
                case _:
                    written.append(statement)
        return written, False

    @staticmethod
    def _ended(statements: list[ast.stmt], ends: bool, sink: Sink) -> list[ast.stmt]:
        if not ends:
            statements = statements + sink(ast.Constant(None))
        return statements or [ast.Pass()]

    # --- values -------------------------------------------------------------------------------------------------------

    def _value(self, value: ast.expr, sink: Sink) -> list[ast.stmt]:
        """Statements after which the sink has the value."""
        if self._step_of(value) is not None:
            assert isinstance(value, ast.Call)
            try:
                return self._call(value, sink)
            except NotWritten:
                return sink(value)
        if isinstance(value, ast.IfExp) and self._has_steps(value):
            before, test = self._before(value.test)
            then, other = self._value(value.body, sink), self._value(value.orelse, sink)
            return [*before, ast.If(test, then or [ast.Pass()], other)]
        before, now = self._before(value)
        return [*before, *sink(now)]

    def _before(self, value: ast.expr) -> tuple[list[ast.stmt], ast.expr]:
        """Steps of an expression, written before it, and what is left of it."""
        if not self._has_steps(value):
            return [], value
        if self._step_of(value) is None and not self._is_still(value):
            return [], value
        before: list[ast.stmt] = []

        def leave(node: ast.expr) -> ast.expr:
            if self._step_of(node) is None:
                for name, child in ast.iter_fields(node):
                    if isinstance(child, ast.expr):
                        setattr(node, name, leave(child))
                    elif isinstance(child, list):
                        setattr(node, name, [leave(each) if isinstance(each, ast.expr) else each for each in child])
                return node
            assert isinstance(node, ast.Call)
            name = self.fresh("told")
            before.extend(self._value(node, _into(ast.Name(name, ast.Store()))))
            return ast.Name(name, ast.Load())

        return before, leave(_copied(value))

    def _is_still(self, value: ast.AST) -> bool:
        if self._step_of(value) is not None:
            return True
        return isinstance(value, _STILL) and all(self._is_still(each) for each in ast.iter_child_nodes(value))

    def _has_steps(self, value: ast.AST) -> bool:
        return any(self._step_of(each) is not None for each in _nodes(value))

    def _step_of(self, value: ast.AST) -> FunctionType | None:
        """The function that is called here, where it can be written out."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and not value.keywords:
            called = self.names.get(value.func.id)
            if isinstance(called, FunctionType) and _can_be_written(called):
                return called
        return None

    def _call(self, call: ast.Call, sink: Sink) -> list[ast.stmt]:
        """The body of what is called, in the place of the call."""
        assert isinstance(call.func, ast.Name)
        function = self.names[call.func.id]
        definition = _definition(function)
        parameters = [each.arg for each in definition.args.args]
        if len(parameters) != len(call.args):
            raise NotWritten
        self.nodes += len(_nodes(definition))
        if self.nodes > MOST_NODES:
            raise NotWritten
        surroundings = _surroundings(function, {})
        stored, used = _stored(definition), _loaded(definition)
        renamed = {name: self.fresh(name) for name in sorted(stored) if name not in parameters}
        instead: dict[str, ast.expr] = {}
        written: list[ast.stmt] = []
        for name, argument in zip(parameters, call.args, strict=True):
            before, argument = self._before(argument)
            written += before
            is_known = isinstance(argument, ast.Name | ast.Constant)
            if name not in used and name not in stored and (is_known or isinstance(argument, ast.Subscript)):
                continue
            if name not in stored and is_known:
                instead[name] = argument
                continue
            renamed[name] = self.fresh(name)
            written.append(ast.Assign([ast.Name(renamed[name], ast.Store())], argument))
        body = _Renamed(self, surroundings, renamed, instead).all(_copied(definition.body))
        return written + self._block(body, sink)


class _Renamed(ast.NodeTransformer):
    """A body in its caller's names: locals by new ones, parameters by what they were given, numbers of the module as
    themselves, and sums of whole numbers worked out."""

    def __init__(
        self, writer: _Writer, known: dict[str, Any], locals_: dict[str, str], instead: dict[str, ast.expr]
    ) -> None:
        self.writer, self.known, self.locals, self.instead = writer, known, locals_, instead

    def all(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        return [self.visit(statement) for statement in statements]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.instead:
            given: ast.expr = _copied(self.instead[node.id])
            return given
        if node.id in self.locals:
            return ast.Name(self.locals[node.id], node.ctx)
        if node.id in self.known:
            value = self.known[node.id]
            if type(value) in (int, float, bool) and value == value:
                return ast.Constant(value)
            return ast.Name(self.writer.global_name(node.id, value), node.ctx)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.Pass()
        target, value = self.visit(node.target), self.visit(node.value)
        return ast.Assign([target], value)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        left, right = node.left, node.right
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            one, other = left.value, right.value
            if type(one) is int and type(other) is int:
                match node.op:
                    case ast.Add():
                        return ast.Constant(one + other)
                    case ast.Sub():
                        return ast.Constant(one - other)
                    case ast.Mult():
                        return ast.Constant(one * other)
        return node


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """A tree's nodes, each before those beneath it. `ast.walk` makes three generators for each of them."""
    found = [tree]
    for node in found:
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, ast.AST):
                found.append(child)
            elif isinstance(child, list):
                found += [each for each in child if isinstance(each, ast.AST)]
    return found


def _copied(node: Any) -> Any:
    """A tree of its own, without the places in a file that it came from."""
    if isinstance(node, list):
        return [_copied(each) for each in node]
    if not isinstance(node, ast.AST) or not node._fields:
        return node
    return type(node)(**{name: _copied(getattr(node, name, None)) for name in node._fields})


def _returned(value: ast.expr) -> list[ast.stmt]:
    return [ast.Return(value)]


def _thrown_away(value: ast.expr) -> list[ast.stmt]:
    return [] if isinstance(value, ast.Name | ast.Constant) else [ast.Expr(value)]


def _into(target: ast.expr) -> Sink:
    return lambda value: [ast.Assign([_copied(target)], value)]


def _holds(statement: ast.AST, kind: type[ast.AST]) -> bool:
    return any(isinstance(each, kind) for each in _nodes(statement))


def _surroundings(function: FunctionType, bound: dict[str, Any]) -> dict[str, Any]:
    return {**function.__globals__, **bound}


def _stored(definition: ast.FunctionDef) -> set[str]:
    return {each.id for each in _nodes(definition) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _loaded(definition: ast.FunctionDef) -> set[str]:
    return {each.id for each in _nodes(definition) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _locals(definition: ast.FunctionDef) -> set[str]:
    return _stored(definition) | {each.arg for each in definition.args.args}


@cache
def _can_be_written(function: FunctionType) -> bool:
    try:
        _definition(function)
    except NotWritten:
        return False
    return True


def _tree(function: FunctionType) -> ast.Module:
    """Its source as a tree: the lines that its code comes from. `inspect` looks for the last of them by reading every
    token, which is a third of the time of writing a step; it is asked where a line without code ends the source."""
    code = function.__code__
    last = max([end for _, end, _, _ in code.co_positions() if end is not None], default=0)
    lines = linecache.getlines(code.co_filename, function.__globals__)[code.co_firstlineno - 1 : last]
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        tree = ast.Module(body=[], type_ignores=[])
    return tree if tree.body else ast.parse(textwrap.dedent(inspect.getsource(function)))


@cache
def _definition(function: FunctionType) -> ast.FunctionDef:
    """The source of a function that nothing decorates."""
    found = source_of(function)
    if found.decorator_list:
        raise NotWritten
    return found


def source_of(function: Any) -> ast.FunctionDef:
    """The source of a plain function as a tree of its own, with what decorates it. It must be the source of just this
    code: a file may have changed since it was loaded. Raises NotWritten."""
    if not isinstance(function, FunctionType) or function.__closure__ or function.__defaults__:
        raise NotWritten
    try:
        tree = _tree(function)
    except (OSError, TypeError, SyntaxError):
        raise NotWritten from None
    match tree.body:
        case [ast.FunctionDef() as found]:
            pass
        case _:
            raise NotWritten
    arguments = found.args
    is_plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs)
    if not is_plain:
        raise NotWritten
    if any(isinstance(each, _FOREIGN) for statement in found.body for each in _nodes(statement)):
        raise NotWritten
    anew = next(each for each in compile(tree, "", "exec").co_consts if isinstance(each, CodeType))
    loaded = function.__code__
    parts = ("co_code", "co_consts", "co_names", "co_varnames")
    if any(getattr(anew, name) != getattr(loaded, name) for name in parts):
        raise NotWritten
    return found


def _keep_state_in_names(definition: ast.FunctionDef, as_it_stands: Callable[[], str]) -> None:
    """Where a loop looks at its first parameter only by known numbers, each of them becomes a local name: read before
    the first statement, and written back after the last. `as_it_stands` names the function that nobody has written."""
    loops = [each for each in definition.body if isinstance(each, ast.For | ast.While)]
    if not loops or any(_holds(each, ast.Return) for each in definition.body[:-1]):
        return
    state = definition.args.args[0].arg
    nodes = _nodes(definition)
    uses = [each for each in nodes if isinstance(each, ast.Name) and each.id == state]
    looks = [
        each
        for each in nodes
        if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name) and each.value.id == state
    ]
    places: dict[int, bool] = {}
    for look in looks:
        if not isinstance(look.slice, ast.Constant) or type(look.slice.value) is not int or look.slice.value < 0:
            return
        is_written = isinstance(look.ctx, ast.Store)
        places[look.slice.value] = places.get(look.slice.value, False) or is_written
    if len(uses) != len(looks):
        return

    class Named(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
            if isinstance(node.value, ast.Name) and node.value.id == state and isinstance(node.slice, ast.Constant):
                return ast.Name(f"{state}__{node.slice.value!r}", node.ctx)
            self.generic_visit(node)
            return node

    def at(place: int, context: ast.expr_context) -> ast.expr:
        return ast.Subscript(ast.Name(state, ast.Load()), ast.Constant(place), context)

    body = [Named().visit(each) for each in definition.body]
    read: list[ast.stmt] = [
        ast.Assign([ast.Name(f"{state}__{place}", ast.Store())], at(place, ast.Load())) for place in sorted(places)
    ]
    kept: list[ast.stmt] = [
        ast.Assign([at(place, ast.Store())], ast.Name(f"{state}__{place}", ast.Load()))
        for place, is_written in sorted(places.items())
        if is_written
    ]
    last = [body.pop()] if isinstance(body[-1], ast.Return) else []
    body, known = _work_out_once(body, {f"{state}__{place}" for place, is_written in places.items() if not is_written})
    if known:
        # What the loop might never have come to: it is left to say so itself.
        call = ast.Call(
            ast.Name(as_it_stands(), ast.Load()),
            [ast.Name(each.arg, ast.Load()) for each in definition.args.args],
            [],
        )
        handler = ast.ExceptHandler(ast.Name("ZeroDivisionError", ast.Load()), None, [ast.Return(call)])
        known = [ast.Try(known, [handler], [], [])]
    definition.body = [*read, *known, *body, *kept, *last]


_WORKED_OUT: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def _work_out_once(body: list[ast.stmt], fixed: set[str]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The statements of a loop without what they work out of `fixed` names and numbers alone, and the assignments of
    that, to stand before them."""
    stores = Counter(
        each.id
        for statement in body
        for each in _nodes(statement)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )
    same: dict[str, ast.Name] = {}
    worked: dict[str, str] = {}
    known: list[ast.stmt] = []

    class Once(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return same.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            node.left, node.right = self.visit(node.left), self.visit(node.right)
            sides = (node.left, node.right)
            is_fixed = [isinstance(each, ast.Name) and each.id in fixed for each in sides]
            are_known = all(one or isinstance(each, ast.Constant) for one, each in zip(is_fixed, sides, strict=True))
            if not (any(is_fixed) and are_known and isinstance(node.op, _WORKED_OUT)):
                return node
            text = ast.dump(node)
            if text not in worked:
                worked[text] = f"known__{len(worked)}"
                known.append(ast.Assign([ast.Name(worked[text], ast.Store())], node))
                fixed.add(worked[text])
            return ast.Name(worked[text], ast.Load())

        def visit_Assign(self, node: ast.Assign) -> ast.stmt:
            node.targets, node.value = [self.visit(each) for each in node.targets], self.visit(node.value)
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)) if value in fixed:
                    if stores[name] == 1:
                        # Another name for it, and only for it.
                        same[name] = ast.Name(value, ast.Load())
                        return ast.Pass()
            return node

    return [Once().visit(each) for each in body], known
