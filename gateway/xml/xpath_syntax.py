"""XPath 1.0 expressions, read into a tree.

Variables are refused: signatures bind none.  An expression is short and shallow, or refused.

Source: W3C XPath 1.0, clauses 2 and 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXPRESSION_MAX = 4_000
"""Characters of one expression; the longest seen in signatures is under 600."""

DEPTH_MAX = 40

AXES = frozenset(
    (
        "ancestor",
        "ancestor-or-self",
        "attribute",
        "child",
        "descendant",
        "descendant-or-self",
        "following",
        "following-sibling",
        "namespace",
        "parent",
        "preceding",
        "preceding-sibling",
        "self",
    )
)
NODE_TYPES = frozenset(("comment", "text", "processing-instruction", "node"))

_NAME = r"[^\W\d][\w.\-]*"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<literal>"[^"]*"|'[^']*')
    | (?P<number>\d+(?:\.\d*)?|\.\d+)
    | (?P<symbol>::|\.\.|//|!=|<=|>=|[()\[\].@,/|+\-=<>*$])
    | (?P<name>{_NAME}(?::(?!:)(?:{_NAME}|\*))?)
    )""",
    re.VERBOSE,
)


class Unreadable(Exception):
    """Not an XPath expression that we take."""


@dataclass(frozen=True)
class Literal:
    value: str | float


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Negative:
    of: Expression


@dataclass(frozen=True)
class Step:
    axis: str
    test: str
    """A name test (`*`, `name`, `prefix:name`, `prefix:*`) or a node type with `()`."""

    target: str | None
    """The literal in `processing-instruction('x')`."""

    predicates: tuple[Expression, ...]


@dataclass(frozen=True)
class Path:
    """A location path: from the root, from the context node, or from what `start` gives."""

    start: Expression | None
    absolute: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Filtered:
    """A primary expression with predicates."""

    of: Expression
    predicates: tuple[Expression, ...]


Expression = Literal | Call | Binary | Negative | Path | Filtered

_OPERATORS = ("and", "or", "div", "mod", "*")
_ALWAYS = ("=", "!=", "<", "<=", ">", ">=", "+", "-", "|")
_ANYWHERE = Step("descendant-or-self", "node()", None, ())
_LEVELS = (("or",), ("and",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "div", "mod"))


def read(text: str) -> Expression:
    """Return the expression in `text`.  Raises Unreadable."""
    if len(text) > EXPRESSION_MAX:
        raise Unreadable(f"more than {EXPRESSION_MAX} characters")
    reader = _Reader(_tokens(text))
    expression = reader.expression(0)
    reader.done()
    return expression


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise Unreadable("character out of place")
        kind, value = match.lastgroup, match[match.lastgroup]
        # Clause 3.7: after an operand, a name or a star is an operator.
        operand = bool(found) and (
            found[-1][0] in ("literal", "number", "name") or found[-1][1] in (")", "]", ".", "..")
        )
        if (operand and value in _OPERATORS) or value in _ALWAYS:
            kind = "operator"
        elif value == "*":
            kind = "name"
        found.append((kind, value))
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    def done(self) -> None:
        if self.place != len(self.tokens):
            raise Unreadable("more than one expression")

    def expression(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        if level == 0:
            self.depth += 1
            if self.depth > DEPTH_MAX:
                raise Unreadable("nested too deep")
        left = self.expression(level + 1)
        while self._peek() in [("operator", operator) for operator in _LEVELS[level]]:
            operator = self._next()[1]
            left = Binary(operator, left, self.expression(level + 1))
        if level == 0:
            self.depth -= 1
        return left

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self.place += 1
        return token

    def _take(self, symbol: str) -> bool:
        if self._peek() == ("symbol", symbol):
            self.place += 1
            return True
        return False

    def _need(self, symbol: str) -> None:
        if not self._take(symbol):
            raise Unreadable(f"{symbol} missing")

    def _unary(self) -> Expression:
        negative = False
        while self._peek() == ("operator", "-"):
            self._next()
            negative = not negative
        found = self._union()
        return Negative(found) if negative else found

    def _union(self) -> Expression:
        left = self._path()
        while self._peek() == ("operator", "|"):
            self._next()
            left = Binary("|", left, self._path())
        return left

    def _path(self) -> Expression:
        if self._primary_ahead():
            start = self._primary()
            predicates = self._predicates()
            found = Filtered(start, predicates) if predicates else start
            steps = self._more_steps()
            return Path(found, False, steps) if steps else found
        if self._take("//"):
            return Path(None, True, (_ANYWHERE, self._step(), *self._more_steps()))
        if self._take("/"):
            if not self._step_ahead():
                return Path(None, True, ())
            return Path(None, True, (self._step(), *self._more_steps()))
        return Path(None, False, (self._step(), *self._more_steps()))

    def _more_steps(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        while True:
            if self._take("//"):
                steps.append(_ANYWHERE)
            elif not self._take("/"):
                return tuple(steps)
            steps.append(self._step())

    def _primary_ahead(self) -> bool:
        kind, value = self._peek()
        if kind in ("literal", "number") or (kind, value) == ("symbol", "("):
            return True
        return kind == "name" and self._peek(1) == ("symbol", "(") and value not in NODE_TYPES

    def _step_ahead(self) -> bool:
        kind, value = self._peek()
        return kind == "name" or (kind == "symbol" and value in (".", "..", "@"))

    def _primary(self) -> Expression:
        kind, value = self._next()
        if kind == "literal":
            return Literal(value[1:-1])
        if kind == "number":
            return Literal(float(value))
        if kind == "symbol":
            inner = self.expression(0)
            self._need(")")
            return inner
        self._need("(")
        arguments: list[Expression] = []
        if not self._take(")"):
            arguments.append(self.expression(0))
            while self._take(","):
                arguments.append(self.expression(0))
            self._need(")")
        return Call(value, tuple(arguments))

    def _step(self) -> Step:
        if self._take("."):
            return Step("self", "node()", None, ())
        if self._take(".."):
            return Step("parent", "node()", None, ())
        axis = "child"
        if self._take("@"):
            axis = "attribute"
        elif self._peek(1) == ("symbol", "::"):
            axis = self._next()[1]
            self._next()
            if axis not in AXES:
                raise Unreadable("unknown axis")
        kind, test = self._next()
        if kind != "name":
            raise Unreadable("step missing")
        target = None
        if test in NODE_TYPES and self._take("("):
            if test == "processing-instruction" and self._peek()[0] == "literal":
                target = self._next()[1][1:-1]
            self._need(")")
            test += "()"
        return Step(axis, test, target, self._predicates())

    def _predicates(self) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while self._take("["):
            found.append(self.expression(0))
            self._need("]")
        return tuple(found)
