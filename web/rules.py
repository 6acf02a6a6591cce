"""Routes that cost nothing until somebody asks for their addresses."""

from collections.abc import Callable

from quart.routing import QuartRule
from typing_extensions import override


class Rule(QuartRule):
    """A route that compiles the functions that make its address when it is first asked for one.

    The framework compiles two for every route, which for our routes is nine tenths of making the application, and only
    a template or a redirect would ask for one: nobody here does.
    """

    @override
    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: QuartRule, **values: object) -> tuple[str, str]:
            if not compiled:
                compiled.append(super(Rule, self)._compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build
