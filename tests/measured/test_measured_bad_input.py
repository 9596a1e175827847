"""Systems that are not what they should be: a clear error, or a clear end."""

import itertools
import math

import numpy as np
import pytest

from fastbp.measured import ChainTuner, Knob, Stage, StageError


def flow(run=lambda h: h, **named):
    return Stage("flow", run, Knob("handle", 0, 10, 4), **named)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("k", 10, 1), ValueError, r"knob 'k': low must be below high; got 10 and 1 \(are they"),
        (("k", 1, 1), ValueError, "low must be below high; got 1 and 1"),
        (("k", 0, math.inf), ValueError, "knob 'k': high must be finite"),
        (("k", math.nan, 1), ValueError, "knob 'k': low must be finite"),
        (("k", -1e308, 1e308), ValueError, "high - low must be finite"),
        (("k", 0, "10"), TypeError, "knob 'k': high must be a number"),
        (("k", 0, 10, 11), ValueError, "knob 'k': start must be from 0 to 10; got 11"),
        (("k", 0, 10, math.nan), ValueError, "start must be finite"),
        (("k", 0, 10, 5, 0), ValueError, "knob 'k': probe must be greater than 0"),
        (("k", 0, 10, 5, 11), ValueError, "knob 'k': probe must be at most high - low"),
        (("", 0, 10), TypeError, "name of a knob must be a text"),
        ((3, 0, 10), TypeError, "name of a knob must be a text"),
    ],
)
def test_knobs_that_cannot_be_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Knob(*arguments)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"name": None}, "name of a stage must be a text"),
        ({"run": 3}, "stage 'y': run must be callable or None; got 3"),
        ({"knobs": "valve"}, "stage 'y': knobs must be Knob or several; got 'v'"),
        ({"knobs": 3}, "stage 'y': knobs must be Knob or several; got 3"),
        ({"upstream": 3}, "stage 'y': upstream must be str or several; got 3"),
        ({"noise": "low"}, "stage 'y': noise must be a number"),
    ],
)
def test_stages_that_cannot_be_are_refused(named, message):
    with pytest.raises(TypeError, match=message):
        Stage(**{"name": "y", "run": abs, **named})


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match="stage 'y': noise must be at least 0"):
        Stage("y", abs, noise=-1)


def test_circles_are_refused_and_named():
    stages = [
        Stage("a", max, Knob("k", 0, 1), upstream="c"),
        Stage("b", abs, upstream="a"),
        Stage("c", abs, upstream="b"),
        Stage("d", abs, upstream="c"),
    ]
    with pytest.raises(ValueError, match=r"in a circle: . -> . -> . -> .") as error:
        ChainTuner(stages, 1.0)
    way = str(error.value).split(": ")[1].split(" -> ")
    assert way[0] == way[-1]
    assert {*itertools.pairwise(way)} == {("a", "b"), ("b", "c"), ("c", "a")}


def test_a_stage_that_feeds_itself_is_a_circle():
    with pytest.raises(ValueError, match="circle: flow -> flow"):
        ChainTuner(flow(upstream="flow"), 1.0)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "stages must hold at least one Stage"),
        ([flow(), flow()], "names of stages and knobs must differ; 'flow' is used twice"),
        (
            [flow(), Stage("y", max, Knob("handle", 0, 1))],
            "names of stages and knobs must differ; 'handle' is used twice",
        ),
        ([flow(), Stage("handle", abs)], "'handle' is used twice"),
        ([flow(upstream="well")], "stage 'flow' is fed by 'well', but there is no such stage"),
        ([flow(), Stage("y", max, upstream=("flow", "flow"))], "same stage upstream twice"),
        ([Stage("y", lambda: 1.0)], "no stage has a knob: there is nothing to turn"),
    ],
)
def test_stages_that_make_no_tree_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        ChainTuner(stages, 1.0)


def test_functions_in_place_of_stages_are_refused():
    with pytest.raises(TypeError, match="stages must hold objects of Stage; got"):
        ChainTuner([abs], 1.0)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (math.nan, ValueError, "target of 'flow' must be finite"),
        ("5", TypeError, "target of 'flow' must be a number"),
        (None, TypeError, "target of 'flow' must be a number"),
        (
            [1.0, 2.0],
            ValueError,
            r"target has shape \(2,\), but .* each stage that feeds no other: flow",
        ),
        ([[1.0]], ValueError, r"target has shape \(1, 1\)"),
        ({"flwo": 1.0}, ValueError, "target names 'flwo', but there is no such stage"),
        ({"handle": 1.0}, ValueError, "target names 'handle', but there is no such stage"),
        ({}, ValueError, "target must name at least one stage"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, error, message):
    with pytest.raises(error, match=message):
        ChainTuner(flow(), target)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"loss": "huber"}, "loss must be one of absolute_error, squared_error"),
        ({"solver": "adam"}, "solver must be one of sgd, momentum, adagrad"),
        ({"learning_rate": 0}, "learning_rate must be greater than 0"),
        ({"learning_rate": math.inf}, "learning_rate must be greater than 0"),
        ({"learning_rate": "adaptive"}, "learning_rate, if not a number, must be one of auto"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"tol": 0}, "tol must be greater than 0"),
        ({"max_move": -1}, "max_move must be greater than 0"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_parameters_that_cannot_be_are_refused(named, message):
    with pytest.raises(ValueError, match=message):
        ChainTuner(flow(), 5.0, **named)


def test_a_stage_that_raises_ends_tuning_with_where_and_why_and_can_be_tried_again():
    broken = True

    def run(h):
        if broken and h > 4:
            raise OSError("valve stuck")
        return h

    tuner = ChainTuner(flow(run), 8.0, learning_rate="auto")
    with pytest.raises(StageError, match="stage 'flow' failed at handle = 5: OSError: valve") as e:
        tuner.tune()
    assert isinstance(e.value.__cause__, OSError)
    assert tuner.result().n_evaluations == 2
    broken = False
    assert tuner.tune().success


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "the value of stage 'flow' must be one finite number; got nan, returned at"),
        (-math.inf, "must be one finite number; got -inf, returned at handle = 4"),
        (None, "must be one finite number; got None"),
        ("3", "must be one finite number; got '3'"),
        (True, "must be one finite number; got True"),
        (1j, "must be one finite number; got 1j"),
        ([1.0, 2.0], r"must be one finite number; got an array of shape \(2,\)"),
        ([[1.0], [1.0, 2.0]], "must be one finite number; got"),
        (np.array([1.0]), r"got an array of shape \(1,\)"),
    ],
)
def test_a_stage_that_returns_no_number_ends_tuning(value, message):
    with pytest.raises(StageError, match=message):
        ChainTuner(flow(lambda h: value), 5.0).tune()


def test_values_of_numpy_are_numbers():
    assert ChainTuner(flow(lambda h: np.float32(h)), 5.0, learning_rate="auto").tune().success
    assert ChainTuner(flow(lambda h: np.array(h)), 5.0, learning_rate="auto").tune().success


def test_a_stage_called_with_the_wrong_number_of_inputs_says_so():
    with pytest.raises(StageError, match=r"failed at flow = 4: TypeError: .*missing 1 required"):
        ChainTuner([flow(), Stage("y", lambda a, b: a)], 5.0).tune()


def test_a_stage_without_run_is_for_telling():
    with pytest.raises(StageError, match=r"stage 'flow' has no run: drive it with ask\(\) and"):
        ChainTuner(flow(None), 5.0).tune()


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, ValueError, "one value for every stage; missing: 'flow'"),
        ({"flow": 1.0, "heat": 2.0}, ValueError, "one value for every stage; not a stage: 'heat'"),
        (
            {"flow": math.nan},
            ValueError,
            "value of stage 'flow' must be one finite number; got nan",
        ),
        ({"flow": [1.0]}, ValueError, r"got an array of shape \(1,\)"),
        (3.0, TypeError, "values must map the name of every stage to its value; got 3.0"),
    ],
)
def test_what_is_told_must_fit_and_changes_nothing_if_not(values, error, message):
    tuner = ChainTuner(flow(None), 5.0)
    tuner.tell({"flow": 4.0})
    asked = tuner.ask()
    with pytest.raises(error, match=message):
        tuner.tell(values)
    assert tuner.ask() == asked
    assert tuner.result().n_evaluations == 1


@pytest.mark.parametrize("settings", [{}, {"valve": 1.0}, 3.0, {"handle": math.nan}])
def test_settings_that_are_told_must_fit(settings):
    with pytest.raises(ValueError, match="settings"):
        ChainTuner(flow(None), 5.0).tell({"flow": 4.0}, settings)


def test_nothing_can_be_told_after_the_end():
    tuner = ChainTuner(flow(None), 5.0)
    tuner.tell({"flow": 5.0})
    with pytest.raises(
        RuntimeError, match="tuning is done, it takes no more observations: Reached"
    ):
        tuner.tell({"flow": 5.0})


def test_there_is_no_result_before_the_first_look():
    with pytest.raises(RuntimeError, match="nothing has been observed yet"):
        ChainTuner(flow(), 5.0).result()


@pytest.mark.parametrize(
    ("of", "to", "message"),
    [
        ("flwo", "handle", "there is no stage or knob 'flwo'"),
        ("flow", "hnadle", "there is no stage or knob 'hnadle'"),
        ("handle", "flow", "'handle' is a knob: it depends on nothing"),
    ],
)
def test_sensitivities_are_asked_for_by_names_that_exist(of, to, message):
    with pytest.raises(ValueError, match=message):
        ChainTuner(flow(), 5.0).sensitivity(of, to)


def test_what_tune_is_given_must_fit():
    with pytest.raises(ValueError, match="max_evaluations must be at least 1"):
        ChainTuner(flow(), 5.0).tune(0)
    with pytest.raises(TypeError, match="callback must be callable or None"):
        ChainTuner(flow(), 5.0).tune(callback=3)
