"""All questions as one: the rules' own sources, joined by `and` into a single function.

An order waits for some thirty rules, and in a process that was idle each of them is a function whose code has to come
from far memory. Nothing is said a second time: a question is read from the source of its rule, what it calls with its
numbers is put into its place, and what is looked at by several rules is looked at once. It only says whether all let
a wish through; who must know which do not asks them one by one. What cannot be read (source that is not at hand or
not what was loaded, a loop) stays a call.
"""

import ast
import builtins
import copy
from collections.abc import Iterable
from types import FunctionType
from typing import Any, Final

from genesis.domain.indicators.unfolding import NotWritten, source_of
from genesis.domain.risk_rules.results import Question

_LOOKED_AT: Final = {
    ("settings", "risk"): "limits",
    ("settings", "market"): "market",
    ("wish", "notional"): "notional",
}
"""What many questions begin with, and the local name under which it is kept."""


def at_once(questions: Iterable[Question]) -> Question:
    """One question that is answered with yes where all of these are, each asked only while the ones before said yes."""
    writer = _Writer()
    asked = [
        writer.called(question, [_loaded(name) for name in ("settings", "facts", "wish")]) for question in questions
    ]
    looks = [
        ast.Assign([ast.Name(local, ast.Store())], ast.Attribute(_loaded(of), name, ast.Load()))
        for (of, name), local in _LOOKED_AT.items()
    ]
    all_say_yes = _Kept().visit(ast.BoolOp(ast.And(), [ast.Constant(True), *asked]))
    answer = ast.Return(ast.IfExp(all_say_yes, ast.Constant(True), ast.Constant(False)))
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in ("settings", "facts", "wish")],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    written = ast.FunctionDef("at_once", arguments, [*looks, answer], [])
    module = ast.fix_missing_locations(ast.Module([written], []))
    code = compile(module, f"<{__name__}>", "exec")
    exec(code, writer.names)  # noqa: S102 - the sources of our own rules
    made: Question = writer.names["at_once"]
    return made


class _Writer:
    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        """The globals of what is written."""

    def called(self, function: Any, arguments: list[ast.expr]) -> ast.expr:
        """What a call gives, as an expression of its arguments, which are looked at as often as they stand in it."""
        try:
            definition = source_of(function)
            body = self._value(definition.body)
        except NotWritten:
            return ast.Call(self._global(function.__name__, function), arguments, [])
        parameters = [each.arg for each in definition.args.args]
        given = dict(zip(parameters, arguments, strict=True))
        placed: ast.expr = _Placed(self, function, given).visit(body)
        return placed

    def _value(self, statements: list[ast.stmt]) -> ast.expr:
        match statements:
            case [ast.Expr(value=ast.Constant()), *rest]:
                return self._value(rest)
            case [ast.Return(value=ast.expr() as value)]:
                return value
            case [ast.If(test=test, body=[ast.Return(value=ast.expr() as value)], orelse=[]), *rest]:
                return ast.IfExp(test, value, self._value(rest))
            case [ast.Assign(targets=[ast.Name(id=name)], value=value), *rest]:
                named: ast.expr = _Named(name, value).visit(self._value(rest))
                return named
        raise NotWritten

    def _global(self, name: str, value: Any) -> ast.expr:
        while name in self.names and self.names[name] is not value:
            name += "_"
        self.names[name] = value
        return _loaded(name)

    def known(self, function: FunctionType, name: str) -> ast.expr:
        """A name of the module that a function comes from."""
        if name in function.__globals__:
            return self._global(name, function.__globals__[name])
        return self._global(name, getattr(builtins, name))


class _Placed(ast.NodeTransformer):
    """The body of a function with what it was given in place of its parameters, and what it calls in its place."""

    def __init__(self, writer: _Writer, function: FunctionType, given: dict[str, ast.expr]) -> None:
        self.writer, self.function, self.given = writer, function, given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        given = self.given.get(node.id)
        return self.writer.known(self.function, node.id) if given is None else copy.deepcopy(given)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(each) for each in node.args]
        if isinstance(node.func, ast.Name) and not node.keywords:
            called = self.function.__globals__.get(node.func.id)
            if isinstance(called, FunctionType):
                return self.writer.called(called, arguments)
        return ast.Call(self.visit(node.func), arguments, [self.visit(each) for each in node.keywords])


class _Named(ast.NodeTransformer):
    """What a local name stands for, where it stands."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.value) if node.id == self.name else node


class _Kept(ast.NodeTransformer):
    """What is looked at by many, from the local name that keeps it."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in _LOOKED_AT:
            return _loaded(_LOOKED_AT[node.value.id, node.attr])
        self.generic_visit(node)
        return node


def _loaded(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())
