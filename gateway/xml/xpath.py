"""XPath 1.0 over our own node tree, with every step counted.

libxml2's evaluator cannot be stopped, and an expression in a signature is the sender's: ours
gives up at STEPS_MAX visited nodes.

Source: W3C XPath 1.0; XMLDSig 1.1, clause 6.6.3 (`here()`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.xml.nodes import XML, Node, TooMany, Tree
from gateway.xml.xpath_syntax import (
    Binary,
    Call,
    Expression,
    Filtered,
    Literal,
    Negative,
    Path,
    Step,
    Unreadable,
)

STEPS_MAX = 600_000
"""Nodes visited by all expressions of one document together: under a second."""

Value = list[Node] | float | str | bool


class Steps:
    """What may still be visited."""

    def __init__(self, left: int = STEPS_MAX) -> None:
        self.left = left

    def take(self, number: int = 1) -> None:
        self.left -= number
        if self.left < 0:
            raise TooMany("more steps than an expression may take")


@dataclass(frozen=True)
class Context:
    """Where an expression is evaluated (clause 1)."""

    node: Node
    tree: Tree
    prefixes: Mapping[str, str]
    steps: Steps
    here: Node | None = None
    """The element that holds the expression, for `here()`."""

    position: int = 1
    size: int = 1


def evaluate(expression: Expression, context: Context) -> Value:
    """Return the value of `expression`.  Raises Unreadable, or TooMany when it costs too much."""
    context.steps.take()
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Negative):
        return -number(evaluate(expression.of, context))
    if isinstance(expression, Binary):
        return _binary(expression, context)
    if isinstance(expression, Call):
        return _call(expression, context)
    if isinstance(expression, Filtered):
        return _kept(_nodes(evaluate(expression.of, context)), expression.predicates, context)
    return _path(expression, context)


def boolean(value: Value) -> bool:
    if isinstance(value, list | str):
        return bool(value)
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def string(value: Value) -> str:
    if isinstance(value, list):
        return value[0].string() if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value == int(value) else repr(value)
    return value


def number(value: Value) -> float:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if isinstance(value, float):
        return value
    try:
        return float(string(value).strip(" \t\r\n"))
    except ValueError:
        return math.nan


def _nodes(value: Value) -> list[Node]:
    if not isinstance(value, list):
        raise Unreadable("not a set of nodes")
    return value


def _sorted(nodes: Sequence[Node]) -> list[Node]:
    unique = {node.order: node for node in nodes}
    return [unique[order] for order in sorted(unique)]


# --- paths -----------------------------------------------------------------------------


def _path(path: Path, context: Context) -> list[Node]:
    if path.start is not None:
        current = _nodes(evaluate(path.start, context))
    else:
        current = [context.tree.root if path.absolute else context.node]
    for step in path.steps:
        found: list[Node] = []
        for node in current:
            chosen = []
            for candidate in _along(step.axis, node, context):
                context.steps.take()
                if _passes(step, candidate, context):
                    chosen.append(candidate)
            found.extend(_kept(chosen, step.predicates, context))
        current = _sorted(found)
    return current


def _kept(nodes: list[Node], predicates: Sequence[Expression], context: Context) -> list[Node]:
    """Return the nodes that pass `predicates`; `nodes` stand in the order of their axis."""
    for predicate in predicates:
        passed = []
        for position, node in enumerate(nodes, start=1):
            at = replace(context, node=node, position=position, size=len(nodes))
            value = evaluate(predicate, at)
            if isinstance(value, float) and not isinstance(value, bool):
                holds = value == position
            else:
                holds = boolean(value)
            if holds:
                passed.append(node)
        nodes = passed
    return nodes


def _along(axis: str, node: Node, context: Context) -> Iterator[Node]:
    """Yield the nodes of an axis, the nearest first (clause 2.2)."""
    attached = node.kind in ("attribute", "namespace")
    if axis.endswith("-or-self") or axis == "self":
        yield node
    if axis.startswith("ancestor"):
        yield from node.upwards()
    elif axis == "attribute":
        yield from node.attributes
    elif axis == "child":
        yield from node.children
    elif axis.startswith("descendant"):
        yield from node.below()
    elif axis == "namespace":
        yield from node.namespaces
    elif axis == "parent":
        if node.parent is not None:
            yield node.parent
    elif axis in ("following-sibling", "preceding-sibling") and not attached:
        yield from _siblings(axis.startswith("following"), node, context)
    elif axis in ("following", "preceding"):
        yield from _around(axis == "following", node, context)


def _siblings(after: bool, node: Node, context: Context) -> Iterator[Node]:
    if node.parent is None:
        return
    siblings = node.parent.children
    context.steps.take(len(siblings))
    place = siblings.index(node)
    yield from siblings[place + 1 :] if after else reversed(siblings[:place])


def _around(after: bool, node: Node, context: Context) -> Iterator[Node]:
    context.steps.take(len(context.tree.nodes))
    ancestors = {one.order for one in node.upwards()}
    below = {one.order for one in node.below()}
    plain = [
        one
        for one in context.tree.nodes
        if one.kind not in ("root", "attribute", "namespace") and one.order not in below
    ]
    if after:
        yield from (one for one in plain if one.order > node.order)
    else:
        earlier = [one for one in plain if one.order < node.order and one.order not in ancestors]
        yield from reversed(earlier)


_PRINCIPAL = {"attribute": "attribute", "namespace": "namespace"}


def _passes(step: Step, node: Node, context: Context) -> bool:
    test = step.test
    if test.endswith("()"):
        if test == "node()":
            return True
        if test == "processing-instruction()":
            return node.kind == "instruction" and step.target in (None, node.local)
        return node.kind == test[:-2]
    if node.kind != _PRINCIPAL.get(step.axis, "element"):
        return False
    prefix, _, local = test.rpartition(":")
    if test == "*":
        return True
    uri = ""
    if prefix:
        if prefix not in context.prefixes:
            raise Unreadable("prefix without a namespace")
        uri = context.prefixes[prefix]
    return node.uri == uri and local in ("*", node.local)


# --- operators -------------------------------------------------------------------------


def _binary(expression: Binary, context: Context) -> Value:
    operator = expression.operator
    left = evaluate(expression.left, context)
    if operator in ("and", "or"):
        if boolean(left) is (operator == "or"):
            return operator == "or"
        return boolean(evaluate(expression.right, context))
    right = evaluate(expression.right, context)
    if operator == "|":
        return _sorted([*_nodes(left), *_nodes(right)])
    if operator in _COMPARED:
        return _compare(operator, left, right, context)
    return _ARITHMETIC[operator](number(left), number(right))


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return left / right


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "div": _divide,
    "mod": _remainder,
}
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _compare(operator: str, left: Value, right: Value, context: Context) -> bool:
    """Compare as clause 3.4 says: a set of nodes compares if any of its nodes does."""
    if isinstance(left, list) and not isinstance(right, bool):
        context.steps.take(len(left))
        return any(_compare(operator, node.string(), right, context) for node in left)
    if isinstance(right, list) and not isinstance(left, bool):
        context.steps.take(len(right))
        return any(_compare(operator, left, node.string(), context) for node in right)
    if operator in ("=", "!="):
        if isinstance(left, bool) or isinstance(right, bool):
            return (boolean(left) == boolean(right)) is (operator == "=")
        if isinstance(left, str) and isinstance(right, str):
            return (left == right) is (operator == "=")
    return _COMPARED[operator](number(left), number(right))


# --- functions -------------------------------------------------------------------------


def _call(call: Call, context: Context) -> Value:
    if call.name not in _FUNCTIONS:
        raise Unreadable("unknown function")
    least, most, function = _FUNCTIONS[call.name]
    if not least <= len(call.arguments) <= most:
        raise Unreadable("wrong number of arguments")
    values = [evaluate(argument, context) for argument in call.arguments]
    context.steps.take(sum(len(v) for v in values if isinstance(v, list | str)))
    return function(context, values)


def _of(context: Context, values: list[Value]) -> Node | None:
    """Return the node a function speaks of: its argument's first, or the context's."""
    if not values:
        return context.node
    nodes = _nodes(values[0])
    return nodes[0] if nodes else None


def _text(context: Context, values: list[Value]) -> str:
    return string(values[0]) if values else context.node.string()


def _id(context: Context, values: list[Value]) -> Value:
    """Return the elements with these Ids, by the attributes that signatures call so."""
    value = values[0]
    words = [node.string() for node in value] if isinstance(value, list) else [string(value)]
    wanted = {word for text in words for word in text.split()}
    context.steps.take(len(context.tree.nodes))
    found = [
        node.parent
        for node in context.tree.nodes
        if node.kind == "attribute" and node.local.lower() == "id" and node.value in wanted
    ]
    if len({node.order for node in found if node is not None}) > len(wanted):
        raise Unreadable("an Id that is not unique")
    return _sorted([node for node in found if node is not None])


def _name(context: Context, values: list[Value]) -> Value:
    node = _of(context, values)
    return node.name if node is not None else ""


def _local_name(context: Context, values: list[Value]) -> Value:
    node = _of(context, values)
    return node.local if node is not None else ""


def _namespace(context: Context, values: list[Value]) -> Value:
    node = _of(context, values)
    return node.uri if node is not None and node.kind in ("element", "attribute") else ""


def _here(context: Context, _values: list[Value]) -> Value:
    if context.here is None:
        raise Unreadable("here() is in another document")
    return [context.here]


def _substring(_context: Context, values: list[Value]) -> Value:
    text, start = string(values[0]), _round(number(values[1]))
    end = start + _round(number(values[2])) if len(values) == 3 else math.inf
    return "".join(c for i, c in enumerate(text, start=1) if i >= start and i < end)


def _round(value: float) -> float:
    return value if math.isnan(value) or math.isinf(value) else float(math.floor(value + 0.5))


def _translate(_context: Context, values: list[Value]) -> Value:
    text, old, new = map(string, values)
    table: dict[int, str | None] = {}
    for place, character in enumerate(old):
        table.setdefault(ord(character), new[place] if place < len(new) else None)
    return text.translate(table)


def _lang(context: Context, values: list[Value]) -> Value:
    wanted = string(values[0]).lower()
    for node in (context.node, *context.node.upwards()):
        for attribute in node.attributes:
            if attribute.local == "lang" and attribute.uri == XML:
                spoken = attribute.value.lower()
                return spoken == wanted or spoken.startswith(f"{wanted}-")
    return False


def _whole(function: Callable[[float], float]) -> Function:
    def applied(_context: Context, values: list[Value]) -> Value:
        value = number(values[0])
        return value if math.isnan(value) or math.isinf(value) else float(function(value))

    return applied


Function = Callable[[Context, list[Value]], Value]
_FUNCTIONS: Mapping[str, tuple[int, int, Function]] = {
    "last": (0, 0, lambda c, _: float(c.size)),
    "position": (0, 0, lambda c, _: float(c.position)),
    "count": (1, 1, lambda _, v: float(len(_nodes(v[0])))),
    "id": (1, 1, _id),
    "local-name": (0, 1, _local_name),
    "namespace-uri": (0, 1, _namespace),
    "name": (0, 1, _name),
    "string": (0, 1, _text),
    "concat": (2, 32, lambda _, v: "".join(map(string, v))),
    "starts-with": (2, 2, lambda _, v: string(v[0]).startswith(string(v[1]))),
    "contains": (2, 2, lambda _, v: string(v[1]) in string(v[0])),
    "substring-before": (
        2,
        2,
        lambda _, v: (
            string(v[0]).partition(string(v[1]))[0] if string(v[1]) in string(v[0]) else ""
        ),
    ),
    "substring-after": (
        2,
        2,
        lambda _, v: string(v[0]).partition(string(v[1]))[2] if string(v[1]) else string(v[0]),
    ),
    "substring": (2, 3, _substring),
    "string-length": (0, 1, lambda c, v: float(len(_text(c, v)))),
    "normalize-space": (0, 1, lambda c, v: " ".join(_text(c, v).split())),
    "translate": (3, 3, _translate),
    "boolean": (1, 1, lambda _, v: boolean(v[0])),
    "not": (1, 1, lambda _, v: not boolean(v[0])),
    "true": (0, 0, lambda _c, _v: True),
    "false": (0, 0, lambda _c, _v: False),
    "lang": (1, 1, _lang),
    "number": (0, 1, lambda c, v: number(v[0] if v else c.node.string())),
    "sum": (1, 1, lambda _, v: math.fsum(number(n.string()) for n in _nodes(v[0]))),
    "floor": (1, 1, _whole(math.floor)),
    "ceiling": (1, 1, _whole(math.ceil)),
    "round": (1, 1, _whole(_round)),
    "here": (0, 0, _here),
}
"""Name → (least and most arguments, function)."""
