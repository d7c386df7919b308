"""LeNet-5 on MNIST: Linnet against PyTorch at its best, by turns. bench/pytorch prepares and runs this.

Each side is a process of its own that waits while the other works. PyTorch gets every chance: images normalised in
memory beforehand and sliced without copying, no DataLoader, denormals flushed, gradients set to None, and of the
variants below (memory layouts, optimizers, tracing and compiling where a compiler is installed) the one that is
fastest here, for each kind of work and number of threads.
"""
import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BATCH = 64


# ------------------------------------------------------------------------------------------- PyTorch's process

def mnist(part):
    import numpy as np
    import torch

    def take(name, offset):
        with gzip.open(os.path.join(ROOT, "data", "mnist", f"{part}-{name}-ubyte.gz")) as file:
            return torch.tensor(np.frombuffer(file.read(), np.uint8, offset=offset))
    pixels = take("images-idx3", 16).reshape(-1, 1, 28, 28)
    return (pixels.float() / 255 - 0.1307) / 0.3081, take("labels-idx1", 8).long()


def lenet5():
    from torch import nn
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


class Variant:
    """A way to run the network: memory layout, optimizer, and eager, traced or compiled."""

    def __init__(self, layout, optimizer, mode):
        self.name = f"{layout}, {optimizer}, {mode}"
        self.layout, self.optimizer, self.mode = layout, optimizer, mode

    def prepare(self, images):
        import torch
        torch.manual_seed(1)
        form = torch.channels_last if self.layout == "channels_last" else torch.contiguous_format
        self.model = lenet5().to(memory_format=form)
        self.images = images.contiguous(memory_format=form)
        self.sgd = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, fused=self.optimizer == "fused",
                                   foreach=self.optimizer == "foreach")

    def network(self, batch):
        import torch
        if self.mode == "traced":
            return torch.jit.trace(self.model, self.images[:batch])
        return torch.compile(self.model, dynamic=False) if self.mode == "compiled" else self.model

    def trainer(self, images, labels):
        import torch
        self.prepare(images)
        network, sgd, loss = self.network(BATCH), self.sgd, torch.nn.functional.cross_entropy

        def train(n):
            for i in range(0, n, BATCH):
                sgd.zero_grad(set_to_none=True)
                loss(network(self.images[i:i + BATCH]), labels[i:i + BATCH]).backward()
                sgd.step()
        return train

    def predictor(self, images, batch):
        import torch
        self.prepare(images)
        self.model.eval()
        with torch.inference_mode():
            network = self.network(batch)
            if self.mode == "traced":
                network = torch.jit.optimize_for_inference(torch.jit.freeze(network))

        def predict(n):
            with torch.inference_mode():
                for i in range(0, n, batch):
                    network(self.images[i:i + batch])
        return predict


def timed(work, n):
    start = time.perf_counter()
    work(n)
    return n / (time.perf_counter() - start)


def best_variant(make, n, trains, report):
    """The fastest of all variants on n images, warmed up; report(name, images a second) for each."""
    compilers = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    modes = ["eager", "traced"] + (["compiled"] if compilers else [])
    best = (0, None, None)
    for mode in modes:
        for layout in ("channels_last", "contiguous"):
            for optimizer in ("fused", "foreach") if trains and mode == "eager" else ("fused",):
                variant = Variant(layout, optimizer, mode)
                try:
                    work = make(variant)
                    timed(work, n)
                    rate = max(timed(work, n) for _ in range(3))
                except Exception as error:  # a variant that this installation cannot run is no candidate
                    report(variant.name, f"not available ({type(error).__name__})")
                    continue
                report(variant.name, f"{rate:,.0f} images/s")
                if rate > best[0]:
                    best = (rate, variant.name, work)
    return best[2], best[1]


def torch_side():
    """Commands as bench/side.c takes them; the first of a kind chooses the variant and says so on stderr."""
    warnings.simplefilter("ignore")
    import torch
    torch.set_flush_denormal(True)
    train, test = mnist("train"), mnist("t10k")
    chosen = {}

    def work_for(command, n_threads, n):
        if (command, n_threads) not in chosen:
            def report(name, text):
                print(f"  PyTorch, {command}, {n_threads} thread{'s'[n_threads == 1:]}: {name}: {text}",
                      file=sys.stderr, flush=True)

            def make(variant):
                if command == "train":
                    return variant.trainer(*train)
                return variant.predictor(test[0], BATCH if command == "predict" else 1)
            best = best_variant(make, n, command == "train", report)
            chosen[command, n_threads] = best
            report("fastest", best[1])
        return chosen[command, n_threads][0]

    for line in sys.stdin:
        command, *rest = line.split()
        n_threads = int(rest[0]) if rest else 1
        torch.set_num_threads(n_threads)
        n = 1000 if command == "latency" else 10000 if command == "predict" else 60000
        rate = timed(work_for(command, n_threads, min(n, 6400)), n)
        print(1e6 / rate if command == "latency" else rate, flush=True)


# ------------------------------------------------------------------------------------------------ the comparison

class Side:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench/pytorch: {self.process.args[0]} ended during \"{command}\"")
        return float(answer)


def processor():
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(linnet):
    torch = subprocess.run([sys.executable, "-c", "import torch; print(torch.__version__)"], capture_output=True,
                           text=True, check=True).stdout.strip()
    own = subprocess.run([linnet, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return own, torch


def compare(options):
    load = os.getloadavg()[0]
    linnet = Side(options.side, os.path.join(ROOT, "data"))
    torch = Side(sys.executable, os.path.abspath(__file__), "--torch")
    works = [("training, 2 threads", "train 2", "images/s"), ("training, 1 thread", "train 1", "images/s"),
             ("inference, batch 64, 2 threads", "predict 2", "images/s"),
             ("latency, batch 1, 1 thread", "latency", "µs")]
    works = works[:1] if options.quick else works
    rows = []
    for name, command, unit in works:
        torch.ask(command)
        linnet.ask(command)  # both are warm now
        pairs = [(linnet.ask(command), torch.ask(command)) for _ in range(options.rounds)]
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        ratio = statistics.median(a / b if unit == "images/s" else b / a for a, b in pairs)
        rows.append((name, unit, ours, theirs, ratio))
    own, version = versions(options.linnet)
    if load > 0.5:
        print(f"bench/pytorch: the machine was not idle (load {load:.1f}): PyTorch loses more by that than Linnet "
              "does, so these ratios are not to be quoted", file=sys.stderr)
    print(f"{own}, PyTorch {version}, {processor()}, {os.cpu_count()} cores, load {load:.1f}")
    print(f"LeNet-5 (ReLU, max pooling) on MNIST, float32, batch {BATCH}; "
          f"medians of {options.rounds} rounds by turns\n")
    print("| | Linnet | PyTorch | ratio |\n|---|---|---|---|")
    for name, unit, ours, theirs, ratio in rows:
        digits = 0 if unit == "images/s" else 1
        print(f"| {name}, {unit} | {ours:,.{digits}f} | {theirs:,.{digits}f} | {ratio:.1f} × |")


def peak_shares(options):
    run = subprocess.run([options.linnet, "bench", os.path.join(ROOT, "recipes", "lenet5.yaml"), "--json"],
                         stdout=subprocess.PIPE, text=True, check=False,
                         env={"LINNET_DATA": os.path.join(ROOT, "data"), **os.environ})
    if run.returncode != 0:
        sys.exit("bench/pytorch: linnet bench failed; its message is above")
    figures = json.loads(run.stdout)
    print(f"\nLinnet on {figures['isa']}, {figures['threads']} threads, of the FMA peak of "
          f"{figures['fma_peak_gflops']:.0f} GFLOP/s: training {100 * figures['train_share']:.0f} %, "
          f"inference {100 * figures['inference_share']:.0f} %; "
          f"latency {figures['latency_multiple']:.1f} × what the FMA units of one core need")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", help="bench/side.c, compiled")
    parser.add_argument("--linnet", help="the command")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="training on 2 threads alone")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        torch_side()
    else:
        compare(options)
        peak_shares(options)


main()
