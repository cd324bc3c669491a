"""The formulas of the book in JavaScript, printed from the derivations.

The live figures on the site compute with these functions and with no others. Each is a
line of a derivation: its abbreviations put in, its sums written out, printed by SymPy.

In JavaScript they lie in one object, ``lossbookFormulas``. A loss has two functions,
``value(score, target, parameters)`` and ``gradient``; ``parameters`` holds the fields of
the class by name. For softmax losses, whose number of classes is fixed when they are
printed, the score is an array and the target the number of the class.
"""

from functools import cache

import sympy
from sympy.printing.jscode import JavascriptCodePrinter

from lossbook._validation import require_count, require_instance
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
)
from lossbook.losses._base import Loss
from lossbook.losses.class_balanced import effective_number_derivation

# how the symbols of the derivations are called in JavaScript
ARGUMENTS = {
    "yhat": "z",
    "alpha_1": "pos_weight",
    "alpha_0": "neg_weight",
    "m": "margin",
    "xi": "label_smoothing",
    "pi": "priors",
}


@cache
def formulas():
    """{name: {"value": JavaScript source, "gradient": the same}} of every formula."""
    elementwise = [
        SquaredError(),
        AbsoluteError(),
        HuberLoss(),
        BinaryCrossEntropy(),
        WeightedBinaryCrossEntropy(pos_weight=1.0),
        BinaryFocalLoss(),
        BinaryFocalLoss(alpha=None),
        AsymmetricLoss(),
    ]
    softmax = [
        CrossEntropy(label_smoothing=0.1),
        LogitAdjustedLoss(priors=(0.2, 0.3, 0.5)),
        LogitAdjustedLoss(priors=(0.5, 0.5)),
    ]
    printed = {formula_name(loss): _elementwise(loss) for loss in elementwise}
    for loss, n_classes in zip(softmax, (3, 3, 2), strict=True):
        printed[formula_name(loss, n_classes)] = _softmax(loss, n_classes)
    printed["ClassBalancedLoss"] = _class_balanced()
    weights = sympy.Tuple(*_class_weights(3))
    printed["ClassWeights3"] = {"value": _function("z, y, {counts, beta}", weights)}
    for name, parameter, p in (
        ("Softmax3", "T", _tempered(3)),
        ("AdjustedSoftmax3", "priors, tau", _probabilities(softmax[1], 3)),
    ):
        signature = f"z, y, {{{parameter}}}"
        printed[name] = {"value": _function(signature, sympy.Tuple(*p))}
    return printed


def formula_name(loss, n_classes=None):
    """The name that a loss has among the formulas: its class; for softmax losses with
    the number of classes, ``"CrossEntropy3"``.

    The focal loss without alpha has a formula of its own, as it has a derivation; the
    class-balanced loss has one with the cross-entropy as its base.

    Raises ValueError when a class-balanced loss has another base, TypeError when loss is
    none or n_classes not a number of classes.
    """
    require_instance(loss, "loss", Loss, "a loss of lossbook.losses")
    if n_classes is not None:
        require_count(n_classes, "n_classes")
    if getattr(loss, "base", BinaryCrossEntropy()) != BinaryCrossEntropy():
        raise ValueError(
            f"loss must have BinaryCrossEntropy() as base, got {loss.base}"
        )
    name = type(loss).__name__
    if isinstance(loss, BinaryFocalLoss) and loss.alpha is None:
        name += "WithoutAlpha"
    return f"{name}{n_classes or ''}"


def source():
    """The script that defines ``lossbookFormulas``."""
    entries = [
        f"  {name}: {{\n"
        + "".join(f"    {key}: {body},\n" for key, body in functions.items())
        + "  },\n"
        for name, functions in formulas().items()
    ]
    return f"const lossbookFormulas = {{\n{''.join(entries)}}};\n"


def _elementwise(loss):
    derivation = loss.derivation()
    lines = {"value": derivation.lines[0].expression, "gradient": derivation.result}
    return {
        key: _function(_signature(loss), derivation.written_out(line))
        for key, line in lines.items()
    }


def _softmax(loss, n_classes):
    derivation = loss.derivation()
    size, places = _indices(derivation)
    classes = range(1, n_classes + 1)
    values, slopes = [], []
    for y in classes:
        fixed = {size: n_classes, places["y"]: y}
        values.append(derivation.written_out(derivation.lines[0].expression, fixed))
        row = [
            derivation.written_out(derivation.result, {**fixed, places["i"]: i})
            for i in classes
        ]
        slopes.append(sympy.Tuple(*row))
    return {
        "value": _function(_signature(loss), sympy.Tuple(*values), pick="[y]"),
        "gradient": _function(_signature(loss), sympy.Tuple(*slopes), pick="[y]"),
    }


def _class_balanced():
    """The binary cross-entropy, weighted by class, with the weights written out."""
    derivation = ClassBalancedLoss(BinaryCrossEntropy(), counts=(1, 1)).derivation()
    negative, positive = _class_weights(2)
    y, omega = sympy.Symbol("y", real=True), sympy.Symbol("omega", positive=True)
    weight = {omega: y * positive + (1 - y) * negative}
    lines = {"value": derivation.lines[0].expression, "gradient": derivation.result}
    return {
        key: _function(
            "z, y, {counts, beta}", derivation.written_out(line).subs(weight)
        )
        for key, line in lines.items()
    }


def _class_weights(n_classes):
    """C / E_c over the sum of all 1 / E_k, with the effective numbers E."""
    effective = effective_number_derivation().result
    (n,) = (symbol for symbol in effective.free_symbols if symbol.name == "n")
    inverse = [
        1 / effective.subs(n, sympy.Symbol(f"counts[{c}]", positive=True))
        for c in range(1, n_classes + 1)
    ]
    return [n_classes * e / sympy.Add(*inverse) for e in inverse]


def _probabilities(loss, n_classes):
    """The abbreviation p of a softmax loss, for each class."""
    derivation = loss.derivation()
    size, places = _indices(derivation)
    (p,) = (key for key in derivation.where if key.base.label.name == "p")
    return [
        derivation.written_out(p, {size: n_classes, places["i"]: i})
        for i in range(1, n_classes + 1)
    ]


def _tempered(n_classes):
    """The softmax of z / T."""
    temperature = sympy.Symbol("T", positive=True)
    probabilities = _probabilities(CrossEntropy(), n_classes)
    logits = {z: z / temperature for p in probabilities for z in p.free_symbols}
    return [p.subs(logits, simultaneous=True) for p in probabilities]


def _indices(derivation):
    """The symbol of the number of classes, and the indices by name."""
    parts = [line.expression for line in derivation.lines]
    for abbreviation in derivation.where.items():
        parts.extend(abbreviation)
    indices = set().union(*(part.atoms(sympy.Idx) for part in parts))
    (size,) = {index.upper for index in indices}
    return size, {index.name: index for index in indices}


def _signature(loss):
    fields = [name for name, value in vars(loss).items() if value is not None]
    return f"z, y, {{{', '.join(fields)}}}"


def _function(signature, result, pick=""):
    """An arrow function; what the parts of its result share is computed once."""
    printer = _Printer()
    shared, (result,) = sympy.cse([result], symbols=sympy.numbered_symbols("u"))
    lines = [f"const {name} = {printer.doprint(e)};" for name, e in shared]
    lines.append(f"return {printer.doprint(result)}{pick};")
    return f"({signature}) => {{ {' '.join(' '.join(lines).split())} }}"


class _Printer(JavascriptCodePrinter):
    """SymPy's printer, with our names and arrays that start at 0."""

    def _print_Symbol(self, e):
        name, _, place = e.name.partition("[")
        name = ARGUMENTS.get(name, name)
        return f"{name}[{int(place[:-1]) - 1}]" if place else name

    def _print_Tuple(self, e):
        return f"[{', '.join(map(self._print, e))}]"
