"""Mutation testing of the deletion log's pure parts: each small change of the code must make a test fail.

Run by hand from the root: `.venv/bin/python tests/support/mutants.py [MODULE]…`; ends with status 1 where one was not noticed.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import io
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST = 20
"""Seconds of work after which a change counts as noticed: it made an endless loop."""

TESTS: Mapping[str, tuple[str, ...]] = {
    "tree": ("test_tree.py",),
    "tile": ("test_tile.py",),
    "proof": ("test_proof.py",),
    "note": ("test_note.py",),
}

SAME: Mapping[tuple[str, str, str], str] = {
    ("note", "return False", "return"): "both mean no",
    (
        "note",
        "base64.b64decode(encoded, validate=True)",
        "base64.b64decode(encoded)",
    ): "in a signature, as in a proof; a key has a test",
    (
        "note",
        "base64.b64decode(root, validate=True)",
        "base64.b64decode(root)",
    ): "what was passed over is missed when written anew",
    ("note", "b''", "b'x'"): "neither is what the line says, which is no base64",
    ("tile", "64", "65"): "how many tiles are kept at hand decides how fast it is, not what comes out",
    ("tile", "64", "63"): "the same",
    ("tile", "len(found) < HEIGHT", "len(found) <= HEIGHT"): "works out one more row, for which nobody asks",
    (
        "proof",
        "base64.b64decode(text, validate=True)",
        "base64.b64decode(text)",
    ): "what was passed over is missed when written anew",
    ("proof", "b''", "b'x'"): "neither is what the text says, which is no base64",
    ("tile", "zip(each, each, strict=False)", "zip(each, each)"): "what a missing word means already",
}
"""Changes that change nothing, by module, code before and after; each with the reason."""

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """What one node may become."""
    match node:
        case ast.Compare(left, ops, comparators):
            for place, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:place], COMPARISONS[type(op)](), *ops[place + 1 :]], comparators)
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:  # not the one that joins paths
            yield ast.BinOp(left, OPERATORS[type(op)](), right)
        case ast.AugAssign(target, op, value):
            yield ast.AugAssign(target, OPERATORS[type(op)](), value)
            yield ast.Pass()
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
            for place in range(len(values)):
                yield ast.BoolOp(op, values[:place] + values[place + 1 :]) if len(values) > 2 else values[1 - place]
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(str() as value):
            yield ast.Constant(value + "x")
        case ast.Constant(bytes() as value):
            yield ast.Constant(value + b"x")
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.While(_, body, orelse):
            yield ast.While(ast.Constant(False), body, orelse)
        case ast.Slice(lower, upper, step):
            if lower:
                yield ast.Slice(None, upper, step)
            if upper:
                yield ast.Slice(lower, None, step)
        case ast.Raise() | ast.Expr(ast.Call()):
            yield ast.Pass()
        case ast.Return(value) if value is not None:
            yield ast.Return(None)
        case ast.Call(func, args, keywords):
            for place in range(len(keywords)):
                yield ast.Call(func, args, keywords[:place] + keywords[place + 1 :])
        case ast.Break():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Pass()
        case ast.Set(elements) | ast.Tuple(elements, ast.Load()) | ast.List(elements, ast.Load()):
            for place in range(len(elements)):
                yield (
                    type(node)(elements[:place] + elements[place + 1 :], ast.Load())
                    if not isinstance(node, ast.Set)
                    else ast.Set(elements[:place] + elements[place + 1 :] or [ast.Constant("nothing")])
                )


def mutants(tree: ast.Module) -> Iterator[tuple[str, str, str, ast.Module]]:
    """Every module that is one change away from `tree`: where, the code before, the code after, the module."""
    for way, field, node, statement in places(tree, ()):
        if isinstance(node, ast.Constant) and (field == "kind" or node.value is None):
            continue
        for other in changed(node):
            whole = copy.deepcopy(tree)
            parent: Any = whole
            for step in way[:-1]:
                parent = parent[step] if isinstance(step, int) else getattr(parent, step)
            last = way[-1]
            if isinstance(last, int):
                parent[last] = other
            else:
                setattr(parent, last, other)
            ast.fix_missing_locations(whole)
            yield f"line {getattr(statement, 'lineno', 0)}", short(node), short(other), whole


def short(node: ast.AST) -> str:
    """A node's code on one line; of a block only how it begins."""
    match node:
        case ast.If() | ast.While():
            return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())


def places(node: Any, way: tuple[str | int, ...], field: str = "", statement: Any = None) -> Iterator[Any]:
    """Each node below `node` that is code, with the way to it."""
    if isinstance(node, ast.stmt):
        statement = node
    if way and isinstance(node, ast.AST):
        yield way, field, node, statement
    match node:
        case list():
            for place, one in enumerate(node):
                yield from places(one, (*way, place), field, statement)
        case ast.Raise() | ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()) | ast.Subscript(ast.Name("Callable")):
            return  # words for people are not tested letter by letter
        case ast.keyword("strict" | "validate"):
            return  # that they can be left out is tried
        case ast.AST():
            for name, one in ast.iter_fields(node):
                if name not in {"annotation", "returns", "decorator_list", "ctx", "bases", "ops", "op", "type_params"}:
                    yield from places(one, (*way, name), name, statement)


def noticed(name: str, module: ast.Module) -> bool:
    """True where a test fails with this code in place of the module's; tried in a process of its own."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST))
        try:
            os._exit(_tried(name, module))
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] != 0


def _tried(name: str, module: ast.Module) -> int:
    import pytest  # noqa: PLC0415 - loaded before the first fork, by `main`

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            whole = importlib.import_module(f"retentiond.audit.{name}")
            exec(compile(module, str(whole.__file__), "exec"), whole.__dict__)  # noqa: S102 - that is what this is for
        except Exception:  # noqa: BLE001 - code that cannot even be loaded was noticed
            return 1
        files = [str(ROOT / "tests" / "unit" / "audit" / test) for test in TESTS[name]]
        quiet = ["-x", "-q", "--tb=no", "--noconftest", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        return int(pytest.main([*quiet, *files]))


def tell(what: str) -> None:
    """Say it at once: a run takes minutes."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(names: list[str]) -> int:
    """Try every change in the modules named, and tell which ones nobody noticed."""
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415 - so are these
    from hypothesis.internal.conjecture import engine  # noqa: F401, PLC0415

    # Nothing but the change may fail: no deadline on a busy machine, the same examples every time.
    quick = settings(
        max_examples=30,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        derandomize=True,
        database=None,
    )
    settings.register_profile("mutants", quick)
    settings.load_profile("mutants")
    survivors = 0
    for name in names or list(TESTS):
        path = ROOT / "src" / "retentiond" / "audit" / f"{name}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if noticed(name, tree):
            tell(f"{name}: the tests fail without any change.")
            return 1
        tried, same, begun = 0, 0, time.monotonic()
        for where, before, after, module in mutants(tree):
            tried += 1
            if (name, before, after) in SAME:
                same += 1
            elif not noticed(name, module):
                survivors += 1
                tell(f"{name}, {where}: {before}  →  {after}")
        tell(f"{name}: {tried} changes, {same} of them without effect, {time.monotonic() - begun:.0f} s")
    tell(f"{survivors} not noticed.")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
