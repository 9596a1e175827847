"""Models of streams grow, forget, are copied, and do not depend on order or units."""

import copy
import pickle

import numpy as np
import pytest

from fastbp.online import OnlineClassifier, OnlineRegressor

RNG = np.random.default_rng(0)


def stream(n=200, seed=0):
    """Rows whose features come and go, with text among them, and labels that appear late."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        x = {f"x{j}": float(rng.normal(3, 2)) for j in range(6) if rng.random() < 0.7}
        x["color"] = str(rng.choice(["red", "green", "blue"]))
        x["n"] = int(rng.integers(5))
        if i > n // 2:
            x["late"] = bool(rng.integers(2))
        y = "abc"[int(rng.integers(2 if i < 50 else 3))]
        yield x, y


def bits(model, rows):
    return [list(model.predict_proba_one(x).values()) for x, _ in rows]


def test_order_of_names_does_not_matter():
    rows = list(stream())
    one, other = OnlineClassifier(random_state=0), OnlineClassifier(random_state=0)
    shuffle = np.random.default_rng(1)
    for x, y in rows:
        names = list(x)
        shuffle.shuffle(names)
        one.learn_one(x, y)
        other.learn_one({name: x[name] for name in names}, y)
    assert bits(one, rows) == bits(other, rows)


def test_pickle_and_copies_go_on_with_the_same_bits():
    rows = list(stream(300))
    model = OnlineClassifier(random_state=0, replay=3, max_features=9)
    for x, y in rows[:150]:
        model.learn_one(x, y)
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for one in (model, *copies):
        for x, y in rows[150:]:
            one.learn_one(x, y)
    assert bits(model, rows) == bits(copies[0], rows) == bits(copies[1], rows)


def test_hashed_features_have_fixed_memory():
    model = OnlineClassifier(random_state=0, hashed_features=32)
    for i in range(2000):
        model.learn_one({f"word {i}": 1.0, "a": i % 2}, i % 2)
    assert len(pickle.dumps(model)) < 1_000_000
    assert model.predict_one({"a": 1}) == 1
    assert model.predict_one({"a": 0}) == 0


def test_features_that_are_not_seen_are_forgotten():
    model = OnlineClassifier(random_state=0, max_features=20, replay=2)
    for i in range(2000):
        model.learn_one({f"word {i}": 1.0, "a": i % 2}, i % 2)
    assert len(model.feature_names_) <= 20
    assert "a" in model.feature_names_
    assert model.predict_one({"a": 1}) == 1


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_units_do_not_matter(factor):
    one, other = OnlineRegressor(random_state=0), OnlineRegressor(random_state=0)
    for _ in range(500):
        a, b = RNG.normal(size=2)
        one.learn_one([a, b], a * b)
        other.learn_one([a * factor, b], a * b / factor)
    expected = one.predict_one([0.5, 0.5])
    assert other.predict_one([0.5 * factor, 0.5]) * factor == pytest.approx(expected, rel=1e-6)


def test_weights_follow_from_the_name_not_from_when_it_appears():
    early, late = OnlineClassifier(random_state=0), OnlineClassifier(random_state=0)
    early.learn_one({"a": 1.0, "b": 2.0}, "x")
    late.learn_one({"b": 2.0}, "x")
    late.learn_one({"c": 2.0}, "x")
    late.learn_one({"a": 1.0}, "x")
    for one, other in zip(early._experts.all, late._experts.all, strict=True):
        first, second = one.in_use(2, 2).weights[0], other.in_use(3, 2).weights[0]
        assert one.kind.name == "linear" or np.ptp(first) > 0.3
        for name in "ab":
            weights = first[early._names.numbers[name]], second[late._names.numbers[name]]
            np.testing.assert_allclose(*weights, rtol=1e-12)


def test_growth_keeps_all_numbers():
    model = OnlineClassifier(random_state=0)
    for x, y in stream(100):
        model.learn_one(x, y)

    def numbers():
        for expert in model._experts.all:
            network = expert.in_use(*sizes)
            yield from (*network.weights, *network.biases)
            for moments in network._state.moments.values():
                yield from (array for arena in moments.arenas.values() for array in arena.arrays())

    sizes = model._sizes_in_use()
    x = {"x1": 2.0, "color": "red"}
    before = model.predict_proba_one(x)

    def grow():
        arrays = [array.copy() for array in numbers()]
        model._experts.grow(200, 50)
        assert all(map(np.array_equal, arrays, numbers()))
        assert model._experts.inputs.shape[0] == 200

    model._change(grow)
    assert model.predict_proba_one(x) == pytest.approx(before, rel=1e-12)


def test_many_features_cost_the_same_each():
    model = OnlineClassifier(random_state=0, replay=0, hidden_layer_sizes=(4,))
    sizes = set()
    for i in range(3000):
        model.learn_one({f"word {i}": 1.0}, i % 2)
        sizes.add(len(model._experts.inputs))
    assert model.n_features_ == 3000
    assert len(sizes) <= 10  # it doubles


def test_last_seen_features_are_kept():
    model = OnlineClassifier(random_state=0, max_features=16)
    for i in range(500):
        model.learn_one({f"word {i}": 1.0, "old" if i % 5 == 0 else "often": 1.0}, i % 2)
    names = model.feature_names_
    assert "often" in names
    assert f"word {499}" in names
    assert "word 3" not in names
    assert model.n_features_ <= 16


def test_buffers():
    rows = list(stream(400))
    found = {}
    for buffer in ("last", "sample", "both"):
        model = OnlineClassifier(random_state=0, replay=2, buffer=buffer, buffer_size=50)
        for x, y in rows:
            model.learn_one(x, y)
        kept = model._past.to_dict()
        assert len(kept["weights"]) == 50
        found[buffer] = bits(model, rows)
    assert found["last"] != found["sample"] != found["both"]


def test_memory_is_bounded():
    import tracemalloc

    model = OnlineClassifier(random_state=0, max_features=64)
    rng = np.random.default_rng(0)

    def learn(n, begin):
        for i in range(begin, begin + n):
            model.learn_one({f"word {i}": 1.0, "a": float(rng.normal())}, i % 2)

    learn(3000, 0)
    tracemalloc.start()
    learn(500, 3000)
    before = tracemalloc.get_traced_memory()[0]
    learn(3000, 3500)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 50_000
    assert len(pickle.dumps(model)) < 300_000


def test_predictions_change_nothing():
    rows = list(stream(150))
    model = OnlineClassifier(random_state=0)
    for x, y in rows[:100]:
        model.learn_one(x, y)
    before = pickle.dumps(model)
    for x, _ in rows:
        model.predict_one(x)
        model.predict_proba_one({**x, "unknown": 1.0, "color": "unknown"})
    model.predict_many({"x1": [1.0, 2.0], "unknown": [1.0, 2.0]})
    assert pickle.dumps(model) == before


def test_same_stream_gives_the_same_bits_and_seeds_differ():
    rows = list(stream(100))
    models = [OnlineClassifier(random_state=seed) for seed in (0, 0, 1, None, None)]
    for model in models:
        for x, y in rows:
            model.learn_one(x, y)
    found = [bits(model, rows) for model in models]
    assert found[0] == found[1]
    assert found[1] != found[2]
    assert found[3] != found[4]


def test_network_of_now():
    model = OnlineRegressor(random_state=0, replay=0)
    for i in range(300):
        model.learn_one({"a": i % 7, "b": i % 3}, i % 7)
    network = model.network_
    assert network.layer_sizes == (2, 64, 1)
    (mean, scale), x = model._experts.inputs[:2, [3, 4]].T, np.array([5.0, 1.0])
    scaled = (x - mean) * scale
    center, factor = model._experts.outputs[0, [3, 4]]
    found = network.forward(scaled)[0] / factor + center
    assert found == pytest.approx(model.predict_one({"a": 5, "b": 1}), rel=1e-12)
    assert OnlineRegressor().feature_names_ == []
    with pytest.raises(AttributeError, match="has learned nothing"):
        _ = OnlineRegressor().network_


class Detector:
    """Detects drift at certain rows, as river's detectors do."""

    def __init__(self, rows):
        self.rows, self.errors = rows, []

    def update(self, error):
        self.errors.append(error)

    @property
    def drift_detected(self):
        return len(self.errors) in self.rows


def test_detected_drift_empties_the_buffer():
    rows = list(stream(200))
    detector = Detector({100})
    model = OnlineClassifier(random_state=0, drift_detector=detector)
    for n, (x, y) in enumerate(rows, start=1):
        model.learn_one(x, y)
        assert len(model._past.to_dict()["weights"]) == (n if n < 100 else n - 100)
    assert set(detector.errors) == {0.0, 1.0}
    many = OnlineClassifier(random_state=0, drift_detector=Detector({100}), missing="mean")
    columns = {name: [x.get(name) for x, _ in rows] for name in rows[-1][0] | rows[0][0]}
    loop = OnlineClassifier(random_state=0, drift_detector=Detector({100}), missing="mean")
    for i, (_, y) in enumerate(rows):
        loop.learn_one({name: column[i] for name, column in columns.items()}, y)
    many.learn_many(columns, [y for _, y in rows])
    assert bits(many, rows) == bits(loop, rows)
    regression = OnlineRegressor(random_state=0, drift_detector=Detector(set()))
    regression.learn_one([1.0], {"u": 3.0, "v": -1.0})
    regression.learn_one([1.0], {"v": 3.0, "u": -1.0})
    assert regression.drift_detector.errors == [2.0, 4.0]
    with pytest.raises(TypeError, match="drift_detector must have update"):
        OnlineClassifier(drift_detector=3).learn_one([1.0], "x")


def test_wide_rows_of_the_past_have_room_in_a_copy():
    wide = {f"x{i}": float(i) for i in range(40)}
    model = OnlineClassifier(random_state=0)
    for i in range(100):
        model.learn_one({**wide, "x0": float(i % 3)}, i % 2)
    other = pickle.loads(pickle.dumps(model))
    for i in range(50):
        for one in (model, other):
            one.learn_one({"x0": float(i % 3)}, i % 2)
    assert model.predict_proba_one(wide) == other.predict_proba_one(wide)


@pytest.mark.parametrize("options", [{}, {"hashed_features": 64}])
@pytest.mark.parametrize("value", [1, True, "yes", 7.5])
def test_what_occurs_is_told_from_what_does_not(options, value):
    """Words as numbers that never change, as river's streams have them, or as texts."""
    words = ["spam", "ham", "eggs", "toast"]
    rng = np.random.default_rng(0)
    model = OnlineClassifier(random_state=0, **options)
    for _ in range(300):
        chosen = rng.choice(words, 2, replace=False).tolist()
        model.learn_one(dict.fromkeys(chosen, value), "spam" in chosen)
    assert model.predict_one({"spam": value, "eggs": value}) is True
    assert model.predict_one({"ham": value, "eggs": value}) is False


def test_a_name_that_takes_a_freed_column_starts_from_nothing():
    model = OnlineRegressor(random_state=0, max_features=16)
    for i in range(60):
        model.learn_one({f"word {i}": 1e6 + i, f"text {i % 40}": f"t{i}"}, i % 3)
    fresh = OnlineRegressor(random_state=0)
    fresh.learn_one({"word 59": 1e6 + 59, "text 19": "t59"}, 2.0)
    column = model._names.numbers["word 59"]
    own = model._experts.inputs[column], fresh._experts.inputs[fresh._names.numbers["word 59"]]
    assert own[0][:3].tolist() == own[1][:3].tolist()  # weight, mean, squares
    text = model._names.texts["text 19"]["t59"]
    assert model._experts.inputs[text, 5] == 59  # the row where it was last seen


def test_a_sample_is_one_of_all_rows():
    counts = np.zeros(400)
    for seed in range(60):
        model = OnlineRegressor(random_state=seed, replay=0, buffer="both", buffer_size=40)
        for i in range(400):
            model.learn_one([float(i)], 0.0)
        kept = model._past.to_dict()["values"].astype(int)
        assert kept[20:].min() == 380  # the last ones stand behind the sample
        counts[kept[:20]] += 1
    thirds = counts[:360].reshape(3, 120).sum(axis=1)
    assert thirds.min() > 0.8 * thirds.mean()
    assert counts[:20].sum() > 20


def test_losses_by_their_names():
    rng = np.random.default_rng(0)
    low = OnlineRegressor(random_state=0, loss="quantile", quantile=0.1)
    high = OnlineRegressor(random_state=0, loss="quantile", quantile=0.9)
    counts = OnlineRegressor(random_state=0, loss="poisson")
    for _ in range(4000):
        x = {"a": float(rng.normal())}
        y = float(rng.normal(1000 + 10 * x["a"], 5))
        low.learn_one(x, y)
        high.learn_one(x, y)
        counts.learn_one(x, float(rng.poisson(np.exp(3 + 0.5 * x["a"]))))
    for a in (-1.0, 0.0, 1.0):
        assert low.predict_one({"a": a}) == pytest.approx(1000 + 10 * a - 6.4, abs=3)
        assert high.predict_one({"a": a}) == pytest.approx(1000 + 10 * a + 6.4, abs=3)
        assert counts.predict_one({"a": a}) == pytest.approx(np.exp(3 + 0.5 * a), rel=0.2)


def test_new_texts_do_not_have_a_table_looked_at_again(monkeypatch):
    from fastbp.online.tables import StreamTable

    calls, set_columns = [], StreamTable.set_columns
    monkeypatch.setattr(
        StreamTable, "set_columns", lambda *args: calls.append(1) or set_columns(*args)
    )
    model = OnlineClassifier(random_state=0, hidden_layer_sizes=(4,))
    model.learn_many({"a": [f"text {i}" for i in range(500)]}, [i % 9 for i in range(500)])
    assert model.n_features_ == 500
    assert len(calls) == 1
