"""The training script of the last chapter, run as a reader runs it: its steps against a
loop written out in PyTorch, two processes against one, and a resumed run against one
that was never stopped."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbook.datasets import long_tailed_digits

SCRIPT = Path(__file__).parents[2] / "book" / "practice" / "train.py"
specification = importlib.util.spec_from_file_location("train_script", SCRIPT)
script = importlib.util.module_from_spec(specification)
specification.loader.exec_module(script)

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
# exact to rounding, so that a comparison can be strict
EXACT = ["--device", "cpu", "--precision", "float64", "--dropout", "0"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(autouse=True)
def one_process_and_one_thread(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(*arguments):
    """The script in this process."""
    script.main([str(argument) for argument in arguments])


def start(*command):
    """A new Python, with one thread a process; what it printed, and its exit code."""
    command = [sys.executable, *map(str, command)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stdout, done.stderr, done.returncode


def two_processes(*arguments):
    out, errors, code = start(*TORCHRUN, SCRIPT, *arguments)
    assert code == 0, errors
    return out


def assert_same(path, other, **tolerance):
    """Parameters and gradients of two dumps."""
    ours, theirs = torch.load(path), torch.load(other)
    assert ours.keys() == theirs.keys() == {"parameters", "gradients"}
    for kind in ours:
        assert len(ours[kind]) == 4
        for name, tensor in ours[kind].items():
            torch.testing.assert_close(tensor, theirs[kind][name], **tolerance)


BIT_FOR_BIT = {"rtol": 0, "atol": 0}
TO_ROUNDING = {"rtol": 0, "atol": 1e-12}


def written_out(steps, batch=32, seed=0):
    """The script's steps with PyTorch's own cross-entropy and an order drawn here."""
    features, labels = long_tailed_digits(30, random_state=seed)[0]
    features, labels = torch.tensor(features), torch.tensor(labels)
    log_prior = torch.log(torch.bincount(labels).double() / len(labels))
    torch.manual_seed(seed)
    layers = torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    network = torch.nn.Sequential(*layers).double()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    an_epoch = len(labels) // batch
    for step in range(steps):
        epoch, place = divmod(step, an_epoch)
        generator = torch.Generator().manual_seed(seed + epoch)
        order = torch.randperm(len(labels), generator=generator)
        chosen = order[place * batch : (place + 1) * batch]
        scores = network(features[chosen]) + log_prior
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores, labels[chosen]).backward()
        optimizer.step()
    parameters = list(network.parameters())
    return [p.detach() for p in parameters], [p.grad for p in parameters]


def test_its_steps_are_those_of_a_loop_written_out(tmp_path):
    # 20 steps: into the third epoch, so that a forgotten set_epoch would show
    run(*EXACT, "--steps", 20, "--dump", tmp_path / "dump")
    dumped = torch.load(tmp_path / "dump")
    parameters, gradients = written_out(20)
    for ours, theirs in (
        (dumped["parameters"], parameters),
        (dumped["gradients"], gradients),
    ):
        for tensor, reference in zip(ours.values(), theirs, strict=True):
            torch.testing.assert_close(tensor, reference, **TO_ROUNDING)


def test_two_processes_take_the_steps_of_one(tmp_path):
    # 9 steps: one over the end of the first epoch
    same = [*EXACT, "--steps", 9, "--dump"]
    out = two_processes(*same, tmp_path / "two")
    run(*same, tmp_path / "one")
    assert_same(tmp_path / "one", tmp_path / "two", **TO_ROUNDING)
    labels = long_tailed_digits(30, random_state=0)[0][1]
    # summed over the workers, each of which counted its own share: said once, by one
    said = f"2 worker(s) on cpu, training labels {np.bincount(labels).tolist()}"
    assert out.count("worker(s)") == 1 and said in out


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_the_shares_that_workers_count_are_all_labels_once(monkeypatch, world):
    labels = long_tailed_digits(30, random_state=1)[0][1]
    shares = []
    monkeypatch.setattr(script.dist, "all_reduce", lambda x: shares.append(x.clone()))
    for rank in range(world):
        counts = script.count_classes(labels, rank, world, "cpu")
        if world == 1:
            shares.append(torch.tensor(counts))
    assert len(shares) == world
    assert max(share.sum() for share in shares) - len(labels) // world in (0, 1)
    np.testing.assert_array_equal(sum(shares).numpy(), np.bincount(labels))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path, device, precision):
    same = ["--device", device, "--precision", precision, "--epochs", 4, "--dump"]
    run(*same, tmp_path / "whole", "--checkpoint", tmp_path / "a.pt")
    # stopped in the middle of the third epoch: the checkpoint is that of the second
    checkpoint = ["--checkpoint", tmp_path / "b.pt"]
    run(*same, tmp_path / "cut", *checkpoint, "--steps", 20)
    torch.manual_seed(12345)  # a new process would not have this one's random numbers
    run(*same, tmp_path / "resumed", *checkpoint, "--resume")
    assert_same(tmp_path / "whole", tmp_path / "resumed", **BIT_FOR_BIT)
    finished = (torch.load(tmp_path / name) for name in ("a.pt", "b.pt"))
    optimizers = [state["optimizer"]["state"] for state in finished]
    for number, state in optimizers[0].items():
        for name, tensor in state.items():
            assert torch.equal(tensor, optimizers[1][number][name])
    assert {p.name for p in tmp_path.iterdir()} - {"a.pt", "b.pt"} == {
        "whole",
        "cut",
        "resumed",
    }


def test_two_processes_resume_what_one_began(tmp_path):
    same = [*EXACT, "--loss", "weighted", "--epochs", 3, "--dump"]
    checkpoint = ["--checkpoint", tmp_path / "checkpoint.pt"]
    run(*same, tmp_path / "cut", *checkpoint, "--steps", 12)
    out = two_processes(*same, tmp_path / "resumed", *checkpoint, "--resume")
    assert "epoch 2:" in out and "epoch 1:" not in out
    run(*same, tmp_path / "whole")
    assert_same(tmp_path / "whole", tmp_path / "resumed", **TO_ROUNDING)


def test_a_run_that_dies_while_it_saves_leaves_the_checkpoint_as_it_was(
    tmp_path, monkeypatch
):
    checkpoint = tmp_path / "checkpoint.pt"
    options = ["--device", "cpu", "--checkpoint", checkpoint]
    run(*options, "--epochs", 1)
    before = checkpoint.read_bytes()

    def dies(state, file):
        file.write(b"half of i")
        raise OSError("No space left on device")

    monkeypatch.setattr(script.torch, "save", dies)
    with pytest.raises(OSError, match="No space left"):
        run(*options, "--epochs", 2, "--resume")
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut short", "empty", "text", "another file"])
def test_a_broken_checkpoint_is_named_in_one_line(tmp_path, damage):
    checkpoint = tmp_path / "checkpoint.pt"
    options = ["--device", "cpu", "--epochs", "1", "--checkpoint", checkpoint]
    run(*options)
    whole = checkpoint.read_bytes()
    broken = {"cut short": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}
    if damage == "another file":
        torch.save({"weights": torch.zeros(3)}, checkpoint)
    else:
        checkpoint.write_bytes(broken[damage])
    with pytest.raises(SystemExit) as stopped:
        run(*options, "--resume")
    message = str(stopped.value)
    assert message.startswith(f"--resume: {checkpoint} is no whole checkpoint (")
    assert "\n" not in message


def test_a_run_with_other_options_does_not_go_on(tmp_path):
    options = ["--device", "cpu", "--epochs", 1, "--checkpoint", tmp_path / "a.pt"]
    run(*options, "--learning-rate", 0.01)
    with pytest.raises(SystemExit, match="--learning-rate 0.01, and this run 0.003"):
        run(*options, "--resume")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(SystemExit, match="there is no checkpoint .*nowhere.pt"):
        run("--checkpoint", tmp_path / "nowhere.pt", "--resume")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--loss", "magic"], "invalid choice: 'magic'"),
        (["--batch", "0"], "--batch must be a multiple of 1"),
        (["--ratio", "0.5"], "--ratio must be at least 1"),
        (["--learning-rate", "0"], "--learning-rate must be positive"),
        (["--dropout", "1.5"], "--dropout must be from 0 to 1"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--resume"], "--resume needs --checkpoint"),
        (
            ["--precision", "float16", "--device", "cpu"],
            "--precision float16 needs a GPU; take bfloat16",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_batch_that_the_workers_cannot_share(capsys):
    with pytest.raises(SystemExit):
        script.parse(["--batch", "32"], world=3)
    assert "--batch must be a multiple of 3, the number" in capsys.readouterr().err


def test_a_batch_larger_than_the_data():
    with pytest.raises(SystemExit, match="--batch 1000 is more than the 279 samples"):
        run("--batch", 1000)


def test_the_balanced_error_is_the_mean_of_the_classes_errors_without_dropout():
    features, labels = long_tailed_digits(30, random_state=0)[0]
    network = script.make_network(dropout=0.9).train()
    w, b, v, c = (p.detach().double().numpy() for p in network.parameters())
    predicted = np.argmax(np.maximum(features @ w.T + b, 0) @ v.T + c, axis=1)
    errors = [np.mean(predicted[labels == digit] != digit) for digit in range(10)]
    found = script.balanced_error(network, features, labels, "cpu")
    assert found == pytest.approx(np.mean(errors), abs=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loss", script.LOSSES)
def test_every_loss_learns(capsys, loss, device):
    run("--loss", loss, "--device", device, "--epochs", 15)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("epoch 1:") and lines[-1].startswith("test: ")
    guess, learnt = 0.9, float(lines[-1].split()[-1])  # one class of ten is right
    assert learnt < guess / 2


def test_the_command_of_the_chapter():
    out, errors, code = start(SCRIPT, "--device", "cpu", "--epochs", "1")
    assert (code, errors) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["1", "epoch", "test:"]
