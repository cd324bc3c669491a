"""Train a small network on long-tailed digits with a loss of the book: mini-batches,
AdamW, autocast, checkpoints, and as many processes as torchrun starts.

    python book/practice/train.py --loss logit-adjusted
    torchrun --standalone --nproc-per-node 2 book/practice/train.py --loss focal
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from lossbook.datasets import long_tailed_digits
from lossbook.losses import (
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropy,
)
from lossbook.torch_loss import TorchLoss

N_CLASSES = 10
LOSSES = {  # each from the class counts of the training labels
    "cross-entropy": lambda counts: CrossEntropy(),
    "weighted": lambda counts: WeightedCrossEntropy(counts.mean() / counts),
    "focal": lambda counts: FocalLoss(gamma=2.0),
    "class-balanced": lambda counts: ClassBalancedLoss(CrossEntropy(), counts),
    "logit-adjusted": lambda counts: LogitAdjustedLoss(counts / counts.sum()),
}


def main(arguments=None):
    world = int(os.environ.get("WORLD_SIZE", 1))  # torchrun sets these three
    rank = int(os.environ.get("RANK", 0))
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    options = parse(arguments, world)
    device = torch.device(options.device)
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    if world > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        train(options, rank, world, device)
    finally:
        if world > 1:
            dist.destroy_process_group()


def parse(arguments, world):
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    add = parser.add_argument
    add("--loss", choices=LOSSES, default="logit-adjusted")
    add("--ratio", type=float, default=30.0, help="largest class over smallest")
    add("--epochs", type=int, default=30)
    add("--batch", type=int, default=32, help="of all workers together")
    add("--learning-rate", type=float, default=3e-3)
    add("--dropout", type=float, default=0.2)
    add("--seed", type=int, default=0)
    precisions = ["float64", "float32", "bfloat16", "float16"]
    add("--precision", choices=precisions, default="float32")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    add("--device", choices=["cpu", "cuda"], default=found)
    add("--checkpoint", type=Path, help="written after each epoch")
    add("--resume", action="store_true", help="go on from the checkpoint")
    add("--steps", type=int, help="stop after so many steps, wherever that is")
    add("--dump", type=Path, help="write the last parameters and gradients here")
    options = parser.parse_args(arguments)
    half_on_cpu = options.precision == "float16" and options.device == "cpu"
    requirements = {
        f"--batch must be a multiple of {world}, the number of workers": (
            options.batch >= 1 and options.batch % world == 0
        ),
        "--ratio must be at least 1": options.ratio >= 1,
        "--learning-rate must be positive": options.learning_rate > 0,
        "--dropout must be from 0 to 1": 0 <= options.dropout <= 1,
        "--epochs must be at least 1": options.epochs >= 1,
        "--seed must not be negative": options.seed >= 0,
        "--resume needs --checkpoint": options.checkpoint or not options.resume,
        "--precision float16 needs a GPU; take bfloat16": not half_on_cpu,
    }
    for requirement, met in requirements.items():
        if not met:
            parser.error(requirement)
    return options


def train(options, rank, world, device):
    say = print if rank == 0 else lambda *_: None
    training, validation, test = long_tailed_digits(
        options.ratio, random_state=options.seed
    )
    counts = count_classes(training[1], rank, world, device)
    say(f"{world} worker(s) on {device.type}, training labels {counts.tolist()}")
    criterion = TorchLoss(LOSSES[options.loss](counts), reduction="mean")

    dtype = torch.float64 if options.precision == "float64" else torch.float32
    tensors = torch.tensor(training[0], dtype=dtype), torch.tensor(training[1])
    dataset = TensorDataset(*tensors)
    # the same order for every number of workers; the remainder waits for another epoch
    sampler = DistributedSampler(
        dataset, world, rank, seed=options.seed, drop_last=True
    )
    batches = DataLoader(
        dataset, options.batch // world, sampler=sampler, drop_last=True
    )
    if not len(batches):
        sys.exit(f"--batch {options.batch} is more than the {len(dataset)} samples")

    torch.manual_seed(options.seed)
    network = make_network(options.dropout).to(device, dtype)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate)
    half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(options.precision)
    scaler = torch.amp.GradScaler(device.type, enabled=half is torch.float16)
    parts = {"model": network, "optimizer": optimizer, "scaler": scaler}
    first = restore(options, parts, device) if options.resume else 0
    model = DistributedDataParallel(network) if world > 1 else network

    step = 0
    for epoch in range(first, options.epochs):
        sampler.set_epoch(epoch)  # another order in each epoch
        # what is random in an epoch depends on these three and on nothing before it
        torch.manual_seed(mixed(options.seed, epoch, rank))
        model.train()
        total = torch.zeros((), device=device)
        for features, targets in batches:
            features, targets = features.to(device), targets.to(device)
            optimizer.zero_grad()
            with torch.autocast(device.type, half, enabled=half is not None):
                loss = criterion(model(features), targets)
            scaler.scale(loss).backward()  # DistributedDataParallel averages here
            scaler.step(optimizer)
            scaler.update()
            total += loss.detach()
            step += 1
            if step == options.steps:
                return dump(options, rank, network)
        if world > 1:
            dist.all_reduce(total)
        error = balanced_error(network, *validation, device)
        mean = total.item() / world / len(batches)
        say(f"epoch {epoch + 1}: loss {mean:.4f}, validation {error:.3f}")
        if options.checkpoint and rank == 0:
            save(options, parts, epoch + 1)
    say(f"test: balanced error {balanced_error(network, *test, device):.3f}")
    dump(options, rank, network)


def count_classes(labels, rank, world, device):
    """The training labels of each class: every worker counts a share of its own."""
    mine = np.bincount(labels[rank::world], minlength=N_CLASSES)
    counts = torch.tensor(mine, device=device)
    if world > 1:
        dist.all_reduce(counts)  # the sum over the workers, on each of them
    return counts.cpu().numpy()


def mixed(*numbers):
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def make_network(dropout):
    hidden = nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout)
    return nn.Sequential(*hidden, nn.Linear(64, N_CLASSES))


@torch.no_grad()
def balanced_error(network, features, targets, device):
    network.eval()
    like = next(network.parameters())
    scores = network(torch.tensor(features, dtype=like.dtype, device=device))
    return 1 - balanced_accuracy_score(targets, scores.argmax(dim=1).cpu().numpy())


# what may differ between a run and the one it goes on from
FREE = {"epochs", "device", "checkpoint", "resume", "steps", "dump"}


def fixed(options):
    return {name: value for name, value in vars(options).items() if name not in FREE}


def save(options, parts, epoch):
    """Write the whole checkpoint or none of it: the old one is there until then."""
    state = {name: part.state_dict() for name, part in parts.items()}
    unfinished = options.checkpoint.with_name(options.checkpoint.name + ".part")
    with open(unfinished, "wb") as file:
        torch.save({**state, "epoch": epoch, "options": fixed(options)}, file)
        file.flush()
        os.fsync(file.fileno())  # on the disk before it takes the name
    os.replace(unfinished, options.checkpoint)


def restore(options, parts, device):
    """Load a checkpoint into the parts; return the number of epochs it has seen."""
    path = options.checkpoint
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        then, epoch = state["options"], state["epoch"]
    except FileNotFoundError:
        sys.exit(f"--resume: there is no checkpoint {path}")
    except Exception as error:  # a broken file fails in many ways
        sys.exit(f"--resume: {path} is no whole checkpoint ({type(error).__name__})")
    for name, value in fixed(options).items():
        if then.get(name) != value:
            sys.exit(
                f"--resume: {path} has --{name.replace('_', '-')} {then.get(name)}, "
                f"and this run {value}"
            )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return epoch


def dump(options, rank, network):
    if options.dump and rank == 0:
        named = dict(network.named_parameters())
        gradients = {name: p.grad for name, p in named.items()}
        torch.save(
            {"parameters": network.state_dict(), "gradients": gradients}, options.dump
        )


if __name__ == "__main__":
    main()
