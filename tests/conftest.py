"""Property tests run the same few examples on every machine and in every run; `make soak`
runs many more, other ones each time. How many ran to their end is counted in both."""

import functools

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("book", max_examples=60, derandomize=True, deadline=None)
settings.register_profile(
    "soak",
    max_examples=600,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # of a busy machine
)
settings.load_profile("book")

CASES = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption(
        "--cases", type=int, default=0, help="fail if fewer generated cases ran"
    )


def pytest_configure(config):
    config.stash[CASES] = 0


def pytest_collection_modifyitems(config, items):
    def counted(test):
        @functools.wraps(test)
        def run(*args, **kwargs):
            test(*args, **kwargs)
            config.stash[CASES] += 1

        return run

    for test in {item.obj for item in items if hasattr(item, "obj")}:
        if hasattr(test, "hypothesis"):
            test.hypothesis.inner_test = counted(test.hypothesis.inner_test)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    output = getattr(node, "workeroutput", {})  # none of a worker that broke down
    node.config.stash[CASES] += output.get("cases", 0)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["cases"] = config.stash[CASES]
    elif config.stash[CASES] < config.getoption("cases"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    ran, asked = config.stash[CASES], config.getoption("cases")
    few = f", and {asked:,} were asked for" if ran < asked else ""
    terminalreporter.section(f"{ran:,} generated cases ran{few}")
