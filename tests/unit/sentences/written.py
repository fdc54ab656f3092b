"""The sentences that the code can say of a check: read from the code itself, none is run.

What stands as the detail of a check or as a hint is followed to the texts it is made of:
through names, arguments, returned values and raised errors.  An f-string becomes one sentence
with a `{}` for each value.  Values that are words are put in their place where they are few,
and are sentences of their own where they are many.
"""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

GATEWAY = Path(__file__).parents[3] / "gateway"
ROOMS = (
    *("signatures", "trust", "qualification", "verification", "bindings"),
    *("algorithms", "external_tool", "xml", "fhir"),
)
ASIDE = (("gateway.algorithms.policy", "_refused"),)
"""What becomes a detail behind an interface, where no name leads to it."""

OPEN = "{}"
PUT_IN_PLACE_MAX = 6


NAMES = frozenset({"ecdsa", "jku", "jwk"})
"""Names of standards that look like words."""


def is_name(text: str) -> bool:
    """Say whether a text is a name and no English words: `TSTInfo`, `x5t#S256`, `СНИЛС`, `—`."""
    written = text.replace(OPEN, "")
    if text in NAMES or not any("a" <= character <= "z" for character in written.lower()):
        return True
    plain = written.replace("_", "")
    return " " not in written and not (plain.isalpha() and plain.islower())


@dataclass
class Source:
    """One module."""

    name: str
    tree: ast.Module
    functions: dict[str, list[ast.FunctionDef]] = field(default_factory=lambda: defaultdict(list))
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


class Code:
    """The rooms in which checks are made."""

    def __init__(self, root: Path = GATEWAY, rooms: Iterable[str] = ROOMS) -> None:
        self.sources: dict[str, Source] = {}
        self._of: dict[ast.AST, Source] = {}
        self._above: dict[ast.AST, ast.AST] = {}
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        self._raised: dict[str, list[ast.Call]] = defaultdict(list)
        self._worded: dict[str, list[ast.Call]] = defaultdict(list)
        """How an error words itself, where it does."""

        self._known: dict[ast.AST, set[str]] = {}
        self._words: set[str] = set()
        """Those that stand inside a sentence and are sentences of their own."""

        for room in rooms:
            for file in sorted((root / room).rglob("*.py")):
                parts = ("gateway", *file.relative_to(root).with_suffix("").parts)
                name = ".".join(parts).removesuffix(".__init__")
                self._read(Source(name=name, tree=ast.parse(file.read_text("utf-8"))))

    def said(self) -> set[str]:
        """Return every sentence that can be a detail or a hint; names of standards aside."""
        found: set[str] = set()
        for source in self.sources.values():
            for node in ast.walk(source.tree):
                found |= self._all(_spoken(node))
        for module, name in ASIDE:
            for function in self.sources[module].functions[name]:
                found |= self._all(self._results(function))
        return {text for text in found | self._words if not is_name(text)}

    # --- what an expression comes to -----------------------------------------------------

    def texts(self, node: ast.expr) -> set[str]:
        """Return the texts that an expression can be, `{}` for what nobody can know."""
        if node not in self._known:
            self._known[node] = set()
            self._known[node] = self._texts(node)
        return self._known[node]

    def _all(self, several: Iterable[ast.expr]) -> set[str]:
        return set().union(*map(self.texts, several))

    def _texts(self, node: ast.expr) -> set[str]:
        match node:
            case ast.Constant(value=text):
                return {text} if text and isinstance(text, str) else set()
            case ast.JoinedStr():
                return self._joined(node)
            case ast.IfExp(body=one, orelse=other):
                return self.texts(one) | self.texts(other)
            case ast.BoolOp(values=several) | ast.Tuple(elts=several) | ast.List(elts=several):
                return self._all(several)
            case ast.Set(elts=several) | ast.Dict(values=several):
                return self._all(several)
            case ast.Starred(value=inner) | ast.BinOp(op=ast.Sub(), left=inner):
                return self.texts(inner)
            case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
                return self.texts(inner)
            case ast.Subscript(value=inner, slice=ast.Slice()):
                return self.texts(inner)
            case ast.Subscript(value=inner):
                return self._looked_up_in(inner)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                both = itertools.product(self.texts(left), self.texts(right))
                return {one + other for one, other in both}
            case ast.Name():
                return self._named(node)
            case ast.Attribute():
                return self._constant(node)
            case ast.Call():
                return self._called(node)
        return {OPEN}

    def _joined(self, node: ast.JoinedStr) -> set[str]:
        parts: list[set[str]] = []
        for value in node.values:
            if not isinstance(value, ast.FormattedValue):
                parts.append(self.texts(value))
                continue
            texts = self.texts(value.value)
            words = {text for text in texts if not is_name(text)}
            few = 0 < len(texts) <= PUT_IN_PLACE_MAX and not any(OPEN in text for text in texts)
            in_place = few and (words or len(texts) == 1)
            parts.append(texts if in_place else {OPEN})
            self._words |= set() if in_place else words
        return {"".join(chosen) for chosen in itertools.product(*parts)}

    def _called(self, node: ast.Call) -> set[str]:
        name = _name(node.func)
        if name == "join" and node.args:
            self._words |= self.texts(node.args[0])
            return {OPEN}
        if name in ("str", "next", "tuple", "list", "set", "sorted", "fromkeys") and node.args:
            return self.texts(node.args[0])
        if name == "get" and isinstance(node.func, ast.Attribute):
            return self._looked_up_in(node.func.value) | self._all(node.args[1:])
        functions = self._functions(node)
        results = [one for function in functions for one in self._results(function)]
        return self._all(results) if functions else {OPEN}

    def _functions(self, node: ast.Call) -> list[ast.FunctionDef]:
        found = self._defined(node.func)
        return found[0].functions[found[1]] if found else []

    def _results(self, function: ast.FunctionDef) -> Iterator[ast.expr]:
        """Yield what a function returns or yields."""
        for node in ast.walk(function):
            given = isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)
            if given and node.value and self._function(node) is function:
                yield node.value

    def _named(self, node: ast.Name) -> set[str]:
        handler = next(
            (
                one
                for one in self._around(node)
                if isinstance(one, ast.ExceptHandler) and one.name == node.id
            ),
            None,
        )
        if handler is not None:
            return self._caught(handler)
        function = self._function(node)
        while function is not None:
            found = [*self._bound(node.id, function), *self._given(node.id, function)]
            if found:
                return set().union(*found)
            function = self._function(function)
        return self._constant(node)

    def _caught(self, handler: ast.ExceptHandler) -> set[str]:
        """Return the texts of the errors that a handler takes."""
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        names = [_name(kind) for kind in kinds]
        calls = [call for name in names for call in self._worded[name] or self._raised[name]]
        return self._all(call.args[0] for call in calls if call.args) or {OPEN}

    # --- what stands under a name --------------------------------------------------------

    def _bound(self, name: str, function: ast.FunctionDef) -> Iterator[set[str]]:
        """Yield the texts that are assigned to a name in a function, or added to it."""
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[target], value=value):
                    yield from self._taken(name, target, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    yield from self._taken(name, target, value)
                case ast.NamedExpr(target=target, value=value):
                    yield from self._taken(name, target, value)
                case ast.For(target=target, iter=several):
                    yield from self._each(name, target, several)
                case ast.comprehension(target=target, iter=several):
                    yield from self._each(name, target, several)
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=bound), attr="append" | "extend" | "add"),
                    args=[value],
                ) if bound == name:
                    yield self.texts(value)

    def _taken(self, name: str, target: ast.expr, value: ast.expr) -> Iterator[set[str]]:
        """Yield what `name` in `target` is when it takes `value`."""
        match target, value:
            case ast.Name(id=bound), _ if bound == name:
                yield self.texts(value)
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                for one, other in zip(targets, values, strict=True):
                    yield from self._taken(name, one, other)
            case ast.Tuple(), ast.Call() if functions := self._functions(value):
                for function in functions:
                    for result in self._results(function):
                        yield from self._taken(name, target, result)
            case ast.Tuple(elts=targets), _ if name in map(_name, targets):
                yield {OPEN}

    def _each(self, name: str, target: ast.expr, several: ast.expr) -> Iterator[set[str]]:
        """Yield what `name` in `target` is when it takes each of `several` in turn."""
        match target, several:
            case ast.Tuple(elts=targets), ast.Call(func=ast.Name(id="zip"), args=args):
                for one, other in zip(targets, args, strict=False):
                    yield from self._each(name, one, other)
            case ast.Tuple(), ast.Tuple(elts=values) | ast.List(elts=values):
                for value in values:
                    yield from self._taken(name, target, value)
            case _:
                yield from self._taken(name, target, several)

    def _given(self, name: str, function: ast.FunctionDef) -> Iterator[set[str]]:
        """Yield what callers give for a parameter, and its default."""
        asked = function.args
        places = [one.arg for one in (*asked.posonlyargs, *asked.args)]
        if name not in (*places, *(one.arg for one in asked.kwonlyargs)):
            return
        yield set()
        if name in places and (default := places.index(name) - len(places)) >= -len(asked.defaults):
            yield self.texts(asked.defaults[default])
        bound = places[:1] == ["self"]
        for call in self._calls_of(function, bound):
            given = {one.arg: one.value for one in call.keywords}
            position = places.index(name) - bound if name in places else len(call.args)
            if name in given:
                yield self.texts(given[name])
            elif position < len(call.args):
                yield self.texts(call.args[position])

    def _calls_of(self, function: ast.FunctionDef, bound: bool) -> Iterator[ast.Call]:
        owner = self._above[function]
        if function.name == "__init__" and isinstance(owner, ast.ClassDef):
            yield from self._calls[owner.name]
        for call in self._calls[function.name]:
            found = self._defined(call.func)
            near = self._of[call] is self._of[function] or not function.name.startswith("_")
            method = bound and isinstance(call.func, ast.Attribute) and near
            if found == (self._of[function], function.name) or (found is None and method):
                yield call

    def _looked_up_in(self, node: ast.expr) -> set[str]:
        """Return what a table holds that is written as one, in its module or in the function."""
        written = [self._value(node)]
        if function := self._function(node):
            for one in ast.walk(function):
                if isinstance(one, ast.Assign) and _name(one.targets[0]) == _name(node):
                    written.append(one.value)
        tables = [one for one in written if isinstance(one, ast.Dict)]
        return self._all(tables) if tables else {OPEN}

    def _constant(self, node: ast.expr) -> set[str]:
        value = self._value(node)
        return self.texts(value) if value is not None else {OPEN}

    def _value(self, node: ast.expr) -> ast.expr | None:
        """Return what a name stands for that its module defines, or the one it comes from."""
        found = self._defined(node)
        return found[0].constants.get(found[1]) if found else None

    # --- where a name is defined ---------------------------------------------------------

    def _defined(self, node: ast.expr) -> tuple[Source, str] | None:
        """Return the module and the name there that a name stands for."""
        source = self._of[node]
        match node:
            case ast.Name(id=name):
                return self._looked_up(source, name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return (source, name) if name in source.functions else None
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in source.imports:
                inner = self.sources.get(".".join(source.imports[module]))
                return self._looked_up(inner, name) if inner else None
        return None

    def _looked_up(self, source: Source, name: str) -> tuple[Source, str] | None:
        if name in source.functions or name in source.constants:
            return source, name
        module, original = source.imports.get(name, ("", ""))
        return self._looked_up(self.sources[module], original) if module in self.sources else None

    def _function(self, node: ast.AST) -> ast.FunctionDef | None:
        return next((one for one in self._around(node) if isinstance(one, ast.FunctionDef)), None)

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._above:
            node = self._above[node]
            yield node

    def _read(self, source: Source) -> None:
        self.sources[source.name] = source
        for node in ast.walk(source.tree):
            self._of[node] = source
            self._above.update(dict.fromkeys(ast.iter_child_nodes(node), node))
            match node:
                case ast.FunctionDef(name=name):
                    source.functions[name].append(node)
                case ast.ClassDef(name=name, body=body):
                    for inner in itertools.chain.from_iterable(map(ast.walk, body)):
                        if isinstance(inner, ast.Call) and _words_itself(inner):
                            self._worded[name].append(inner)
                case ast.Raise(exc=ast.Call(func=kind) as call):
                    self._raised[_name(kind)].append(call)
                case ast.Call(func=function):
                    self._calls[_name(function)].append(node)
                case ast.ImportFrom(module=str(module), names=names):
                    for one in names:
                        source.imports[one.asname or one.name] = (module, one.name)
        for statement in source.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    source.constants[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    source.constants[name] = value


def _spoken(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that a detail or a hint is made of at one place in the code."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="append" | "extend"), args=[hint]):
            if _name(owner) == "hints":
                yield hint
        case ast.Call(keywords=keywords):
            named = {one.arg: one.value for one in keywords}
            if _name(node.func) in ("Check", "replace") and "detail" in named:
                yield named["detail"]
            yield from (named[name] for name in ("hints", "unread") if name in named)
        case ast.Assign(targets=[ast.Attribute(attr="unsupported")], value=reason):
            yield reason
        case ast.Dict(keys=[*_, ast.Constant(value="check")], values=[*_, why]):
            # What a problem quotes that is not a check's name.
            yield why


def _words_itself(call: ast.Call) -> bool:
    """Say whether an error is given its words: `super().__init__(f"…")`."""
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"),
            args=[ast.JoinedStr() | ast.Constant()],
        ):
            return True
    return False


def _name(node: ast.AST | None) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
