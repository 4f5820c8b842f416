"""The places where the code can be broken on purpose, and what is written there instead."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass

import parso
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

# These two need to be told names of variables.
NOT_USED = {"core/VariableInserter", "core/VariableReplacer"}


class RemoveStatement(Operator):
    """Leave out a call, an assignment to an attribute or an item, or a `raise`."""

    KINDS = frozenset({"atom_expr", "raise_stmt", "del_stmt"})

    def mutation_positions(self, node):
        if node.type != "simple_stmt":
            return
        first = node.children[0]
        assigned = first.type == "expr_stmt" and first.children[0].type == "atom_expr"
        if first.type in self.KINDS or assigned:
            yield first.start_pos, first.end_pos

    def mutate(self, node, index):
        first = node.children[0]
        node.children[0] = parso.parse(first.get_first_leaf().prefix + "pass")
        return node

    @classmethod
    def examples(cls):
        return ()


class ReturnNothing(Operator):
    """Return `None` instead of a value that counts as true."""

    FALSE = frozenset({"None", "False", "()", "[]", "{}", '""', "0"})

    def mutation_positions(self, node):
        value = node.children[1].get_code().strip() if node.type == "return_stmt" and len(node.children) > 1 else "None"
        if value not in self.FALSE:
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        return parso.parse(node.get_first_leaf().prefix + "return None")

    @classmethod
    def examples(cls):
        return ()


@dataclass(frozen=True)
class Mutant:
    """One file with one change."""

    file: str
    start: tuple[int, int]
    operator: str
    code: str


class _Bare(ast.NodeTransformer):
    """Leaves of a module only what a program can notice: no annotations, no docstrings, no code for type checkers."""

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_arguments(self, node):
        # The operators take the `*` and the `/` between parameters for a product and a quotient.
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults = [*node.defaults, *(each for each in node.kw_defaults if each is not None)]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def _visit_function(self, node):
        if any("overload" in ast.dump(each) for each in node.decorator_list):
            return None
        node.returns = None
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_ClassDef(self, node):
        return None if any("Protocol" in ast.dump(each) for each in node.bases) else self.generic_visit(node)

    def visit_If(self, node):
        test = ast.dump(node.test)
        if "TYPE_CHECKING" in test or "version_info" in test:
            # What Python itself decides, and mutants of the question.
            return None
        return self.generic_visit(node)

    def visit_Assign(self, node):
        named = ast.dump(node.targets[0])
        return None if "TYPE_CHECKING" in named or "__slots__" in named else self.generic_visit(node)

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def noticed(code):
    """Return what a program can notice of a module, in a form that compares."""
    return ast.dump(_Bare().visit(ast.parse(code)))


def operators():
    """Yield the names of the operators, each with an operator."""
    for name in operator_names():
        if name not in NOT_USED:
            yield name.removeprefix("core/"), get_operator(name)()
    yield "RemoveStatement", RemoveStatement()
    yield "ReturnNothing", ReturnNothing()


def _nodes(node):
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def places(code):
    """Return the places of a module's code: by where they start, the changes that can be made there."""
    found = {}
    nodes = list(_nodes(parso.parse(code)))
    for name, operator in operators():
        positions = [each for node in nodes for each in operator.mutation_positions(node)]
        for number, (start, _end) in enumerate(positions):
            found.setdefault(start, []).append((name, operator, number))
    return found


def sample(modules, size, seed):
    """Return so many mutants, each at another place of the modules (a mapping of file names to code).

    Each place is as likely as every other, however many changes can be made there.
    """
    chance = random.Random(seed)
    offered = [
        (file, start, changes)
        for file, code in sorted(modules.items())
        for start, changes in sorted(places(code).items())
    ]
    chance.shuffle(offered)
    bare = {}
    chosen = []
    for file, start, changes in offered:
        if len(chosen) == size:
            break
        bare.setdefault(file, noticed(modules[file]))
        chance.shuffle(changes)
        for name, operator, number in changes:
            code = mutate_code(modules[file], operator, number)
            try:
                if code is not None and noticed(code) != bare[file]:
                    chosen.append(Mutant(file, start, name, code))
                    break
            except SyntaxError:
                continue
    return chosen
