"""The shower and other systems, tuned to their end: hand-worked numbers, then behaviour."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp._printable import display_width
from fastbp.measured import ChainTuner, Evaluation, Knob, Stage, StageError, TuningResult

BOTH_LOSSES = ("absolute_error", "squared_error")
SOLVERS = ("sgd", "momentum", "adagrad")


def straight_shower(probe_main=1.0, probe_handle=4.0):
    """House flow 2 a turn; shower flow 1/4 a unit of it and 1/2 a turn. Begins at a flow of 3."""
    return [
        Stage("house_flow", lambda m: 2 * m, Knob("main_valve", 1, 10, 4, probe_main)),
        Stage(
            "shower_flow", lambda x, h: x / 4 + h / 2 - 1, Knob("handle", 1, 10, 4, probe_handle)
        ),
    ]


def shower(pressure=60.0, noise=0.0, dead_below=0.0, random_state=0):
    """Valves that saturate and a handle that is dead below some setting."""
    random = np.random.default_rng(random_state)

    def house_flow(main_valve):
        return np.sqrt(pressure) * (1 - np.exp(-main_valve / 4)) + noise * random.normal()

    def shower_flow(house_flow, handle):
        return house_flow * (max(handle, dead_below) / 10) ** 1.5 + noise * random.normal()

    return [
        Stage("house_flow", house_flow, Knob("main_valve", 1, 10, 4)),
        Stage("shower_flow", shower_flow, Knob("handle", 1, 10, 4)),
    ]


def street(n_houses):
    """One main valve, and a shower with a handle of its own in every house."""
    main = Knob("main_valve", 0, 10, 3)
    stages = [Stage("main", lambda m: 8 * (1 - np.exp(-m / 4)), main, upstream=())]
    for i, strength in enumerate(np.random.default_rng(0).uniform(0.5, 1, n_houses)):
        stages += [
            Stage(
                f"shower_{i}",
                lambda x, h, c=strength: c * x * (h / 10) ** 1.5,
                Knob(f"handle_{i}", 0, 10, 3),
                upstream="main",
            )
        ]
    return stages


def told(tuner, n):
    """Tell the tuner n observations; return its evaluations."""
    evaluations = []
    tuner.tune(n, evaluations.append)
    return evaluations


# ---- the numbers of the shower's story, worked by hand


def test_a_sensitivity_is_a_change_divided_by_a_change():
    handle = Stage("flow", lambda h: h / 2 + 1, Knob("handle", 1, 10, start=4, probe=4), noise=0)
    tuner = ChainTuner(handle, target=20)
    first, second = told(tuner, 2)
    assert (first.settings["handle"], second.settings["handle"]) == (4, 8)
    assert (first.values["flow"], second.values["flow"]) == (3, 5)
    assert tuner.sensitivity("flow", "handle") == (5 - 3) / (8 - 4) == 1 / 2


def test_sensitivities_are_chained_by_multiplying_them():
    tuner = ChainTuner(straight_shower(), target=20)
    told(tuner, 4)
    assert tuner.sensitivity("house_flow", "main_valve") == 2
    assert tuner.sensitivity("shower_flow", "house_flow") == 1 / 4
    assert tuner.sensitivity("shower_flow", "main_valve") == 2 * 1 / 4 == 1 / 2
    assert tuner.sensitivity("shower_flow", "handle") == 1 / 2
    assert tuner.sensitivity("house_flow", "handle") == 0


def test_sensitivities_are_kept_as_they_were_known_after_every_look():
    tuner = ChainTuner(straight_shower(), target=20)
    first, _, third, fourth, _ = told(tuner, 5)
    result = tuner.result()
    past = result.sensitivity_history
    house, shower = past["house_flow"]["main_valve"], past["shower_flow"]
    assert np.isnan([house[:2], shower["house_flow"][:2], shower["handle"][:2]]).all()
    assert third.settings["main_valve"] != first.settings["main_valve"]
    assert (house[2], shower["house_flow"][2], shower["handle"][3]) == (2, 1 / 4, 1 / 2)
    assert np.isnan(shower["handle"][2])
    assert fourth.purpose == "probe"
    for stage, inputs in result.sensitivities.items():
        assert {name: past[stage][name][-1] for name in inputs} == inputs


def test_two_moves_measure_both_valves_and_neither_moves_two_unknowns():
    evaluations = told(ChainTuner(straight_shower(), target=20), 5)
    assert [e.purpose for e in evaluations] == ["start", "repeat", "probe", "probe", "move"]
    turned = [(e.settings["main_valve"], e.settings["handle"]) for e in evaluations]
    assert turned[:4] == [(4, 4), (4, 4), (5, 4), (5, 8)]


@pytest.mark.parametrize(("loss", "dE_dy"), [("absolute_error", -1), ("squared_error", 5.5 - 20)])
def test_every_knob_moves_by_minus_eta_dE_dy_dy_dknob(loss, dE_dy):
    evaluations = told(ChainTuner(straight_shower(), 20, loss, learning_rate=1e-3), 5)
    before, after = evaluations[-2:]
    assert before.values["shower_flow"] == 5.5
    for knob, dy_dknob in (("main_valve", 1 / 4 * 2), ("handle", 1 / 2)):
        move = after.settings[knob] - before.settings[knob]
        assert move == pytest.approx(-1e-3 * dE_dy * dy_dknob, rel=1e-12)


def test_errors_are_those_of_the_losses():
    for loss, error in (("absolute_error", 17), ("squared_error", 17**2 / 2)):
        (first,) = told(ChainTuner(straight_shower(), 20, loss), 1)
        assert first.error == error


def test_momentum_adds_a_share_of_the_last_move():
    tuner = ChainTuner(straight_shower(), 20, solver="momentum", momentum=0.8)
    handle = [e.settings["handle"] for e in told(tuner, 7)[3:]]
    eta_g = 1e-3 / 2
    assert np.diff(handle) == pytest.approx([eta_g, 1.8 * eta_g, (1 + 0.8 * 1.8) * eta_g])


def test_adagrad_divides_by_the_root_of_all_squares():
    tuner = ChainTuner(straight_shower(), 20, solver="adagrad", learning_rate=0.1)
    handle = [e.settings["handle"] for e in told(tuner, 6)[3:]]
    assert np.diff(handle) == pytest.approx([0.1, 0.1 / np.sqrt(2)])


def test_a_move_ends_where_the_target_should_be():
    result = ChainTuner(straight_shower(), target=7, learning_rate=1e6, max_move=1).tune()
    assert result.n_evaluations == 5
    assert result.values["shower_flow"] == pytest.approx(7, abs=1e-12)
    moved = {name: result.history[name][-1] - result.history[name][-2] for name in result.settings}
    assert moved["main_valve"] == pytest.approx(1.5)  # 7 - 5.5 = 1/2 dm + 1/2 dh, dm = dh


def test_a_knob_twice_as_effective_moves_twice_as_far():
    stages = [
        Stage("a", lambda m: m, Knob("m", 0, 100, 50), noise=0),
        Stage("b", lambda x, h: x + 2 * h, Knob("h", 0, 100, 20), noise=0),
    ]
    last = told(ChainTuner(stages, 150, learning_rate="auto"), 4)[-2:]
    moves = {name: last[1].settings[name] - last[0].settings[name] for name in ("m", "h")}
    assert moves["h"] == pytest.approx(2 * moves["m"])


# ---- to the end


@pytest.mark.parametrize("loss", BOTH_LOSSES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_shower_gets_right_in_a_few_looks(loss, solver):
    result = ChainTuner(shower(), 3.0, loss, "auto", solver).tune()
    assert result.success
    assert result.status == "reached"
    assert result.n_evaluations <= 8
    assert abs(result.values["shower_flow"] - 3) <= result.tol["shower_flow"] == 0.003


@pytest.mark.parametrize("loss", BOTH_LOSSES)
def test_baby_steps_get_there_as_well(loss):
    result = ChainTuner(shower(), 3.0, loss, learning_rate=0.01).tune()
    assert result.success
    assert 100 < result.n_evaluations < 3000


@pytest.mark.parametrize("solver", SOLVERS)
def test_too_little_pressure_ends_at_the_best_and_says_so(solver):
    result = ChainTuner(shower(pressure=4.0), 3.0, learning_rate="auto", solver=solver).tune()
    assert result.status == "out_of_reach"
    assert not result.success
    assert result.settings == {"main_valve": 10, "handle": 10}
    assert result.values["shower_flow"] == max(result.history["shower_flow"])
    assert "shower_flow is 1.83583 at its closest, 3 is wanted" in result.message
    assert "main_valve at 10, handle at 10" in result.message
    assert result.n_evaluations < 20


@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
@pytest.mark.parametrize("random_state", range(10))
def test_noise_is_survived_and_measured(learning_rate, random_state):
    stages = shower(noise=0.02, random_state=random_state)
    result = ChainTuner(stages, 3.0, learning_rate=learning_rate, tol=0.03).tune(2000)
    assert result.success
    assert 0.002 < result.noise["shower_flow"] < 0.1
    still = shower()
    x = still[0].run(result.settings["main_valve"])
    assert still[1].run(x, result.settings["handle"]) == pytest.approx(3, abs=0.15)


def test_a_tolerance_below_the_noise_ends_and_names_the_noise():
    stages = shower(noise=0.3)
    result = ChainTuner(stages, 3.0, learning_rate="auto", tol=1e-9).tune(5000)
    assert result.status == "stalled"
    assert "noise" in result.message
    assert result.error < 0.3


@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize("target", [2.5, 3.0, 5.0])
def test_a_dead_zone_is_crossed(learning_rate, target):
    result = ChainTuner(shower(dead_below=6), target, learning_rate=learning_rate).tune()
    assert result.success


@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_a_dead_zone_in_the_middle_of_the_way_is_crossed(learning_rate):
    def flow(h):
        return min(h, 4.0) + max(h - 7.0, 0.0)  # nothing happens from 4 to 7

    stage = Stage("flow", flow, Knob("handle", 0, 10, start=2))
    result = ChainTuner(stage, 6.0, learning_rate=learning_rate).tune()
    assert result.success
    assert result.settings["handle"] == pytest.approx(9, abs=0.01)


def test_a_knob_that_does_not_answer_is_probed_twice_as_far_up_to_both_bounds():
    stage = Stage("flow", lambda h: min(h, 2.0), Knob("handle", 0, 10, start=4, probe=1), noise=0)
    probes = [e.settings["handle"] for e in told(ChainTuner(stage, 1.0), 6)[1:]]
    assert probes == [5, 6, 8, 10, 0]


@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_a_stage_that_saturates_below_the_target_ends(learning_rate):
    stage = Stage("flow", lambda h: min(h, 5.0), Knob("handle", 0, 10, start=2))
    result = ChainTuner(stage, 7.0, learning_rate=learning_rate).tune()
    assert result.status == "out_of_reach"
    assert result.values["flow"] == 5


def test_what_one_saturated_stage_cannot_give_another_does():
    stages = [
        Stage("house_flow", lambda m: min(2 * m, 9.0), Knob("main_valve", 1, 10, 4)),
        Stage("shower_flow", lambda x, h: x * h / 10, Knob("handle", 1, 10, 4)),
    ]
    assert ChainTuner(stages, 8.5, learning_rate="auto").tune().success


def test_a_stage_that_turns_round_is_followed_to_the_side_that_helps():
    stage = Stage("y", lambda k: -((k - 6) ** 2), Knob("k", 0, 10, start=9.5))
    result = ChainTuner(stage, -1.0, learning_rate="auto").tune()
    assert result.success


def test_a_look_at_old_sensitivities_is_not_believed_at_a_bound():
    # the slope that leads to the bound turns round before it
    stage = Stage("y", lambda k: k if k < 5 else 10 - k, Knob("k", 0, 10, start=1))
    result = ChainTuner(stage, 4.5, learning_rate="auto", max_move=1).tune()
    assert result.success


def test_a_sensor_in_steps_is_no_reason_for_fallback():
    stages = [
        Stage("house_flow", lambda m: round(2 * m, 1), Knob("main_valve", 1, 10, 4)),
        Stage("shower_flow", lambda x, h: round(x * h / 10, 1), Knob("handle", 1, 10, 4)),
    ]
    for learning_rate in ("auto", 1e-3):
        assert ChainTuner(stages, 5.3, learning_rate=learning_rate, tol=0.05).tune().success


def test_a_knob_that_is_ignored_is_put_back_and_the_others_do_the_work():
    stages = [
        Stage("x", lambda a, broken: 2 * a, [Knob("a", 0, 10, 4), Knob("broken", 0, 10, 3)]),
        Stage("y", lambda x, h: x + h, Knob("h", 0, 10, 4)),
    ]
    result = ChainTuner(stages, 20.0, learning_rate="auto").tune()
    assert result.success
    assert result.settings["broken"] == 3
    assert result.sensitivities["x"] == {"a": pytest.approx(2), "broken": 0}


def test_knobs_that_are_all_ignored_end_it():
    stages = [Stage("x", lambda m: 2 * m, Knob("m", 0, 10)), Stage("y", lambda x: 5.0)]
    result = ChainTuner(stages, 20.0).tune()
    assert result.status == "no_answer"
    assert result.message == "No knob was seen to change y."
    assert result.n_evaluations < 12


def test_a_target_met_at_the_start_needs_one_look():
    result = ChainTuner(straight_shower(), 3.0).tune()
    assert (result.status, result.n_evaluations) == ("reached", 1)


def test_a_target_of_zero_is_reached_to_a_thousandth_of_the_way():
    result = ChainTuner(
        Stage("y", lambda k: k**3, Knob("k", -5, 5, 4)), 0.0, "absolute_error", "auto"
    )
    assert result.tune().success


@settings(deadline=None, max_examples=60)
@given(
    slopes=st.lists(st.floats(0.1, 5) | st.floats(-5, -0.1), min_size=1, max_size=6),
    shares=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    starts=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    loss=st.sampled_from(BOTH_LOSSES),
    solver=st.sampled_from(SOLVERS),
)
def test_chains_of_straight_stages_reach_whatever_some_settings_give(
    slopes, shares, starts, loss, solver
):
    stages = [
        Stage(f"s{i}", lambda *v, s=s: s * sum(v), Knob(f"k{i}", -2, 3, -2 + 5 * starts[i]))
        for i, s in enumerate(slopes)
    ]
    value = 0.0
    for slope, share in zip(slopes, shares, strict=False):
        value = slope * (value + (-2 + 5 * share))
    result = ChainTuner(stages, value, loss, "auto", solver, tol=1e-3).tune(500)
    assert result.success, str(result)
    for name, setting in result.settings.items():
        low, high = result.bounds[name]
        assert low <= setting <= high


@settings(deadline=None, max_examples=40)
@given(
    pressure=st.floats(1, 100),
    target=st.floats(0.1, 12),
    start=st.tuples(st.floats(1, 10), st.floats(1, 10)),
)
def test_a_shower_ends_rightly_whatever_its_pressure(pressure, target, start):
    stages = [
        Stage(s.name, s.run, Knob(s.knobs[0].name, 1, 10, x))
        for s, x in zip(shower(pressure), start, strict=True)
    ]
    flow = [np.sqrt(pressure) * (1 - np.exp(-k / 4)) * (k / 10) ** 1.5 for k in (1, 10)]
    result = ChainTuner(stages, target, learning_rate="auto").tune(1000)
    within = flow[0] <= target <= flow[1]
    close = min(abs(target - x) for x in flow) <= 2 * result.tol["shower_flow"]
    assert result.status == ("reached" if within else "out_of_reach") or close


@settings(deadline=None, max_examples=150)
@given(
    values=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=12),
    low=st.floats(-1e150, 1e150),
    width=st.sampled_from([1e-8, 1.0, 1e9]),
    target=st.floats(-1e300, 1e300),
    learning_rate=st.sampled_from(["auto", 1e-300, 1e-3, 1e300]),
    loss=st.sampled_from(BOTH_LOSSES),
    solver=st.sampled_from(SOLVERS),
)
def test_whatever_stages_return_the_knobs_stay_within_bounds(
    values, low, width, target, learning_rate, loss, solver
):
    """Values without rhyme or reason, of any size: no warning, no NaN, no setting out of bounds."""
    answers = itertools.cycle(values)
    knobs = [Knob(f"k{i}", low, low + width * max(1.0, abs(low))) for i in range(3)]
    stages = [
        Stage("a", lambda *v: next(answers), knobs[:2]),
        Stage("b", lambda *v: next(answers), knobs[2]),
    ]
    tuner = ChainTuner(stages, target, loss, learning_rate, solver)
    while not tuner.done and len(tuner._nodes) < 60:
        for knob in knobs:
            assert knob.low <= tuner.ask()[knob.name] <= knob.high
        tuner.tune(1)
    assert str(tuner.result())


# ---- trees


def test_two_moves_measure_a_hundred_houses():
    evaluations = told(ChainTuner(street(100), 1.0), 6)
    assert [e.purpose for e in evaluations[2:]] == ["probe", "probe", "move", "move"]


@pytest.mark.parametrize(("n_houses", "solver"), [(20, "sgd"), (300, "momentum"), (300, "adagrad")])
def test_hundreds_of_showers_on_one_pipe_get_right(n_houses, solver):
    result = ChainTuner(street(n_houses), 1.0, learning_rate="auto", solver=solver).tune(60)
    assert result.success
    assert len(result.target) == n_houses
    flows = np.array([result.values[name] for name in result.target])
    assert np.abs(flows - 1).max() <= 1e-3 * max(1, np.abs(flows - 1).max())


def test_each_leaf_can_have_its_own_target():
    targets = np.linspace(0.5, 1.5, 5)
    result = ChainTuner(street(5), targets, learning_rate="auto").tune(500)
    assert result.success
    assert [result.values[f"shower_{i}"] for i in range(5)] == pytest.approx(targets, rel=2e-3)


def test_one_shower_out_of_reach_does_not_spoil_the_others():
    targets = {"shower_0": 50.0, "shower_1": 1.0, "shower_2": 1.0}
    result = ChainTuner(street(3), targets, learning_rate="auto", solver="adagrad").tune(2000)
    assert result.status in ("out_of_reach", "stalled")
    assert result.settings["handle_0"] == 10
    assert "shower_0 is" in result.message
    assert result.values["shower_1"] == pytest.approx(1, abs=0.05)


def test_two_pipes_that_meet_give_flow_and_temperature():
    stages = [
        Stage("hot", lambda v: v, Knob("hot_valve", 0, 10, 2), upstream=()),
        Stage("cold", lambda v: 1.2 * v, Knob("cold_valve", 0, 10, 5), upstream=()),
        Stage("flow", lambda a, b: a + b, upstream=("hot", "cold")),
        Stage("temperature", lambda a, b: (60 * a + 10 * b) / (a + b), upstream=["hot", "cold"]),
    ]
    result = ChainTuner(stages, {"flow": 8, "temperature": 38}, learning_rate="auto").tune(500)
    assert result.success
    assert result.settings["hot_valve"] == pytest.approx(8 * 28 / 50, rel=5e-3)


def test_pipes_that_part_and_meet_again_are_no_reason_for_fallback():
    stages = [
        Stage("main", lambda m: 2 * m, Knob("valve", 0, 10, 3)),
        Stage("left", lambda x: x / 3, upstream="main"),
        Stage("right", lambda x, v: x * v / 10, Knob("tap", 0, 10, 3), upstream="main"),
        Stage("sink", lambda a, b: a + b, upstream=("left", "right")),
    ]
    result = ChainTuner(stages, 7.0, learning_rate="auto").tune(100)
    assert result.success


def test_the_order_in_which_stages_are_listed_does_not_matter():
    stages = street(4)
    one = ChainTuner(stages, 1.0, learning_rate="auto").tune()
    other = ChainTuner(stages[::-1], 1.0, learning_rate="auto").tune()
    assert one.settings == pytest.approx(other.settings)


# ---- asking and telling, looking on, and the result


def test_ask_and_tell_do_what_tune_does():
    stages = shower()
    tuned = ChainTuner(stages, 3.0, learning_rate="auto").tune()
    hardware = [Stage(stage.name, None, stage.knobs) for stage in stages]
    tuner = ChainTuner(hardware, 3.0, learning_rate="auto")
    while not tuner.done:
        valves = tuner.ask()
        assert tuner.ask() == valves
        x = stages[0].run(valves["main_valve"])
        evaluation = tuner.tell(
            {"shower_flow": stages[1].run(x, valves["handle"]), "house_flow": x}
        )
        assert isinstance(evaluation, Evaluation)
    assert tuner.result().settings == tuned.settings == tuner.ask()
    assert np.array_equal(tuner.result().history["error"], tuned.history["error"])


def test_a_valve_that_stands_elsewhere_than_asked_is_taken_as_it_stands():
    stages = straight_shower()
    tuner = ChainTuner(stages, 8.0, learning_rate="auto")
    while not tuner.done:
        valves = {name: round(4 * x) / 4 for name, x in tuner.ask().items()}  # quarter turns
        x = stages[0].run(valves["main_valve"])
        values = {"house_flow": x, "shower_flow": stages[1].run(x, valves["handle"])}
        tuner.tell(values, settings=valves)
    assert tuner.sensitivity("shower_flow", "main_valve") == pytest.approx(1 / 2)
    assert all((4 * x) % 1 == 0 for x in tuner.result().settings.values())


def test_a_callback_sees_every_evaluation_and_may_stop():
    seen = []

    def callback(evaluation):
        seen.append(evaluation.number)
        return evaluation.number == 5

    tuner = ChainTuner(shower(), 3.0)
    result = tuner.tune(callback=callback)
    assert seen == [1, 2, 3, 4, 5]
    assert (result.status, result.n_evaluations) == ("stopped", 5)
    assert tuner.tune(3).n_evaluations == 8


def test_tuning_in_parts_is_tuning_at_once():
    whole = ChainTuner(shower(), 3.0, learning_rate=0.01).tune()
    parts = ChainTuner(shower(), 3.0, learning_rate=0.01)
    for _ in itertools.count():
        result = parts.tune(50)
        if parts.done:
            break
        assert result.status == "max_evaluations"
    assert np.array_equal(whole.history["error"], result.history["error"])


def test_verbose_prints_round_evaluations_and_the_end(capsys):
    ChainTuner(shower(), 3.0, learning_rate=0.01, verbose=True).tune()
    lines = capsys.readouterr().out.splitlines()
    numbers = [int(line.split()[0]) for line in lines[:-2]]
    assert numbers == [*range(1, 11), *range(20, 101, 10), *range(200, numbers[-1] + 1, 100)]
    assert lines[0].startswith("     1 start   error 1.")
    assert lines[-1].startswith("Reached the target after")


def test_the_result_prints_knobs_stages_and_why():
    result = ChainTuner(straight_shower(), 7.0, learning_rate="auto").tune()
    assert str(result).splitlines() == [
        "Reached the target after 5 evaluations.",
        "",
        "  knob        setting  bounds",
        "  main_valve  6.5      1 to 10",
        "  handle      9.5      1 to 10",
        "",
        "  stage        observed  target  noise  sensitivity to",
        "  house_flow   13                       main_valve 2",
        "  shower_flow  7         7              house_flow 0.25, handle 0.5",
    ]


def test_names_are_printed_and_drawn_as_text(capsys):
    pytest.importorskip("matplotlib")
    handle, flow, other = "handle\x1b[2J", "flow\n", "\u202ewarm $a$"
    stages = [
        Stage(flow, lambda h: h, Knob(handle, low=0, high=10)),
        Stage(other, lambda _: 1.0, upstream=flow),
    ]
    result = ChainTuner(stages, target=7.0, verbose=True).tune(max_evaluations=40)
    for text in (str(result), capsys.readouterr().out):
        assert all(line.isprintable() for line in text.split("\n"))
        assert {r"handle\x1b[2J", r"flow\n", r"\u202ewarm"} <= set(text.split())
    assert r"handle\\x1b[2J" in result.to_html()  # a backslash in JSON is two
    figure = result.plot()[0].figure
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == [r"\u202ewarm \$a\$"]


def test_columns_of_a_result_are_aligned_whatever_the_width_of_names():
    stages = [
        Stage("\u6d41\u91cf", lambda h: h, Knob("\u30d0\u30eb\u30d6", low=0, high=10)),
        Stage("long name of a stage", lambda x: x + 1),
    ]
    lines = str(ChainTuner(stages, target=7.0).tune()).split("\n")
    head = next(line for line in lines if line.lstrip().startswith("stage"))
    rows = lines[lines.index(head) + 1 :]
    assert len(rows) == 2
    for line in rows:
        name = line.lstrip().split("  ")[0]
        value = line.index(line[line.index(name) + len(name) :].lstrip())
        assert display_width(line[:value]) == head.index("observed")


def test_a_stage_that_fails_names_its_inputs_as_text():
    stage = Stage("y", lambda k: 1 / 0, Knob("k\x1b[2J", low=0, high=1))
    with pytest.raises(StageError) as error:
        ChainTuner(stage, target=1.0).tune()
    assert r" at k\x1b[2J = 0.5" in str(error.value)


def test_the_result_of_a_large_tree_prints_its_first_rows():
    lines = str(ChainTuner(street(50), 1.0, learning_rate="auto").tune()).splitlines()
    assert lines.count("  ... and 39 more") == 2
    assert len(lines) < 35


def test_history_becomes_a_data_frame():
    result = ChainTuner(shower(), 3.0, learning_rate="auto").tune()
    frame = result.to_frame()
    assert list(frame.columns) == [
        "purpose", "error", "main_valve", "handle", "house_flow", "shower_flow",
    ]  # fmt: skip
    assert list(frame.index) == list(range(1, result.n_evaluations + 1))
    assert frame["error"].iloc[-1] == result.error == frame["error"].min()


def test_history_is_drawn():
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    result = ChainTuner(shower(), 3.0, learning_rate="auto").tune()
    above, middle, below = result.plot()
    assert np.array_equal(above.lines[0].get_ydata(), result.history["shower_flow"])
    assert [line.get_label() for line in middle.lines] == ["main_valve", "handle"]
    assert np.array_equal(below.lines[0].get_ydata(), result.history["error"])
    _, given_axes = plt.subplots(3)
    assert list(result.plot(given_axes)) == list(given_axes)
    plt.close("all")


def test_a_result_can_be_had_at_any_time():
    tuner = ChainTuner(shower(), 3.0)
    tuner.tell({"house_flow": 1.0, "shower_flow": 2.0})
    result = tuner.result()
    assert isinstance(result, TuningResult)
    assert (result.status, result.message) == ("running", "Not finished after 1 evaluation.")
