"""Time and memory of every loss in training, value plus gradient. Run by `make bench`.

Each loss is computed on a million scores, float32, and its mean differentiated, in four ways:
by `TorchLoss`; by autograd through the loss as its paper writes it; by `TorchLoss` under
torch.compile, where there is a compiler; and by PyTorch or another library that has
it. The ways take turns, step by step, so that whatever else the machine does hits all
alike. Each has a process of its own, as a training has, so that none finds the memory as
another left it. Written to src/lossbook/results/speed.json, which the book's chapter on
practice shows.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from lossbook import losses
from lossbook.torch_loss import TorchLoss

RESULTS = Path(__file__).parents[1] / "src/lossbook/results/speed.json"
N, C = 10**6, 10  # scores; a softmax has N / C samples of C classes
COUNTS = [1000 // 2**c for c in range(C)]
PRIORS = [count / sum(COUNTS) for count in COUNTS]
WEIGHTS = [PRIORS[0] / prior for prior in PRIORS]


def two(y, positive, negative):
    return torch.where(y == 1, positive, negative)


def focal_by_autograd(z, y, gamma=2.0, alpha=0.25):
    p = torch.sigmoid(z)
    p_y, alpha_y = two(y, p, 1 - p), two(y, alpha, 1 - alpha)
    return -alpha_y * (1 - p_y) ** gamma * torch.log(p_y)


def asymmetric_by_autograd(z, y, gamma_pos=0.0, gamma_neg=4.0, margin=0.05):
    p = torch.sigmoid(z)
    p_m = torch.clamp(p - margin, min=0)
    positive = -((1 - p) ** gamma_pos) * torch.log(p)
    return two(y, positive, -(p_m**gamma_neg) * torch.log(1 - p_m))


def bce_by_autograd(z, y, pos_weight=1.0):
    p = torch.sigmoid(z)
    return -(pos_weight * y * torch.log(p) + (1 - y) * torch.log(1 - p))


def of_true_class(z, y):
    return torch.softmax(z, -1).gather(-1, y[:, None])[:, 0]


def focal_softmax_by_autograd(z, y, gamma=2.0):
    p = of_true_class(z, y)
    return -((1 - p) ** gamma) * torch.log(p)


def table(numbers):
    return torch.tensor(numbers, dtype=torch.float32)


def peers():
    """By loss: functions of other libraries, (name, function of scores and targets that
    returns the mean). A library that is not installed is left out."""
    found = {
        "SquaredError": [("torch", F.mse_loss)],
        "AbsoluteError": [("torch", F.l1_loss)],
        "HuberLoss": [("torch", F.huber_loss)],
        "BinaryCrossEntropy": [("torch", F.binary_cross_entropy_with_logits)],
        "WeightedBinaryCrossEntropy": [
            ("torch", torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.0)))
        ],
        "CrossEntropy": [("torch", F.cross_entropy)],
        "WeightedCrossEntropy": [
            ("torch", torch.nn.CrossEntropyLoss(weight=table(WEIGHTS)))
        ],
        "LogitAdjustedLoss": [
            ("torch", lambda z, y: F.cross_entropy(z + torch.log(table(PRIORS)), y))
        ],
    }
    try:
        from kornia.losses import binary_focal_loss_with_logits, focal_loss
    except ImportError:
        return found
    found["BinaryFocalLoss"] = [
        (
            "kornia",
            lambda z, y: binary_focal_loss_with_logits(
                z[:, None], y[:, None], alpha=0.25, gamma=2.0, reduction="mean"
            ),
        )
    ]
    found["FocalLoss"] = [
        ("kornia", lambda z, y: focal_loss(z, y, None, 2.0, reduction="mean"))
    ]
    return found


def contenders():
    """(loss, kind of data, the loss as its paper writes it) for each class of the book."""
    weights = table(WEIGHTS)
    balanced = losses.ClassBalancedLoss(losses.CrossEntropy(), COUNTS)
    balanced_weights = table(balanced.weights)

    def huber(s, y):
        r = (s - y).abs()
        return torch.where(r <= 1, r**2 / 2, r - 0.5)

    return [
        (losses.SquaredError(), "real", lambda s, y: (s - y) ** 2),
        (losses.AbsoluteError(), "real", lambda s, y: (s - y).abs()),
        (losses.HuberLoss(), "real", huber),
        (losses.BinaryCrossEntropy(), "binary", bce_by_autograd),
        (
            losses.WeightedBinaryCrossEntropy(9.0),
            "binary",
            lambda z, y: bce_by_autograd(z, y, 9.0),
        ),
        (losses.BinaryFocalLoss(), "binary", focal_by_autograd),
        (losses.AsymmetricLoss(), "binary", asymmetric_by_autograd),
        (
            losses.CrossEntropy(),
            "classes",
            lambda z, y: -torch.log(of_true_class(z, y)),
        ),
        (
            losses.WeightedCrossEntropy(WEIGHTS),
            "classes",
            lambda z, y: -weights[y] * torch.log(of_true_class(z, y)),
        ),
        (losses.FocalLoss(), "classes", focal_softmax_by_autograd),
        (
            balanced,
            "classes",
            lambda z, y: -balanced_weights[y] * torch.log(of_true_class(z, y)),
        ),
        (
            losses.LogitAdjustedLoss(PRIORS),
            "classes",
            lambda z, y: -torch.log(of_true_class(z + torch.log(table(PRIORS)), y)),
        ),
    ]


def data(kind):
    random = torch.Generator().manual_seed(0)
    shape = (N // C, C) if kind == "classes" else (N,)
    scores = 3 * torch.randn(shape, generator=random)
    if kind == "classes":
        targets = torch.multinomial(table(PRIORS), N // C, True, generator=random)
    elif kind == "binary":
        targets = (torch.rand(N, generator=random) < 0.1).float()
    else:
        targets = torch.randn(N, generator=random)
    return scores.requires_grad_(), targets


def step(mean_loss, scores, targets):
    scores.grad = None
    mean_loss(scores, targets).backward()


def peak_memory(mean_loss, scores, targets):
    """The most bytes that were allocated at once during a step, beyond its inputs."""
    scores.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step(mean_loss, scores, targets)
    held = most = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def ways_of(loss, formula, compile):
    """The ways to compute the loss, by name: functions of scores and targets."""
    name = type(loss).__name__
    found = {
        "TorchLoss": TorchLoss(loss),
        "autograd": lambda s, t: formula(s, t).mean(),
    }
    if compile:
        found["TorchLoss, compiled"] = torch.compile(TorchLoss(loss))
    return found | dict(peers().get(name, []))


def work(mean_loss, scores, targets):
    """Take a step for each line of the standard input and print its seconds; at the end
    of the input print the peak memory. The first line printed says that all is warm."""
    for _ in range(3):
        step(mean_loss, scores, targets)
    print("warm", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step(mean_loss, scores, targets)
        print(time.perf_counter() - start, flush=True)
    print(peak_memory(mean_loss, scores, targets))


def measured(name, ways, repeats):
    """The rows of one loss: the median over repeats in which all ways take turns."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    workers = {}
    for way in ways:
        workers[way] = worker = subprocess.Popen(
            [*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if worker.stdout.readline() != "warm\n":
            sys.exit(f"{name} by {way} failed")
    taken = {way: [] for way in ways}
    for _ in range(repeats):
        for way, worker in workers.items():
            print(file=worker.stdin, flush=True)
            taken[way].append(1000 * float(worker.stdout.readline()))
    milliseconds = {way: statistics.median(times) for way, times in taken.items()}
    return [
        {
            "loss": name,
            "way": way,
            "milliseconds": round(milliseconds[way], 3),
            "over TorchLoss": round(milliseconds[way] / milliseconds["TorchLoss"], 2),
            "MB": round(float(worker.communicate()[0]) / 1e6, 1),
        }
        for way, worker in workers.items()
    ]


def floor(repeats):
    """Milliseconds in which the machine moves the bytes that no way can do without.

    Forward: read scores and targets, write the gradient. Backward: read it, write it
    scaled. Five arrays of N floats, at the speed of adding two into a third, which moves
    three.
    """
    a, b, c = torch.randn(N), torch.randn(N), torch.empty(N)
    taken = []
    for _ in range(5 * repeats):
        start = time.perf_counter()
        torch.add(a, b, out=c)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken) * 5 / 3


def processor():
    """The name of the processor, where the system tells it."""
    lines = Path("/proc/cpuinfo")
    if lines.exists():
        for line in lines.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs=2, help="this loss in this way, for `work`")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for loss, kind, formula in tqdm(
        contenders(), desc="losses", disable=bool(options.only)
    ):
        ways = ways_of(loss, formula, not options.no_compile)
        name = type(loss).__name__
        if not options.only:
            rows += measured(name, ways, options.repeats)
        elif options.only[0] == name:
            return work(ways[options.only[1]], *data(kind))
    report = {
        "machine": {
            "processor": processor(),
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "scores": N,
        "classes": C,
        "repeats": options.repeats,
        "floor": round(floor(options.repeats), 3),
        "rows": rows,
    }
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n")
    for row in rows:
        print(*(str(cell).ljust(27) for cell in row.values()))
    print(f"floor {report['floor']} ms")


if __name__ == "__main__":
    main()
