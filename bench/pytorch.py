"""A recipe's network: Linnet against PyTorch at its best, by turns. bench/pytorch prepares and runs this.

Each side is a process of its own that waits while the other works. PyTorch gets every chance: images normalised in
memory beforehand and sliced without copying, no DataLoader, denormals flushed, gradients set to None, activations
overwritten where autograd allows it, and of the variants below (memory layouts, optimizers, tracing and compiling where
a compiler is installed) the one that is fastest here, for each kind of work and number of threads.

MNIST's recipes see MNIST, in the same order; all others see random images, whose values change no time. Both sides take
the recipe's loss and optimizer, with a rate so small that random images do no harm.
"""
import argparse
import gzip
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import warnings

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LENET5 = os.path.join(ROOT, "recipes", "lenet5.yaml")
INFERENCE_BATCH = 64
RUN_SECONDS = 3  # that one side works at a time, if it does not get through all images before
MAKE_SECONDS = 120  # that compiling may take


# ------------------------------------------------------------------------------------------- PyTorch's process

def mnist(part):
    import numpy as np
    import torch

    def take(name, offset):
        with gzip.open(os.path.join(ROOT, "data", "mnist", f"{part}-{name}-ubyte.gz")) as file:
            return torch.tensor(np.frombuffer(file.read(), np.uint8, offset=offset))
    pixels = take("images-idx3", 16).reshape(-1, 1, 28, 28)
    return (pixels.float() / 255 - 0.1307) / 0.3081, take("labels-idx1", 8).long()


def random_images(network):
    import torch
    n = 4 * max(network["batch"], INFERENCE_BATCH)
    classes = min(256, network["layers"][-1]["shape"][0])
    torch.manual_seed(1)
    return (torch.randint(0, 256, (n, *network["input"])) / 255 - 0.5) / 0.29, torch.arange(n) % classes


class Variant:
    """A way to run the network: memory layout, optimizer, and eager, traced or compiled."""

    def __init__(self, network, layout, optimizer, mode):
        self.name = f"{layout}, {optimizer}, {mode}"
        self.plan, self.layout, self.optimizer, self.mode = network, layout, optimizer, mode

    def prepare(self, images):
        import torch
        from network import Network
        torch.manual_seed(1)
        form = torch.channels_last if self.layout == "channels_last" else torch.contiguous_format
        self.model = Network(self.plan).to(memory_format=form)
        self.images = images.contiguous(memory_format=form)

    def network(self, batch):
        import torch
        if self.mode == "traced":
            return torch.jit.trace(self.model, self.images[:batch], check_trace=False)
        return torch.compile(self.model, dynamic=False) if self.mode == "compiled" else self.model

    def trainer(self, images, labels):
        from network import loss_of, optimizer_of
        self.prepare(images)
        batch = self.plan["batch"]
        network, loss, whole = self.network(batch), loss_of(self.plan["loss"]), len(labels) // batch * batch
        optimizer = optimizer_of(self.plan["optimizer"], self.model.parameters(), **{self.optimizer: True})

        def train(n):
            for i in range(0, n, batch):
                at = i % whole
                optimizer.zero_grad(set_to_none=True)
                loss(network(self.images[at:at + batch]), labels[at:at + batch]).backward()
                optimizer.step()
        return train

    def predictor(self, images, batch):
        import torch
        self.prepare(images)
        self.model.eval()
        whole = len(images) // batch * batch
        with torch.inference_mode():
            network = self.network(batch)
            if self.mode == "traced":
                network = torch.jit.optimize_for_inference(torch.jit.freeze(network))

        def predict(n):
            with torch.inference_mode():
                for i in range(0, n, batch):
                    at = i % whole
                    network(self.images[at:at + batch])
        return predict


def timed(work, n):
    start = time.perf_counter()
    work(n)
    return n / (time.perf_counter() - start)


def rate_of(work, step):
    """Images a second, best of up to three runs of up to 6400 images and a fifth of a second, warmed up."""
    timed(work, step)
    n = max(step, min(6400, int(timed(work, step) / 5)) // step * step)
    timed(work, n)
    rates, start = [], time.perf_counter()
    while len(rates) < 3 and time.perf_counter() - start < 2:
        rates.append(timed(work, n))
    return max(rates)


def too_long(*_):
    raise TimeoutError


def best_variant(network, make, step, trains, report):
    """The fastest of all variants; report(name, images a second) for each."""
    compilers = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    modes = ["eager", "traced"] + (["compiled"] if compilers else [])
    best = (0, None, None)
    signal.signal(signal.SIGALRM, too_long)
    for mode in modes:
        for layout in ("channels_last", "contiguous"):
            for optimizer in ("fused", "foreach") if trains and mode == "eager" else ("fused",):
                variant = Variant(network, layout, optimizer, mode)
                try:
                    signal.alarm(MAKE_SECONDS)
                    work = make(variant)
                    timed(work, step)
                    signal.alarm(0)
                    rate = rate_of(work, step)
                except Exception as error:  # a variant that this installation cannot run is no candidate
                    report(variant.name, f"not available ({type(error).__name__})")
                    continue
                finally:
                    signal.alarm(0)
                report(variant.name, f"{rate:,.0f} images/s" if rate >= 1000 else f"{rate:.3g} images/s")
                if rate > best[0]:
                    best = (rate, variant.name, work)
    return best[2], best[1]


def time_layer(layer, batch, wants_input, layout, seconds=0.5):
    """Median microseconds of a layer alone, forward and back."""
    import torch
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format

    def values(shape):
        image = layer.op.endswith("2d") or shape[1] * shape[2] > 1
        x = torch.randn((batch, *shape) if image else (batch, shape[0]))
        return (x.contiguous(memory_format=form) if x.dim() == 4 else x).requires_grad_(wants_input)
    if layer.module is not None:
        layer.module.to(memory_format=form)
    inputs = [values(shape) for shape in layer.shapes]
    leaves = [p for p in (*inputs, *(layer.module.parameters() if layer.module else ())) if p.requires_grad]
    dout = torch.randn_like(layer(*inputs))
    times, start = [], time.perf_counter()
    while len(times) < 4 or (len(times) < 50 and time.perf_counter() - start < seconds):
        begin = time.perf_counter()
        out = layer(*inputs)
        middle = time.perf_counter()
        if leaves:
            torch.autograd.grad(out, leaves, dout)
        times.append((middle - begin, time.perf_counter() - middle))
    return [1e6 * statistics.median(part) for part in zip(*times[1:])]


def time_layers(network):
    """For each layer the faster of both memory layouts, one thread."""
    import torch
    from network import layers_of
    torch.set_num_threads(1)
    learns = False
    answer = []
    for layer in layers_of(network):
        both = [time_layer(layer, network["batch"], learns, layout) for layout in ("channels_last", "contiguous")]
        answer.append(min(both, key=sum))
        learns = learns or (layer.module is not None and any(p.requires_grad for p in layer.module.parameters()))
    return answer


def check(network):
    from network import Network, Unknown, loss_of, optimizer_of
    try:
        loss_of(network["loss"])
        optimizer_of(network["optimizer"], Network(network).parameters())
    except Unknown as error:
        sys.exit(f"bench/pytorch: {error}")


def torch_side():
    """The network as bench/side.c tells it, then commands as it takes them; the first of a kind chooses the variant and
    says so on stderr."""
    warnings.simplefilter("ignore")
    import torch
    torch.set_flush_denormal(True)
    network = json.loads(sys.stdin.readline())
    check(network)
    train, test = (mnist("train"), mnist("t10k")) if network["images"] == "mnist" else [random_images(network)] * 2
    chosen = {}

    def work_for(command, n_threads, step):
        if (command, n_threads) not in chosen:
            def report(name, text):
                print(f"  PyTorch, {command}, {n_threads} thread{'s'[n_threads == 1:]}: {name}: {text}",
                      file=sys.stderr, flush=True)

            def make(variant):
                return variant.trainer(*train) if command == "train" else variant.predictor(test[0], step)
            best = best_variant(network, make, step, command == "train", report)
            if not best[0]:
                sys.exit("bench/pytorch: PyTorch can run no variant of this network")
            chosen[command, n_threads] = best
            report("fastest", best[1])
        return chosen[command, n_threads][0]

    for line in sys.stdin:
        command, *rest = line.split()
        numbers = [int(word) for word in rest]
        if command == "layers":
            print(*(time for pair in time_layers(network) for time in pair), flush=True)
            continue
        n_threads = 1 if command == "latency" else numbers[0]
        step = {"train": network["batch"], "predict": INFERENCE_BATCH, "latency": 1}[command]
        torch.set_num_threads(n_threads)
        rate = timed(work_for(command, n_threads, step), numbers[-1])
        print(1e6 / rate if command == "latency" else rate, flush=True)


# ------------------------------------------------------------------------------------------------ the comparison

class Side:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, command):
        self.tell(command)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench/pytorch: {self.process.args[0]} ended during \"{command}\"; its message is above")
        return answer

    def figure(self, work, images):
        return float(self.ask(f"{work.command} {images}"))


class Work:
    """A kind of work, and how many images a run of it has on either side: all there are, or fewer if that is long."""

    def __init__(self, name, command, unit, step, most):
        self.name, self.command, self.unit, self.step, self.most = name, command, unit, step, most

    def images(self, side):
        """After a first run, which warms up and lets PyTorch choose, and one to see how fast it is."""
        side.figure(self, self.step)
        figure = side.figure(self, self.step)
        rate = figure if self.unit == "images/s" else 1e6 / figure
        return min(self.most, max(1, int(rate * RUN_SECONDS / self.step)) * self.step)

    def compare(self, linnet, torch, rounds):
        sides = [(side, self.images(side)) for side in (linnet, torch)]
        for side, images in sides:
            side.figure(self, images)  # both are warm now
        pairs = [[side.figure(self, images) for side, images in sides] for _ in range(rounds)]
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        return ours, theirs, statistics.median(a / b if self.unit == "images/s" else b / a for a, b in pairs)


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


def works_of(network):
    batch, whole = network["batch"], network["images"] == "mnist"
    train, test = (60000, 10000) if whole else (10**9, 10**9)
    return [Work("training, 2 threads", "train 2", "images/s", batch, train),
            Work("training, 1 thread", "train 1", "images/s", batch, train),
            Work(f"inference, batch {INFERENCE_BATCH}, 2 threads", "predict 2", "images/s", INFERENCE_BATCH, test),
            Work("latency, batch 1, 1 thread", "latency", "µs", 1, test)]


def title(options, network):
    if options.recipe == LENET5:
        return "LeNet-5 (ReLU, max pooling) on MNIST"
    return os.path.relpath(options.recipe) + (" on MNIST" if network["images"] == "mnist" else " on random images")


def print_layers(network, linnet, torch):
    ours = [float(word) for word in linnet.ask("layers 5").split()]
    theirs = [float(word) for word in torch.ask("layers").split()]
    total = [sum(ours), sum(theirs)]
    print(f"\nA training step of {network['batch']} images by layer, one thread, µs; PyTorch each layer alone\n")
    print("| name | layer | Linnet forward | backward | PyTorch forward | backward | ratio |")
    print("|---|---|---|---|---|---|---|")
    for i, layer in enumerate(network["layers"]):
        mine, other = ours[2 * i:2 * i + 2], theirs[2 * i:2 * i + 2]
        ratio = f"{sum(other) / sum(mine):.1f} ×" if sum(mine) > 0 else ""
        line = re.sub(" (init|std|bias_std)=[^ ]*", "", layer["line"])
        print(f"| {layer['name']} | {line} | {mine[0]:,.0f} | {mine[1]:,.0f} | {other[0]:,.0f} | "
              f"{other[1]:,.0f} | {ratio} |")
    print(f"| | all | {total[0]:,.0f} | | {total[1]:,.0f} | | {total[1] / total[0]:.1f} × |")


def compare(options):
    load = os.getloadavg()[0]
    linnet = Side(options.side, os.path.join(ROOT, "data"), options.recipe, "lr=0.0001", *options.pairs)
    described = linnet.ask("network")
    network = json.loads(described)
    torch = Side(sys.executable, os.path.abspath(__file__), "--torch")
    torch.tell(described.strip())
    works = works_of(network)[:1 if options.quick else None]
    rows = [(work, *work.compare(linnet, torch, options.rounds)) for work in works]
    own, version = versions(options.linnet)
    if load > 0.5:
        print(f"bench/pytorch: the machine was not idle (load {load:.1f}): PyTorch loses more by that than Linnet "
              "does, so these ratios are not to be quoted", file=sys.stderr)
    print(f"{own}, PyTorch {version}, {processor()}, {os.cpu_count()} cores, load {load:.1f}")
    print(f"{title(options, network)}, float32, batch {network['batch']}; "
          f"medians of {options.rounds} rounds by turns\n")
    print("| | Linnet | PyTorch | ratio |\n|---|---|---|---|")
    for work, ours, theirs, ratio in rows:
        digits = 0 if work.unit == "images/s" and min(ours, theirs) >= 100 else 1
        print(f"| {work.name}, {work.unit} | {ours:,.{digits}f} | {theirs:,.{digits}f} | {ratio:.1f} × |")
    if options.layers:
        print_layers(network, linnet, torch)


def peak_shares(options):
    run = subprocess.run([options.linnet, "bench", options.recipe, *options.pairs, "--json"], stdout=subprocess.PIPE,
                         text=True, check=False, env={"LINNET_DATA": os.path.join(ROOT, "data"), **os.environ})
    if run.returncode != 0:
        sys.exit("bench/pytorch: linnet bench failed; its message is above")
    figures = json.loads(run.stdout)
    print(f"\nLinnet on {figures['isa']}, {figures['threads']} threads, of the FMA peak of "
          f"{figures['fma_peak_gflops']:.0f} GFLOP/s: training {100 * figures['train_share']:.0f} %, "
          f"inference {100 * figures['inference_share']:.0f} %; "
          f"latency {figures['latency_multiple']:.1f} × what the FMA units of one core need")


def main():
    parser = argparse.ArgumentParser(prog="bench/pytorch", description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", metavar="RECIPE KEY=VALUE", help="default: recipes/lenet5.yaml")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--linnet", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="training on 2 threads alone")
    parser.add_argument("--layers", action="store_true", help="each layer as well")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    if options.torch:
        return torch_side()
    options.pairs = [word for word in options.words if "=" in word]
    recipes = [word for word in options.words if "=" not in word]
    if len(recipes) > 1:
        parser.error("one recipe at a time")
    options.recipe = os.path.abspath(recipes[0]) if recipes else LENET5
    compare(options)
    return peak_shares(options)


main()
