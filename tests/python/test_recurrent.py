# SPDX-License-Identifier: MIT
"""Recurrent layers against torch and Keras with the same weights: numbers forward and backward through time (sow_measure),
and predictions of them (sow probe) as means over seeds."""
import pytest

torch = pytest.importorskip("torch")
from libsow_model import Measured  # noqa: E402
from measuring import close, judge, weights_of  # noqa: E402
from predictions import Means, predict, weights  # noqa: E402

torch.set_num_threads(1)  # small steps: threads would only wait for each other


# ---- Numbers ----------------------------------------------------------------------------------------


def of_torch(kind, **options):
    """torch's own layer in float64, with the recipe's weights under its own names."""
    def run(x, w):
        layer = getattr(torch.nn, kind)(24, 7, **options).double()
        own = {name: w[f"a.{name}"] for name, _ in layer.named_parameters()}
        assert len(own) == len(w) - 1
        made = torch.func.functional_call(layer, own, (x.flatten(0, -2) if "Cell" in kind else x,))
        made = made[0] if isinstance(made, tuple) else made
        return made.unflatten(0, x.shape[:-1]) if "Cell" in kind else made
    return run


def batched(kind, **options):
    return of_torch(kind, batch_first=True, **options)


TOKENS = '"batch", 13, 24'
CASES = {
    "rnn tanh": (TOKENS, 'rnn("a", 24, 7)', batched("RNN")),
    "rnn relu": (TOKENS, 'rnn("a", 24, 7, { nonlinearity = "relu" })', batched("RNN", nonlinearity="relu")),
    "rnn no bias": (TOKENS, 'rnn("a", 24, 7, { bias = false })', batched("RNN", bias=False)),
    "lstm": (TOKENS, 'lstm("a", 24, 7)', batched("LSTM")),
    "lstm no bias": (TOKENS, 'lstm("a", 24, 7, { bias = false })', batched("LSTM", bias=False)),
    "lstm stack": (TOKENS, 'lstm("a", 24, 7, { layers = 2 })', batched("LSTM", num_layers=2)),
    "lstm both ways": (TOKENS, 'lstm("a", 24, 7, { layers = 2, bidirectional = true })',
                       batched("LSTM", num_layers=2, bidirectional=True)),
    "lstm one step": ('"batch", 1, 24', 'lstm("a", 24, 7)', batched("LSTM")),
    "lstm few steps": ('"batch", 3, 24', 'lstm("a", 24, 7)', batched("LSTM")),
    "gru": (TOKENS, 'gru("a", 24, 7)', batched("GRU")),
    "gru both ways": (TOKENS, 'gru("a", 24, 7, { layers = 2, bidirectional = true, bias = false })',
                      batched("GRU", num_layers=2, bidirectional=True, bias=False)),
    "gru few steps": ('"batch", 3, 24', 'gru("a", 24, 7, { bidirectional = true })', batched("GRU", bidirectional=True)),
    "rnn cell": ('"batch", 24', 'rnn_cell("a", 24, 7, { nonlinearity = "relu" })', of_torch("RNNCell", nonlinearity="relu")),
    "lstm cell": (TOKENS, 'lstm_cell("a", 24, 7)', of_torch("LSTMCell")),
    "gru cell": ('"batch", 24', 'gru_cell("a", 24, 7, { bias = false })', of_torch("GRUCell", bias=False)),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_torchs(name, tmp_path):
    shape, layer, function = CASES[name]
    judge(f"local x = input {{ {shape} }} >> {layer}", function, tmp_path)


KERAS = {
    "rnn": (lambda keras: keras.layers.SimpleRNN, 'rnn("a", 24, 7, { names = "keras" })'),
    "lstm": (lambda keras: keras.layers.LSTM, 'lstm("a", 24, 7, { names = "keras" })'),
    "gru": (lambda keras: keras.layers.GRU, 'gru("a", 24, 7, { names = "keras" })'),
}


@pytest.mark.parametrize("name", KERAS)
def test_numbers_are_keras(name, tmp_path):
    """The kernels' layout, the order of gates and both rows of a gru's bias; Keras has no float64 gradient here, so forward."""
    keras = pytest.importorskip("keras")
    kind, layer = KERAS[name]
    source = tmp_path / "model.lua"
    source.write_text(f'local x = input {{ {TOKENS} }} >> {layer}\nrule("*", normal {{ mean = 0.1, std = 0.4 }})\n')
    found = Measured(source, seed=3, batch=5, watch=True)
    own = weights_of(source, tmp_path)
    theirs = kind(keras)(7, return_sequences=True, use_bias="a.bias" in own, dtype="float64")
    theirs.build((5, 13, 24))
    theirs.set_weights([own[f"a.{what}"].detach().numpy() for what in ("kernel", "recurrent_kernel", "bias") if f"a.{what}" in own])
    made = keras.ops.convert_to_numpy(theirs(found.value("input").reshape(5, 13, 24).astype("float64")))
    close(found.value("a"), torch.tensor(made), "value", 2e-5)


# ---- Predictions -------------------------------------------------------------------------------------


def inputs_of(seed, batch, tokens, correlation):
    """Tokens of a sample have this much in common, samples nothing."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(batch, tokens, 64, generator=generator)
    common = torch.randn(batch, 1, 64, generator=generator)
    return ((1 - correlation) ** 0.5 * own + correlation ** 0.5 * common).requires_grad_()


WORDS = {"rnn": ("RNN", {}), "relu": ("RNN", {"nonlinearity": "relu"}), "lstm": ("LSTM", {}), "gru": ("GRU", {})}
UNIFORM = 'rule("*", uniform { low = -0.0884, high = 0.0884 })'  # torch's own for 128 units
GLOROT = 'rule("*.weight_*", glorot_uniform) rule("*.bias_*", zeros)'
LARGE = 'rule("*.weight_*", normal { std = 0.15 }) rule("*.bias_*", normal { std = 0.3 })'
SMALL = 'rule("*.weight_*", normal { std = 0.02 }) rule("*.bias_*", normal { std = 0.1 })'


def forget(value):
    return f'rule("*.bias_*", forget_bias {{ value = {value} }}) {UNIFORM}'


# kind, tokens, correlation of tokens, options, rules: (for the recipe after the sizes)
PREDICTED = {
    **{f"{kind} of {tokens}, {name}": (kind, tokens, 0, {}, rules) for kind in WORDS for tokens in (1, 5, 30)
       for name, rules in (("torch's", UNIFORM), ("small", SMALL))},
    **{f"{kind} of 12, tokens alike": (kind, 12, 0.5, {}, GLOROT) for kind in WORDS},
    **{f"{kind} of 12, large": (kind, 12, 0, {}, LARGE) for kind in WORDS if kind != "relu"},
    **{f"lstm of {tokens}, forget bias {value}": ("lstm", tokens, 0, {}, forget(value))
       for tokens, value in ((5, 1), (30, 1), (5, 3), (30, 3), (60, 5))},
    "lstm of 40, chrono": ("lstm", 40, 0, {}, 'rule("*.bias_*", chrono { steps = 40 }) ' + UNIFORM),
    "lstm both ways": ("lstm", 12, 0.3, {"bidirectional": "true"}, UNIFORM),
    "gru both ways": ("gru", 12, 0, {"bidirectional": "true"}, GLOROT),
}


@pytest.mark.parametrize("name", PREDICTED)
def test_prediction(name, tmp_path):
    kind, tokens, correlation, options, rules = PREDICTED[name]
    word, extra = WORDS[kind]
    model = tmp_path / "model.lua"
    given = ", ".join(f"{k} = {v}" for k, v in {"nonlinearity": '"relu"' if kind == "relu" else None, **options}.items() if v)
    model.write_text(f'local x = input {{ "batch", {tokens}, 64, correlation = {correlation} }}\n'
                     f'x = x >> {"rnn" if kind == "relu" else kind}("a", 64, 128, {{ {given} }})\n{rules}\n')
    told, means = predict(model), Means()
    told["noise"] = 0
    layer = getattr(torch.nn, word)(64, 128, batch_first=True, bidirectional=bool(options), **extra)
    for seed in range(5):
        w = weights(tmp_path, seed, model)
        x = means.see("input", inputs_of(seed, 32, tokens, correlation))
        layer.load_state_dict({n.removeprefix("a."): v for n, v in w.items()})
        means.back(means.see("a", layer(x)[0]), seed)
    hard = rules == LARGE or tokens > 30
    means.agree(told, ["input", "a"], near=0.08, gradient_near=0.15 if hard else 0.1, alike=0.08 if tokens > 30 else 0.06)


def test_stack_and_its_last_token(tmp_path):
    """What layers of a stack hand on - how sizes and likeness run over time - and a gradient that comes in at the end."""
    model = tmp_path / "model.lua"
    model.write_text('local x = input { "batch", 25, 64 } >> lstm("a", 64, 128, { layers = 2 }) >> take(25)\n' + UNIFORM)
    told, means = predict(model), Means()
    told["noise"] = 0
    layer = torch.nn.LSTM(64, 128, num_layers=2, batch_first=True)
    for seed in range(5):
        w = weights(tmp_path, seed, model)
        x = means.see("input", inputs_of(seed, 32, 25, 0))
        layer.load_state_dict({n.removeprefix("a."): v for n, v in w.items()})
        y = means.see("a.2", layer(x)[0])
        means.back(means.see("take", y[:, -1]), seed)
    means.agree(told, ["input", "a.2", "take"], near=0.08, gradient_near=0.12, alike=0.06)


def test_a_long_sequence_is_walked_only_until_it_settles(tmp_path):
    model = tmp_path / "model.lua"
    for tokens in (500, 10 ** 9):
        model.write_text(f'local x = input {{ "batch", {tokens}, 64 }} >> gru("a", 64, 128)\n' + UNIFORM)
        settled = predict(model)["a"]["second_moment"]
        if tokens == 500:
            expected = settled
    assert settled == pytest.approx(expected, rel=0.01)
