"""Makes optim.bin, optim_steps.bin and schedules.bin beside it with PyTorch's values: python3 generate_optim.py

Needs PyTorch and NumPy; the tests need neither. All numbers are little-endian; texts are padded with zeros.

optim.bin        "LNOPTM1\\0", u32 cases, u32 count, u32 steps, and for each case
                   char line[96], f64 scale, limit, l2 (what is done to gradients first; limit 0: nothing),
                   f64 torch32, f64 after[count].
                 Parameters start as ((13 i) mod 29 - 14) / 8; gradient i of step t, from 1, is
                 ((37 i + 11 t) mod 61 - 30) / 32. after is the float64 run's; torch32 is the Euclidean distance of
                 PyTorch's float32 run from it.
optim_steps.bin  "LNOPST1\\0", u32 cases, u32 steps, u32 images, u32 batch, f32 pixels[images][12], u8 labels[images],
                 u32 parameters, for each of them u32 count, f32 before[count], and for each case
                   char line[96], char layer[32] (arguments of the second linear layer), f64 clip_norm, clip_value, l2,
                   ema, u32 decay_weights_only, f64 loss[steps], f64 torch32 of the losses, and for each parameter
                   f64 torch32, f64 after[count].
                 Training steps of a network of three linear layers (9, 7, 5 units, tanh between) with mean
                 cross-entropy, in batches in order, over several epochs. Losses hold the penalty; after is the moving
                 average where there is one.
schedules.bin    "LNSCHD1\\0", u32 cases, and for each char line[128], f64 base, u32 epochs, u32 steps of each,
                 f64 measured[epochs] (after each epoch), f64 rate[epochs * steps].
"""
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler as lrs
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

HERE = os.path.dirname(os.path.abspath(__file__))
MAKERS = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def value(text):
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        return [value(part) for part in text.split(",")]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text


def parse(line):
    word, *rest = line.split()
    return word, {k: value(v) for k, v in (part.split("=") for part in rest)}


def optimizer_of(line, groups):
    word, keyed = parse(line)
    if word.startswith("adam"):
        keyed["betas"] = (float(keyed.pop("beta1", 0.9)), float(keyed.pop("beta2", 0.999)))
    return MAKERS[word](groups, foreach=False, **keyed)


# ---------------------------------------------------------------------------------------------------- optim

COUNT, STEPS = 77, 10
LINES = [
    "sgd lr=0.05", "sgd lr=0.05 weight_decay=0.01", "sgd lr=0.05 momentum=0.9",
    "sgd lr=0.05 momentum=0.9 dampening=0.25 weight_decay=0.01",
    "sgd lr=0.05 momentum=0.9 nesterov=true weight_decay=0.01",
    "rmsprop", "rmsprop lr=0.003 alpha=0.9 eps=0.001", "rmsprop weight_decay=0.1", "rmsprop momentum=0.9",
    "rmsprop centered=true eps=0.0001", "rmsprop alpha=0.95 momentum=0.5 centered=true weight_decay=0.02 eps=0.0001",
    "adam", "adam lr=0.01 beta1=0.8 beta2=0.99 eps=1e-6", "adam lr=0.01 weight_decay=0.1", "adam lr=0.01 amsgrad=true",
    "adam lr=0.01 beta1=0.5 beta2=0.7 weight_decay=0.05 amsgrad=true", "adam lr=0.01 beta1=0 beta2=0",
    "adamw", "adamw lr=0.01 weight_decay=0", "adamw lr=0.02 beta1=0.7 weight_decay=0.3 amsgrad=true",
    "adamw lr=0.01 beta2=0.9 eps=1e-5",
]
OPTIM = [(line, 1.0, 0.0, 0.0) for line in LINES] + [
    ("sgd lr=0.05", 0.375, 0.0, 0.0), ("sgd lr=0.05 momentum=0.9 nesterov=true", 1.0, 0.25, 0.0),
    ("sgd lr=0.05 momentum=0.9 weight_decay=0.01", 0.7, 0.5, 0.02), ("rmsprop momentum=0.9", 0.7, 0.5, 0.02),
    ("adam lr=0.01 weight_decay=0.1 amsgrad=true", 0.7, 0.5, 0.02), ("adamw lr=0.01", 0.7, 0.5, 0.02),
]


def run_optim(line, scale, limit, l2, dtype):
    i = np.arange(COUNT)
    p = torch.nn.Parameter(torch.tensor(((i * 13) % 29 - 14) / 8, dtype=dtype))
    optimizer = optimizer_of(line, [p])
    for step in range(1, STEPS + 1):
        g = torch.tensor(((i * 37 + step * 11) % 61 - 30) / 32, dtype=dtype) * scale
        if limit > 0:
            g = g.clamp(-limit, limit)
        p.grad = g + l2 * p.detach()
        optimizer.step()
    return p.detach().double().numpy()


def write_optim():
    with open(os.path.join(HERE, "optim.bin"), "wb") as file:
        file.write(b"LNOPTM1\0" + struct.pack("<III", len(OPTIM), COUNT, STEPS))
        for line, *correction in OPTIM:
            exact = run_optim(line, *correction, torch.float64)
            far = np.linalg.norm(run_optim(line, *correction, torch.float32) - exact)
            file.write(struct.pack("<96s4d", line.encode(), *correction, far) + exact.astype("<f8").tobytes())


# ------------------------------------------------------------------------------------------------ steps

IMAGES, BATCH, PIXELS = 50, 20, 12
NETS = [  # line, arguments of the second linear layer, clip_norm, clip_value, l2, ema, decay_weights_only
    ("sgd lr=0.3", "", 0, 0, 0, 0, 0),
    ("sgd lr=0.2 momentum=0.9 nesterov=true weight_decay=0.01", "", 0, 0, 0, 0, 1),
    ("rmsprop lr=0.01 momentum=0.5 centered=true eps=0.001", "", 0, 0, 0, 0, 0),
    ("adam lr=0.02 eps=0.0001", "", 0, 0, 0, 0, 0),
    ("adamw lr=0.02 weight_decay=0.1 eps=0.0001", "", 0, 0, 0, 0, 0),
    ("adamw lr=0.02 weight_decay=0.1 eps=0.0001 amsgrad=true", "", 0, 0, 0, 0, 1),
    ("sgd lr=0.5 momentum=0.9", "", 0.25, 0, 0, 0, 0),
    ("sgd lr=0.5", "", 0, 0.02, 0, 0, 0),
    ("sgd lr=0.3", "", 0, 0, 0.7, 0, 0),
    ("sgd lr=0.3 momentum=0.5", "", 0, 0, 0, 0.9, 0),
    ("adam lr=0.02 eps=0.0001", "", 0.3, 0.05, 0.7, 0.8, 0),
    ("sgd lr=0.3 momentum=0.9", "lr_factor=0.25", 0, 0, 0, 0, 0),
    ("sgd lr=0.3 momentum=0.9", "frozen=true", 0.25, 0, 0.7, 0.75, 0),
    ("adam lr=0.02 eps=0.0001", "lr_factor=3", 0, 0, 0, 0, 0),
]


def network():
    nn = torch.nn
    return nn.Sequential(nn.Linear(PIXELS, 9), nn.Tanh(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 5))


def learners(model, line, layer, weights_only):
    """An optimizer whose groups have the rates and decays of their layers."""
    _, keyed = parse(line)
    _, own = parse("layer " + layer)
    decay = keyed.get("weight_decay", 0.01 if line.startswith("adamw") else 0)
    groups = []
    for name, p in model.named_parameters():
        factor = own.get("lr_factor", 1) if name.startswith("2.") else 1
        p.requires_grad_(not (own.get("frozen") and name.startswith("2.")))
        groups.append({"params": [p], "lr": keyed["lr"] * factor,
                       "weight_decay": 0 if weights_only and name.endswith("bias") else decay})
    return optimizer_of(line, groups)


def run_steps(before, pixels, label, case, dtype):
    line, layer, clip_norm, clip_value, l2, ema, weights_only = case
    model = network().to(dtype)
    model.load_state_dict({k: v.to(dtype) for k, v in before.items()})
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema)) if ema else None
    optimizer = learners(model, line, layer, weights_only)
    losses = []
    for step in range(STEPS):
        at = slice(step * BATCH % 60, min(step * BATCH % 60 + BATCH, IMAGES))
        x, y = pixels[at].to(dtype), label[at]
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(model.parameters(), clip_value)
        if l2:  # after clipping, which is of the loss's own gradient
            weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
            loss = loss + l2 / (2 * len(y)) * sum((p ** 2).sum() for p in weights)
            for p in weights:
                if p.grad is not None:
                    p.grad += l2 / len(y) * p.detach()
        losses.append(loss.item())
        optimizer.step()
        if average:
            average.update_parameters(model)
    final = average.module if average else model
    return np.array(losses), [p.detach().double().numpy() for p in final.parameters()]


def write_steps():
    torch.manual_seed(3)
    before = {k: p.detach().clone() for k, p in network().named_parameters()}
    pixels, label = torch.randn(IMAGES, PIXELS), torch.randint(5, (IMAGES,))
    with open(os.path.join(HERE, "optim_steps.bin"), "wb") as file:
        file.write(b"LNOPST1\0" + struct.pack("<4I", len(NETS), STEPS, IMAGES, BATCH))
        file.write(pixels.numpy().astype("<f4").tobytes() + label.numpy().astype("u1").tobytes())
        file.write(struct.pack("<I", len(before)))
        for p in before.values():
            file.write(struct.pack("<I", p.numel()) + p.numpy().astype("<f4").tobytes())
        for case in NETS:
            losses, after = run_steps(before, pixels, label, case, torch.float64)
            losses32, after32 = run_steps(before, pixels, label, case, torch.float32)
            line, layer, *numbers, weights_only = case
            file.write(struct.pack("<96s32s4dI", line.encode(), layer.encode(), *numbers, weights_only))
            file.write(losses.astype("<f8").tobytes() + struct.pack("<d", np.linalg.norm(losses32 - losses)))
            for exact, far in zip(after, after32):
                file.write(struct.pack("<d", np.linalg.norm(far - exact)) + exact.astype("<f8").tobytes())
            print(line, layer, *numbers, "losses", " ".join(f"{x:.4f}" for x in losses))


# -------------------------------------------------------------------------------------------- schedules

EPOCHS, PER_EPOCH, BASE = 60, 5, 0.3
PER_STEP = {"cosine", "one_cycle"}
SCHEDULES = [
    "constant", "step size=7", "step size=1 gamma=0.9", "multistep milestones=30,45", "exponential gamma=0.93",
    "multistep milestones=2,3,3,20,59 gamma=0.7", "cosine", "cosine min=0.003", "one_cycle",
    "one_cycle pct_start=0.45 div_factor=10 final_div_factor=100 anneal_strategy=linear",
    "one_cycle three_phase=true pct_start=0.2", "one_cycle three_phase=true anneal_strategy=linear",
    "reduce_on_plateau", "reduce_on_plateau factor=0.5 patience=2 threshold=0.05 cooldown=3 min_lr=0.01",
    "reduce_on_plateau patience=0 threshold_mode=abs threshold=0.02 factor=0.8 eps=0.001",
    "reduce_on_plateau monitor=accuracy patience=3 factor=0.3",
    "reduce_on_plateau monitor=accuracy patience=1 threshold_mode=abs threshold=0.03 factor=0.6 min_lr=1e-5",
    "constant warmup=3", "step size=4 gamma=0.5 warmup=5 warmup_from=0.1", "cosine min=0.003 warmup=2.4",
    "exponential gamma=0.9 warmup=1.6 warmup_from=0.5", "multistep milestones=10,20 warmup=2", "one_cycle warmup=4",
    "reduce_on_plateau patience=2 factor=0.5 warmup=6",
]


def schedule_of(word, keyed, optimizer, n_steps):
    if word == "constant":
        return lrs.ConstantLR(optimizer, factor=1)
    if word == "step":
        return lrs.StepLR(optimizer, keyed["size"], keyed.get("gamma", 0.1))
    if word == "multistep":
        return lrs.MultiStepLR(optimizer, **keyed)
    if word == "exponential":
        return lrs.ExponentialLR(optimizer, **keyed)
    if word == "cosine":
        return lrs.CosineAnnealingLR(optimizer, n_steps, eta_min=keyed.get("min", 0))
    if word == "one_cycle":
        return lrs.OneCycleLR(optimizer, BASE, total_steps=n_steps, cycle_momentum=False, **keyed)
    keyed = dict(keyed)
    mode = "max" if keyed.pop("monitor", "loss") == "accuracy" else "min"
    return lrs.ReduceLROnPlateau(optimizer, mode=mode, **keyed)


def sgd(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates_of(line, measured):
    word, keyed = parse(line)
    n = round(keyed.pop("warmup", 0) * PER_EPOCH)
    start = keyed.pop("warmup_from", 1 / 3)
    optimizer = sgd(BASE)
    schedule = schedule_of(word, keyed, optimizer, EPOCHS * PER_EPOCH - n)
    rates = []
    if n:  # a line to the schedule's first rate
        warm = sgd(optimizer.param_groups[0]["lr"])
        line = lrs.LinearLR(warm, start_factor=start, total_iters=n)
        for _ in range(n):
            rates.append(warm.param_groups[0]["lr"])
            warm.step()
            line.step()
    for i in range(EPOCHS * PER_EPOCH - n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        done = n + i + 1
        if word == "reduce_on_plateau":
            if done % PER_EPOCH == 0:  # epochs of the training, those that end in warmup left out
                schedule.step(measured[done // PER_EPOCH - 1])
        elif word in PER_STEP:
            if i + 1 < EPOCHS * PER_EPOCH - n:
                schedule.step()
        elif (i + 1) % PER_EPOCH == 0:
            schedule.step()
    return np.array(rates)


def write_schedules():
    epoch = np.arange(EPOCHS)
    fall = np.maximum(0.4, 2 * np.exp(-epoch / 6)) + 0.02 * ((epoch * 7) % 5) - 0.015 * (epoch // 20)
    with open(os.path.join(HERE, "schedules.bin"), "wb") as file:
        file.write(b"LNSCHD1\0" + struct.pack("<I", len(SCHEDULES)))
        for line in SCHEDULES:
            measured = 1 - fall / 3 if "accuracy" in line else fall
            rates = rates_of(line, measured.tolist())
            file.write(struct.pack("<128sdII", line.encode(), BASE, EPOCHS, PER_EPOCH))
            file.write(measured.astype("<f8").tobytes() + rates.astype("<f8").tobytes())
            print(f"{line}: {len(set(rates))} rates, {rates[0]:.4g} to {rates[-1]:.4g}")


torch.set_num_threads(1)
write_optim()
write_steps()
write_schedules()
