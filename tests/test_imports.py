"""What is loaded: a chapter, and a reader who wants one loss, pays for what is used and
for nothing else."""

import subprocess
import sys

import pytest

import lossbook.losses


def loaded(code):
    """The names of all modules after the code was run in a new interpreter."""
    code += "\nimport sys; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )


HEAVY = {"torch", "sympy", "matplotlib", "sklearn", "scipy", "pandas", "IPython"}
LIGHT = {
    "the package": "import lossbook",
    "all losses": "import lossbook.losses",
    "a loss in use": "from lossbook.losses import HuberLoss; HuberLoss().value_and_gradient([1.0, 2.0], [0.0, 5.0])",
    "training": """
import numpy as np
from lossbook.datasets import gaussians, straight_line
from lossbook.linear import Linear
from lossbook.losses import SquaredError
from lossbook.training import gradient_descent
data = straight_line(9, slope=1, intercept=0, noise=0.1, random_state=0)
gradient_descent(Linear.zeros(1), SquaredError(), *data, learning_rate=0.1, steps=3)
""",
    "the checks, before one is made": "import lossbook.checks",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_nothing_heavy_is_loaded_for(code):
    assert not loaded(code) & HEAVY


def test_the_derivation_engine_loads_sympy_and_nothing_else_that_is_heavy():
    assert loaded(
        "from lossbook.losses import SquaredError; SquaredError().derivation().verify()"
    ) & HEAVY == {"sympy"}


def test_a_loss_loads_its_own_module_and_no_other():
    modules = loaded("from lossbook.losses import HuberLoss; HuberLoss()")
    ours = {name for name in modules if name.startswith("lossbook.losses.")}
    assert ours == {"lossbook.losses.huber", "lossbook.losses._base"}


def test_every_name_that_is_listed_can_be_imported_and_another_cannot():
    for name in lossbook.losses.__all__:
        assert getattr(lossbook.losses, name).__name__ == name
        assert name in dir(lossbook.losses)
    with pytest.raises(ImportError):
        exec("from lossbook.losses import NoSuchLoss")
