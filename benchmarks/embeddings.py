"""Skip-gram with negative sampling against gensim's Word2Vec. Run by `make bench`.

In blocks by NumPy against gensim with one worker, in blocks by PyTorch on two threads
against gensim with two; one corpus, the docstrings of the installed packages, and the
same settings for all (100 dimensions, window 5, 5 negatives). A word is one of the corpus,
before frequent ones are thinned out. The ways take turns, each in a process of its own,
so that whatever else the machine does hits all alike. Beside the speed stands the
quality: the held-out loss on every 20th sentence, and the analogies of the planted
corpus over several seeds. Written to src/lossbook/results/embeddings_speed.json, which
the book's chapter on negative sampling shows.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from losses import processor
from tqdm import tqdm

from lossbook.corpora import Corpus, docstring_corpus, planted_corpus
from lossbook.embeddings._windows import window_counts
from lossbook.embeddings.looking_at_vectors import planted_scores
from lossbook.embeddings.negative_sampling import (
    NegativeSampling,
    WordVectors,
    expected_loss,
    noise_distribution,
)

RESULTS = Path(__file__).parents[1] / "src/lossbook/results/embeddings_speed.json"
WAYS = [("gensim", 1), ("NumPy blocks", 1), ("gensim", 2), ("PyTorch blocks", 2)]
TRAINING = NegativeSampling(dimensions=100, reach=5, n_noise=5)


def by_gensim(corpus, threads, epochs, random_state):
    from gensim.models import Word2Vec

    vocabulary = corpus.vocabulary
    ends = np.flatnonzero(np.diff(corpus.sentences)) + 1
    sentences = [
        [vocabulary[word] for word in sentence]
        for sentence in np.split(corpus.words, ends)
    ]
    model = Word2Vec(
        vector_size=TRAINING.dimensions,
        window=TRAINING.reach,
        negative=TRAINING.n_noise,
        ns_exponent=TRAINING.power,
        sample=TRAINING.threshold,
        alpha=TRAINING.learning_rate,
        sg=1,
        min_count=1,
        workers=threads,
        seed=random_state,
    )
    model.build_vocab(sentences)
    start = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = time.perf_counter() - start
    unseen = len(model.wv)  # a word of the held-out text alone: zeros, as in the blocks
    rows = [model.wv.key_to_index.get(word, unseen) for word in vocabulary]
    inputs, outputs = (
        np.pad(vectors, [(0, 1), (0, 0)])
        for vectors in (model.wv.vectors, model.syn1neg)
    )
    return seconds, WordVectors(inputs[rows], outputs[rows])


def by_blocks(corpus, way, epochs, random_state):
    # PyTorch's threads want longer steps; noise words in proportion, as the guard asks
    longer = {} if way == "NumPy blocks" else {"n_blocks": 16, "n_shared": 128}
    training = replace(TRAINING, epochs=epochs, **longer)
    if way == "NumPy blocks":
        fit = training.fit
    else:
        from lossbook.embeddings import torch_negative_sampling

        def fit(corpus, random_state):
            return torch_negative_sampling.fit(
                training, corpus, random_state=random_state
            )

    start = time.perf_counter()
    vectors = fit(corpus, random_state=random_state)
    return time.perf_counter() - start, vectors


def trained(corpus, way, threads, epochs, random_state):
    """(seconds, `WordVectors`)."""
    if way == "gensim":
        return by_gensim(corpus, threads, epochs, random_state)
    return by_blocks(corpus, way, epochs, random_state)


def held_out(corpus, every=20):
    """The corpus without every 20th sentence, and those."""
    held = corpus.sentences % every == 0
    return (
        Corpus(corpus.words[part], corpus.sentences[part], corpus.vocabulary)
        for part in (~held, held)
    )


def measured(way, threads, epochs, random_state):
    """Words per second and held-out loss on the docstrings, analogies on the planted
    corpus of the harder kind."""
    training, held = held_out(docstring_corpus())
    seconds, vectors = trained(training, way, threads, epochs, random_state)
    reach = TRAINING.reach
    pairs = window_counts(held, reach, lambda distance: (reach - distance + 1) / reach)
    noise = noise_distribution(training.counts)
    planted = planted_corpus(noise=0.15, scale=1.6, random_state=random_state)
    _, recovered = trained(planted, way, threads, epochs, random_state)
    scores = planted_scores(recovered.inputs, planted)
    return {
        "words per second": epochs * len(training.words) / seconds,
        "held-out loss": expected_loss(vectors, pairs, noise, TRAINING.n_noise),
        "within": scores["within"],
        "across": scores["across"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs=2, help="run this way with this seed")
    options = parser.parse_args()
    if options.only:
        (way, threads), seed = WAYS[int(options.only[0])], int(options.only[1])
        if way == "PyTorch blocks":
            import torch

            torch.set_num_threads(threads)
        print(json.dumps(measured(way, threads, options.epochs, seed)))
        return
    try:
        import gensim
    except ImportError:
        sys.exit("gensim is not installed: pip install -r benchmarks/requirements.txt")
    docstring_corpus()  # kept from here on
    runs = {way: [] for way in WAYS}
    for seed in tqdm(range(options.repeats), desc="seeds"):
        for i, (way, threads) in enumerate(WAYS):
            command = [sys.executable, __file__, "--epochs", str(options.epochs)]
            command += ["--only", str(i), str(seed)]
            # BLAS has its threads too, and takes their number when it is loaded
            own = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(
                command,
                env=os.environ | own,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            runs[way, threads].append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for (way, threads), taken in runs.items():
        row = {"way": way, "threads": threads}
        row |= {
            name: statistics.median(run[name] for run in taken) for name in taken[0]
        }
        base = statistics.median(r["words per second"] for r in runs["gensim", threads])
        row["over gensim"] = row["words per second"] / base
        rows.append(
            {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        )
    report = {
        "machine": {
            "processor": processor(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "gensim": gensim.__version__,
        },
        "epochs": options.epochs,
        "repeats": options.repeats,
        "rows": rows,
    }
    options.output.write_text(json.dumps(report, indent=1) + "\n")
    for row in rows:
        print(*(str(cell).ljust(18) for cell in row.values()))


if __name__ == "__main__":
    main()
