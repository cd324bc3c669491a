"""A warning that a library will change, raised by our own code, fails the test that met
it."""

import warnings

import pytest

CATEGORIES = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def warn(category, module):
    warnings.warn_explicit("will change", category, "file.py", 1, module=module)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize(
    "module", ["lossbook", "lossbook.losses.huber", "tests.test_x"]
)
def test_a_warning_of_our_own_code_is_an_error(category, module):
    with pytest.raises(category):
        warn(category, module)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_warning_of_another_package_is_none(category):
    with warnings.catch_warnings(record=True) as caught:
        warn(category, "numpy.linalg")
    assert [warning.category for warning in caught] == [category]
