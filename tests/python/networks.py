# SPDX-License-Identifier: MIT
"""Random networks that are healthy at the start, and whether torch says so.

A network of the tool's own language is a list of layers that is written twice: as model.lua for sow, and as calls of
torch.nn.functional with the weights that sow init wrote. Families are transformers' own classes with their own
initialisation. `truth` knows nothing of sow's predictions or thresholds: it runs the network in torch, forward and
backward, over seeds, and holds signals, gradients and distances against the bounds below.
"""
import json
import math
import random

import torch

F = torch.nn.functional
ACTS = {"relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "elu": F.elu, "selu": F.selu,
        "softsign": F.softsign, "erf": torch.erf, "hardtanh": F.hardtanh, "mish": F.mish, "sigmoid": torch.sigmoid,
        "leaky_relu{slope=0.2}": lambda x: F.leaky_relu(x, 0.2), "softplus": F.softplus, "sin": torch.sin}

# What a network that starts well keeps (root mean squares, means over seeds):
SIGNAL = (1e-3, 1e3)  # of every value
GRADIENT = 10  # the largest over the smallest along the way from the first weights to the last; before norms, times the signal
ALIKE = 0.998  # cosine of two samples' (or tokens') features in front of the last layer
SPREAD = 20  # the largest over the smallest of six seeds, in front of the last layer
SCALE = 3  # inputs larger by a tenth change the output's size by less


class Network:
    """`files`: name to text; `source`: what sow plan takes, with `options`; `probing`: options of sow probe alone."""

    def __init__(self, kind, files, source, options=(), **more):
        self.kind, self.files, self.source, self.options = kind, files, source, list(options)
        self.probing, self.layers, self.config, self.shape, self.rules, self.tokens = [], None, None, None, [], 0
        self.__dict__.update(more)

    def arguments(self, folder):
        for name, text in self.files.items():
            (folder / name).write_text(text)
        return [str(folder / self.source) if self.source in self.files else self.source, *self.options]

    def text(self):
        return f"{self.kind}: {self.source} {self.options} {self.probing}\n" + "\n".join(self.files.values())


# ---- Networks as lists of layers --------------------------------------------------------------------------------------

def lua(layers):
    """The lines of a chain, x to x."""
    lines = []
    for word, *rest in layers:
        if word == "act":
            lines.append(f'x = x >> activation("{rest[0]}")')
        elif word == "linear":
            name, i, o, *bias = rest
            lines.append(f'x = x >> linear("{name}", {i}, {o}, {{ bias = {"false" if bias else "true"} }})')
        elif word == "conv":
            name, i, o, k, stride, bias = rest
            lines.append(f'x = x >> conv2d("{name}", {i}, {o}, {{ kernel = {k}, stride = {stride}, padding = {k // 2}, '
                         f'bias = {"true" if bias else "false"} }})')
        elif word == "depthwise":
            name, i, k = rest
            lines.append(f'x = x >> depthwise_conv2d("{name}", {i}, {{ kernel = {k}, padding = {k // 2} }})')
        elif word == "norm":
            kind, name, n = rest
            lines.append(f'x = x >> {kind}("{name}", {n}{", 4" if kind == "group_norm" else ""})')
        elif word == "embedding":
            lines.append(f'x = x >> embedding("{rest[0]}", {rest[1]}, {rest[2]})')
        elif word in ("flatten", "global_pool"):
            lines.append(f"x = x >> {word}()")
        elif word == "mean":
            lines.append('x = x >> global_pool { over = "tokens" }')
        elif word in ("max_pool", "average_pool"):
            lines.append(f"x = x >> {word}(2)")
        elif word == "scale":
            lines.append(f"x = x * {rest[0]!r}")
        elif word == "attention":
            lines.append(f"x = x >> attention {{ heads = {rest[0]}, causal = {'true' if rest[1] else 'false'} }}")
        elif word == "residual":
            inner = "\n    ".join(lua(rest[0]))
            lines.append(f"x = (function(x)\n    local before = x\n    {inner}\n    return before + x\nend)(x)")
    return lines


def run_layers(layers, w, x, see):
    for word, *rest in layers:
        before = x
        if word == "act":
            x = ACTS[rest[0]](x)
        elif word == "linear":
            x = F.linear(x, w[rest[0] + ".weight"], w.get(rest[0] + ".bias"))
        elif word == "conv":
            x = F.conv2d(x, w[rest[0] + ".weight"], w.get(rest[0] + ".bias"), rest[4], rest[3] // 2)
        elif word == "depthwise":
            x = F.conv2d(x, w[rest[0] + ".weight"], w.get(rest[0] + ".bias"), 1, rest[2] // 2, 1, rest[1])
        elif word == "norm":
            kind, scale, shift = rest[0], w[rest[1] + ".weight"], w.get(rest[1] + ".bias")
            x = (F.batch_norm(x, None, None, scale, shift, True) if kind == "batch_norm" else
                 F.layer_norm(x, x.shape[-1:], scale, shift) if kind == "layer_norm" else
                 F.group_norm(x, 4, scale, shift) if kind == "group_norm" else F.rms_norm(x, x.shape[-1:], scale, 1e-5))
        elif word == "embedding":
            x = F.embedding(x, w[rest[0] + ".weight"])
        elif word == "flatten":
            x = x.flatten(1)
        elif word == "global_pool":
            x = x.mean((2, 3))
        elif word == "mean":
            x = x.mean(1)
        elif word == "max_pool":
            x = F.max_pool2d(x, 2)
        elif word == "average_pool":
            x = F.avg_pool2d(x, 2)
        elif word == "scale":
            x = x * rest[0]
        elif word == "attention":
            b, t, d = x.shape
            q, k, v = x.view(b, t, 3, rest[0], d // 3 // rest[0]).permute(2, 0, 3, 1, 4)
            x = F.scaled_dot_product_attention(q, k, v, is_causal=rest[1]).transpose(1, 2).reshape(b, t, d // 3)
        elif word == "residual":
            x = before + run_layers(rest[0], w, x, lambda *_: None)
        if word in ("linear", "conv", "embedding", "residual"):
            see(x)
    return x


def written(kind, layers, rules, shape, vocabulary=0, **more):
    """shape: of the input behind the batch, None for tokens."""
    first = "local x = tokens()" if vocabulary else "local x = input { \"batch\", " + ", ".join(map(str, shape)) + " }"
    chain = lua(layers)
    rules = [rule for rule in rules if "norm*" not in rule or any('_norm("' in line for line in chain)]
    text = "\n".join([first, *chain, *rules]) + "\n"
    return Network(kind, {"model.lua": text}, "model.lua", layers=layers, rules=rules, shape=shape, vocabulary=vocabulary, **more)


NORMAL_RULES = ['rule("*bias", zeros)', 'rule("*norm*.weight", ones)']


def fitting(r, act):
    """A rule for hidden weights that its authors meant for the activation."""
    return r.choice({
        "relu": ["he_normal", "he_uniform", 'he_normal { mode = "fan_out" }', "he_trunc_normal"],
        "leaky_relu{slope=0.2}": ["he_normal { gain = sqrt(2 / 1.04) }"], "selu": ["lecun_normal", "lecun_uniform"],
        "tanh": ["glorot_uniform", "glorot_normal", "lecun_normal", "lecun_normal { gain = 1.05 }"],
        "softsign": ["glorot_uniform", "lecun_normal"], "erf": ["glorot_normal", "lecun_normal"],
        "hardtanh": ["glorot_uniform", "lecun_normal"], "sin": ["lecun_normal", "glorot_uniform"],
        "elu": ["he_normal { gain = 1.2452 }", "lecun_normal"], "gelu": ["he_normal { gain = 1.5335 }", "he_normal"],
        "silu": ["he_normal { gain = 1.6765 }"], "mish": ["he_normal { gain = 1.4868 }", "he_normal"]}[act])


def depth_of(r, most):
    return max(1, round(math.exp(r.uniform(0, math.log(most)))))


# how deep each activation is known to carry a plain chain (chi_par of the smooth rectifiers is above 1; tanh, at the edge)
DEEP = {"relu": 60, "leaky_relu{slope=0.2}": 60, "selu": 40, "tanh": 50, "softsign": 12, "erf": 40, "hardtanh": 40, "sin": 40,
        "elu": 25, "gelu": 12, "silu": 10, "mish": 12}


def mlp(r):
    act, inputs = r.choice(list(DEEP)), r.choice([16, 32, 64, 100, 256, 784])
    depth, width, outputs = depth_of(r, DEEP[act]), r.choice([64, 96, 128, 200, 256, 400, 512]), r.choice([1, 2, 10, 64, 100])
    widths = r.choice([[width] * depth, [r.choice([width, width // 2, width * 2]) for _ in range(depth)],
                       [max(32, round(width * 0.9 ** i)) for i in range(depth)]])
    sizes = [inputs, *widths, outputs]
    layers = []
    for i in range(depth + 1):
        layers += [("linear", f"fc{i}", sizes[i], sizes[i + 1])] + ([("act", act)] if i < depth else [])
    rules = [f'rule("fc{depth}.weight", {r.choice(["lecun_normal", "glorot_uniform", "lecun_uniform", "normal { std = 0.01 }"])})',
             f'rule("fc*.weight", {fitting(r, act)})', 'rule("*bias", zeros)']
    made = written("mlp", layers, rules, (inputs,), act=act, depth=depth)
    if r.random() < 0.35:
        made.options, made.kind = ["--variant", "matched"], "mlp matched"
    return made


def short_form(r):
    act = r.choice([a for a in DEEP if "{" not in a])
    inputs, width, depth, outputs = r.choice([32, 100, 784]), r.choice([64, 128, 256, 512]), depth_of(r, min(30, DEEP[act])), r.choice([2, 10, 50])
    layers, sizes = [], [inputs, *[width] * depth, outputs]
    for i in range(depth + 1):
        layers += [("linear", f"layers.{i}", sizes[i], sizes[i + 1])] + ([("act", act)] if i < depth else [])
    return Network("mlp short", {}, f"mlp:{inputs},{width}x{depth},{outputs}", ["--activation", act], layers=layers,
                   shape=(inputs,), act=act, depth=depth, vocabulary=0)


def autoencoder(r):
    act = r.choice(["relu", "tanh", "elu", "selu"])
    n, code = r.choice([64, 196, 784]), r.choice([8, 16, 32])
    down = [n, *sorted(r.sample([256, 128, 96, 64, 48], r.randint(1, 3)), reverse=True), code]
    sizes = down + down[-2::-1]
    layers = []
    for i in range(len(sizes) - 1):
        layers += [("linear", f"fc{i}", sizes[i], sizes[i + 1])] + ([("act", act)] if i < len(sizes) - 2 else [])
    if r.random() < 0.4:
        layers += [("act", "sigmoid")]
    scheme = "glorot_uniform" if act == "tanh" or r.random() < 0.3 else fitting(r, act)
    return written("autoencoder", layers, [f'rule("*.weight", {scheme})', 'rule("*bias", zeros)'], (n,), act=act)


def cnn(r):
    act, norm = r.choice(["relu", "relu", "leaky_relu{slope=0.2}", "tanh", "elu", "gelu"]), r.choice([None, None, "batch_norm", "group_norm"])
    channels, size, layers, at = r.choice([1, 3]), r.choice([12, 16, 28]), [], 0
    i, width, shape = channels, r.choice([16, 32, 48]), size
    for _stage in range(r.randint(1, 4)):
        for _ in range(r.randint(1, 3)):
            k, stride = r.choice([3, 3, 3, 1, 5]), 1
            layers += [("conv", f"conv{at}", i, width, k, stride, norm is None or r.random() < 0.3)]
            layers += [("norm", norm, f"norm{at}", width)] if norm else []
            layers += [("act", act)]
            at, i = at + 1, width
        if shape >= 8:
            layers += [(r.choice(["max_pool", "average_pool", "max_pool"]),)]
            shape //= 2
        width = min(128, width * r.choice([1, 2]))
    layers += [("global_pool",)] if r.random() < 0.5 else [("flatten",)]
    features = i if layers[-1][0] == "global_pool" else i * shape * shape
    if r.random() < 0.4:
        layers += [("linear", "fc1", features, 128), ("act", act)]
        features = 128
    layers += [("linear", "head", features, r.choice([10, 100]))]
    rules = [f'rule("head.weight", {r.choice(["lecun_normal", "normal { std = 0.01 }", "glorot_uniform"])})',
             f'rule("{{conv,fc}}*.weight", {fitting(r, act)})', *NORMAL_RULES]
    made = written("cnn " + (norm or "plain"), layers, rules, (channels, size, size), act=act)
    if r.random() < 0.25:
        made.options, made.kind = ["--variant", "matched"], made.kind + " matched"
    return made


def resnet(r):
    """Basic blocks with batch norms; the last norm of a block starts at 1 or at 0."""
    width, blocks, size = r.choice([16, 32]), r.randint(1, 12), r.choice([8, 16])
    layers = [("conv", "stem", 3, width, 3, 1, False), ("norm", "batch_norm", "norm0", width), ("act", "relu")]
    pre = r.random() < 0.3
    for b in range(blocks):
        n = f"b{b}."
        if pre:
            inner = [("norm", "batch_norm", n + "norm1", width), ("act", "relu"), ("conv", n + "conv1", width, width, 3, 1, False),
                     ("norm", "batch_norm", n + "norm2", width), ("act", "relu"), ("conv", n + "conv2", width, width, 3, 1, False)]
            layers += [("residual", inner)]
        else:
            inner = [("conv", n + "conv1", width, width, 3, 1, False), ("norm", "batch_norm", n + "norm1", width), ("act", "relu"),
                     ("conv", n + "conv2", width, width, 3, 1, False), ("norm", "batch_norm", n + "norm2", width)]
            layers += [("residual", inner), ("act", "relu")]
    layers += [("norm", "batch_norm", "normlast", width), ("act", "relu")] if pre else []
    layers += [("global_pool",), ("linear", "head", width, 10)]
    rules = ['rule("*.norm2.weight", zeros)'] if not pre and r.random() < 0.3 else []
    rules += ['rule("head.weight", lecun_uniform)', 'rule("*norm*.weight", ones)', 'rule("*bias", zeros)',
              'rule("*", he_normal' + r.choice(["", ' { mode = "fan_out" }']) + ")"]
    return written("resnet own", layers, rules, (3, size, size), act="relu")


def residual_mlp(r):
    """Pre-norm branches, plain ones scaled by 1/sqrt(L), or zero at the end (Fixup, ReZero-like)."""
    width, blocks, act = r.choice([64, 128, 256]), depth_of(r, 48), r.choice(["relu", "gelu", "tanh", "silu"])
    how = r.choice(["pre-norm", "pre-norm", "scaled", "zero"])
    norm, inputs, outputs = r.choice(["layer_norm", "rms_norm"]), r.choice([32, 64, 200]), r.choice([1, 10, 100])
    layers, wide = [("linear", "stem", inputs, width)], width * r.choice([1, 2, 4])
    for b in range(blocks):
        n = f"b{b}."
        inner = [("norm", norm, n + "norm", width)] if how == "pre-norm" else []
        inner += [("linear", n + "up", width, wide), ("act", act), ("linear", n + "down", wide, width)]
        layers += [("residual", inner + ([("scale", blocks ** -0.5)] if how == "scaled" else []))]
    layers += [("norm", norm, "lastnorm", width)] if how == "pre-norm" else []
    layers += [("linear", "head", width, outputs)]
    down = "zeros" if how == "zero" else "lecun_normal"
    rules = [f'rule("*.down.weight", {down})', 'rule("*.up.weight", he_normal)', *NORMAL_RULES, 'rule("*", lecun_normal)']
    return written("residual mlp " + how, layers, rules, (inputs,), act=act, depth=blocks)


def embedding_classifier(r):
    vocabulary, width = r.choice([100, 1000, 5000]), r.choice([32, 64, 128])
    act, hidden = r.choice(["relu", "tanh"]), r.randint(0, 2)
    layers = [("embedding", "embed", vocabulary, width), ("mean",)]
    for i in range(hidden):
        layers += [("linear", f"fc{i}", width, width), ("act", act)]
    layers += [("linear", "head", width, r.choice([2, 5, 20]))]
    rules = [f'rule("embed.weight", {r.choice(["normal { std = 1 }", "uniform { bound = 0.05 }", "normal { std = 0.1 }"])})',
             'rule("*bias", zeros)', f'rule("*.weight", {"he_normal" if act == "relu" else "glorot_uniform"})']
    return written("embedding classifier", layers, rules, None, vocabulary, act=act)


def transformer(r):
    """An encoder or decoder of one's own: pre-norm or post-norm."""
    heads, size = r.choice([2, 4, 8]), r.choice([16, 32])
    d, depth, post = heads * size, depth_of(r, 16), r.random() < 0.4
    depth = min(depth, 8) if post else depth
    norm, act, vocabulary = r.choice(["layer_norm", "rms_norm"]), r.choice(["gelu", "relu", "silu"]), r.choice([50, 300, 1000])
    layers, causal = [("embedding", "embed", vocabulary, d)], r.random() < 0.6
    layers += [("norm", norm, "normin", d)] if post else []
    for b in range(depth):
        n = f"b{b}."
        attention = [("linear", n + "qkv", d, 3 * d), ("attention", heads, causal), ("linear", n + "out", d, d)]
        feed = [("linear", n + "up", d, 4 * d), ("act", act), ("linear", n + "down", 4 * d, d)]
        if post:
            layers += [("residual", attention), ("norm", norm, n + "norm1", d), ("residual", feed), ("norm", norm, n + "norm2", d)]
        else:
            layers += [("residual", [("norm", norm, n + "norm1", d), *attention]), ("residual", [("norm", norm, n + "norm2", d), *feed])]
    layers += ([] if post else [("norm", norm, "normout", d)]) + [("linear", "head", d, vocabulary, False)]
    matrices = r.choice(["normal { std = 0.02 }", "glorot_uniform", "lecun_normal", "trunc_normal { std = 0.02 }"])
    last = f"normal {{ std = 0.02 / sqrt(2 * {depth}) }}" if "0.02" in matrices and not post else matrices
    rules = [f'rule("*.{{out,down}}.weight", {last})', *NORMAL_RULES,
             f'rule("embed.weight", normal {{ std = {r.choice(["0.02", "1", "1 / sqrt(" + str(d) + ")"])} }})', f'rule("*", {matrices})']
    return written("transformer " + ("post" if post else "pre"), layers, rules, None, vocabulary, act=act, depth=depth, tokens=32)


# ---- Families -----------------------------------------------------------------------------------------------------------

def family(r, name=None):
    name = name or r.choice(["gpt2", "gpt2", "llama", "llama", "mistral", "qwen2", "qwen3", "gemma", "bert", "bert", "vit", "mixtral", "resnet"])
    heads, size = r.choice([2, 4, 6, 8, 12]), r.choice([16, 32, 64])
    d, depth = heads * size, depth_of(r, 24)
    vocabulary, std = r.choice([100, 1000, 5000]), r.choice([0.02, 0.02, 0.02, 0.01, 0.006, round(d ** -0.5, 4)])
    ff = d * r.choice([2, 3, 4])
    config = {"model_type": name}
    if name == "gpt2":
        config |= dict(vocab_size=vocabulary, n_positions=128, n_embd=d, n_layer=depth, n_head=heads, initializer_range=std)
    elif name == "bert":
        config |= dict(vocab_size=vocabulary, hidden_size=d, num_hidden_layers=depth, num_attention_heads=heads,
                       intermediate_size=ff, initializer_range=std, max_position_embeddings=128)
    elif name == "vit":
        config |= dict(hidden_size=d, num_hidden_layers=depth, num_attention_heads=heads, intermediate_size=ff,
                       initializer_range=std, image_size=32, patch_size=8)
    elif name == "resnet":
        stages = r.randint(1, 4)
        sizes = [r.choice([32, 64]) * 2 ** i for i in range(stages)]
        config |= dict(embedding_size=r.choice([16, 32, 64]), hidden_sizes=sizes, depths=[r.randint(1, 4) for _ in sizes],
                       layer_type=r.choice(["basic", "bottleneck"]))
    else:
        config |= dict(vocab_size=vocabulary, hidden_size=d, num_hidden_layers=depth, num_attention_heads=heads,
                       num_key_value_heads=r.choice([k for k in (1, 2, 3, 4, heads) if heads % k == 0]), intermediate_size=ff,
                       initializer_range=std, head_dim=size, tie_word_embeddings=r.random() < 0.5)
        config |= dict(num_local_experts=r.choice([2, 4, 8]), num_experts_per_tok=2) if name == "mixtral" else {}
    made = Network(name, {"config.json": json.dumps(config)}, "config.json", config=config, depth=depth, tokens=32)
    made.probing = ["--size", "height=64", "--size", "width=64"] if name == "resnet" else [] if name == "vit" else ["--tokens", "32"]
    return made


KINDS = [(mlp, 24), (short_form, 8), (autoencoder, 5), (cnn, 12), (resnet, 6), (residual_mlp, 10), (embedding_classifier, 4),
         (transformer, 10), (family, 21)]


def healthy(number):
    """The network of this number, always the same one."""
    r = random.Random(f"network {number}")
    makers, shares = zip(*KINDS)
    return r.choices(makers, shares)[0](r)


# ---- What torch says ------------------------------------------------------------------------------------------------------

def library_model(config):
    import transformers as t

    config = dict(config)
    name = config.pop("model_type")
    made = t.AutoConfig.for_model(name, **config)
    made._attn_implementation = "eager"
    kinds = {"bert": t.AutoModelForMaskedLM, "vit": t.AutoModelForImageClassification, "resnet": t.AutoModelForImageClassification}
    return kinds.get(name, t.AutoModelForCausalLM).from_config(made)


class Run:
    """A network in torch with the weights of one seed."""

    def __init__(self, network, seed, folder, sow):
        self.network, self.model = network, None
        torch.manual_seed(seed)
        if network.config is not None:
            self.model = library_model(network.config).train()
            for module in self.model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
            self.parameters = dict(self.model.named_parameters())
        else:
            from safetensors.torch import load_file

            path = folder / f"weights{seed}.safetensors"
            sow("init", *network.arguments(folder), "--seed", seed, "-o", path, "-q", "--force")
            self.parameters = {k: v.requires_grad_() for k, v in load_file(path).items() if v.is_floating_point() and "running" not in k}

    def inputs(self, batch):
        net = self.network
        if net.config is not None:
            if net.kind in ("vit", "resnet"):
                side = 32 if net.kind == "vit" else 64
                return torch.randn(batch, 3, side, side)
            return torch.randint(5, net.config["vocab_size"], (batch, 32))
        if net.vocabulary:
            return torch.randint(0, net.vocabulary, (batch, 32))
        return torch.randn(batch, *net.shape)

    def __call__(self, x, see=lambda _: None):
        if self.model is None:
            return run_layers(self.network.layers, self.parameters, x, see)
        if self.network.kind in ("vit", "resnet"):
            told = self.model(pixel_values=x, output_hidden_states=True)
        else:
            told = self.model(input_ids=x, output_hidden_states=True)
        for hidden in told.hidden_states[:-1] if len(told.hidden_states) > 1 else told.hidden_states:
            see(hidden)
        return told.logits


def size_of(x):
    return float((x.detach() ** 2).mean().sqrt())


def cosine(x):
    """Mean cosine of two samples, or of two tokens of one; uncentred."""
    rows = x.detach()
    rows = rows.reshape(-1, rows.shape[-1])[:64] if rows.ndim <= 3 else rows.flatten(1)[:64]
    rows = F.normalize(rows, dim=-1)
    n = len(rows)
    return float(((rows.sum(0) ** 2).sum() - n) / (n * (n - 1))) if n > 1 else 0.0


def truth(network, folder, sow, seeds=2):
    """None where the network is healthy, else what is not."""
    normed = any(word in json.dumps(network.config or network.layers) for word in ("norm", "model_type"))
    signals, gradients, alike, scale = [], [], [], []
    for seed in range(seeds):
        run = Run(network, seed, folder, sow)
        torch.manual_seed(100 + seed)
        seen, x = [], run.inputs(8)
        y = run(x, seen.append)
        if y.numel() == 0 or not torch.isfinite(y).all():
            return "not finite"
        back = torch.autograd.grad((y * torch.randn_like(y)).sum(), seen, allow_unused=True)
        if network.config is None:
            seen, back = seen[:-1] or seen, back[:-1] or back  # the output is no hidden value
        signals.append([size_of(v) for v in seen])
        gradients.append([float((g ** 2).sum().sqrt()) * (size_of(v) if normed else 1) for v, g in zip(seen, back) if g is not None])
        alike.append(cosine(seen[-1]))
        if x.is_floating_point():
            scale.append(size_of(run(1.1 * x)) / max(size_of(y), 1e-30))
    if network.layers is not None and not normed and not any(layer[0] == "residual" for layer in network.layers):
        sizes = [s[-1] for s in signals]
        for seed in range(seeds, 6):
            seen = []
            with torch.no_grad():
                run = Run(network, seed, folder, sow)
                run(run.inputs(8), seen.append)
            sizes.append(size_of((seen[:-1] or seen)[-1]))
        if max(sizes) > SPREAD * min(sizes):
            return f"signals of six seeds from {min(sizes):.2g} to {max(sizes):.2g}"
    signal = [math.exp(sum(math.log(max(s[k], 1e-30)) for s in signals) / seeds) for k in range(len(signals[0]))]
    gradient = [math.exp(sum(math.log(max(g[k], 1e-30)) for g in gradients) / seeds) for k in range(len(gradients[0]))]
    gradient = [g for g in gradient if g > 1e-25] if "zero" in network.kind or "resnet" in network.kind else gradient
    if not SIGNAL[0] < min(signal) <= max(signal) < SIGNAL[1]:
        return f"signals from {min(signal):.2g} to {max(signal):.2g}"
    if gradient and max(gradient) > GRADIENT * min(gradient):
        return f"gradients from {min(gradient):.2g} to {max(gradient):.2g}"
    if sum(alike) / seeds > ALIKE:
        return f"inputs alike to {sum(alike) / seeds:.4f}"
    if scale and not 1 / SCALE < sum(scale) / seeds < SCALE:
        return f"inputs larger by a tenth change the output by {sum(scale) / seeds:.3g}"
    return None


def trains(network, folder, sow, steps=60):
    """Whether the loss on one batch of random labels falls to three quarters, with the best of three rates."""
    best = math.inf
    for rate in (1e-2, 3e-3, 1e-3, 3e-4):
        run = Run(network, 0, folder, sow)
        torch.manual_seed(7)
        x = run.inputs(8)
        shape = run(x).shape
        classes = shape[-1]
        labels = torch.randint(0, max(classes, 2), shape[:-1])
        target = torch.randn(shape)
        optimizer, first = torch.optim.Adam(run.parameters.values(), rate), None
        for _ in range(steps):
            y = run(x)
            loss = F.cross_entropy(y.reshape(-1, classes), labels.reshape(-1)) if classes > 1 else ((y - target) ** 2).mean()
            first = first if first is not None else loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        best = min(best, loss.item() / first if math.isfinite(loss.item()) else math.inf)
        if best < 0.75:
            return best
    return best
