"""The perfect shower: two valves, one flow that is just right, and no formula of the pipes.

The main valve sets the flow into the house, the handle what of it reaches the shower. Nobody tells
the tuner how: it turns a valve, sees what changes, and chains these sensitivities backwards.
"""

import math

from fastbp.measured import ChainTuner, Knob, Stage


def plumbing(pressure):
    """The valves of a house on a water main of this pressure."""

    def house_flow(main_valve):
        return math.sqrt(pressure) * (1 - math.exp(-main_valve / 4))

    def shower_flow(house_flow, handle):
        return house_flow * (handle / 10) ** 1.5

    return [
        Stage("house_flow", house_flow, Knob("main_valve", low=1, high=10, start=4)),
        Stage("shower_flow", shower_flow, Knob("handle", low=1, high=10, start=4)),
    ]


print("In as few moves as possible:\n")
tuner = ChainTuner(plumbing(pressure=60), target=3.0, learning_rate="auto", verbose=True)
print("\n", tuner.tune(), sep="")
print("\nd shower_flow / d main_valve =", round(tuner.sensitivity("shower_flow", "main_valve"), 3))

print("\nIn baby steps, a thousandth of the gradient each:\n")
print(ChainTuner(plumbing(pressure=60), target=3.0, learning_rate=1e-3).tune().message)

print("\nOn a day of low pressure:\n")
print(ChainTuner(plumbing(pressure=4), target=3.0, learning_rate="auto").tune().message)

print("\nValves turned by hand, a quarter turn at a time (here by the loop):\n")
main_valve, handle = plumbing(pressure=60)
by_hand = ChainTuner(plumbing(pressure=60), target=3.0, learning_rate="auto", tol=0.05)
while not by_hand.done:
    turned = {valve: round(4 * turns) / 4 for valve, turns in by_hand.ask().items()}
    x = main_valve.run(turned["main_valve"])
    y = handle.run(x, turned["handle"])
    print(by_hand.tell({"house_flow": x, "shower_flow": y}, settings=turned))
