"""The page of all losses: none is missing, and its PyTorch lines are run."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import lossbook.losses
from lossbook.derivation import DerivationError, Line
from lossbook.losses import HuberLoss
from lossbook.losses._base import Loss, RegressionLoss, SoftmaxLoss

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from losses_at_a_glance import describe, from_text  # noqa: E402

PAGE = (ROOT / "book/reference/losses_at_a_glance.md").read_text(encoding="utf-8")
SECTIONS = dict(
    re.findall(r"^```\{loss\} ([^\n]+)\n```\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
)
every_section = pytest.mark.parametrize("expression", SECTIONS)


def test_every_loss_is_on_the_page():
    public = [getattr(lossbook.losses, name) for name in lossbook.losses.__all__]
    losses = {c.__name__ for c in public if isinstance(c, type) and issubclass(c, Loss)}
    assert {expression.partition("(")[0] for expression in SECTIONS} == losses


@every_section
def test_the_section_says_when_to_take_it_and_when_not(expression):
    words = SECTIONS[expression]
    assert "**Take it**" in words and re.search(r"\*\*[Nn]ot\*\*", words)


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@every_section
def test_the_pytorch_lines_compute_the_loss(expression, float64):
    loss = from_text(expression)
    rng = np.random.default_rng(0)
    kind = getattr(loss, "base", loss)
    if isinstance(kind, SoftmaxLoss):
        scores, targets = rng.normal(0, 3, (50, 3)), rng.integers(3, size=50)
    else:
        scores, targets = rng.normal(0, 3, 50), rng.integers(2, size=50) * 1.0
    if isinstance(kind, RegressionLoss):
        targets = rng.normal(0, 3, 50)

    tensor = torch.tensor(scores, requires_grad=True)
    names = {"scores": tensor, "targets": torch.tensor(targets)}
    names |= {"torch": torch, "F": functional}
    (lines,) = re.findall(
        r"^```\{code-block\} python\n(.*?)^```$", SECTIONS[expression], re.M | re.S
    )
    exec(lines, names)
    names["value"].sum().backward()
    value, gradient = loss.value_and_gradient(scores, targets)
    np.testing.assert_allclose(names["value"].detach(), value, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(tensor.grad, gradient, rtol=1e-9, atol=1e-14)


def test_what_is_said_of_a_loss_is_made_from_its_class():
    text = describe(HuberLoss(delta=1.0), "/book/regression/huber.md")
    said = dict(part.split("\n: ") for part in re.split(r"\n\n(?=\w)", text))
    assert said["In code"].startswith(
        "{py:obj}`HuberLoss(delta=1.0) <lossbook.losses.huber."
    )
    assert said["Hyper-parameters"].startswith("- `delta`: positive, in target units")
    assert said["Scores and targets"] == "An elementwise loss of real targets."
    assert r"\frac{r^{2}}{2} & \text{if }" in said["Formula"]
    assert r"r &= \hat{y} - y" in said["Formula"]
    assert said["Gradient"] == (
        r"$$\begin{aligned} \frac{\partial \ell}{\partial \hat{y}} &= "
        r"\max\left(-\delta, \min\left(\delta, \hat{y} - y\right)\right) \end{aligned}$$"
    )


def test_a_loss_whose_gradient_does_not_follow_is_refused():
    @dataclass(frozen=True)
    class Wrong(HuberLoss):
        """A wrong loss."""

        def derivation(self):
            derivation = super().derivation()
            last = derivation.lines[-1]
            derivation.lines += (Line(2 * last.expression, "a slip"),)
            return derivation

    with pytest.raises(DerivationError):
        describe(Wrong(), "/book/regression/huber.md")
