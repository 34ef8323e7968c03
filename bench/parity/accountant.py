#!/usr/bin/env python3
"""What dp-accounting says that the Poisson-subsampled Gaussian mechanism spends: by RDP and by PLD.

    cargo xtask parity

Prints a JSON line for each of 200 points: `sigma` (noise multiplier), `rate`, `steps`, `delta`, and epsilon as each
accountant has it, adding or removing one record. The first points are a table of known ones, the others are drawn by
chance, evenly in the logarithm, and kept where epsilon is between 0.01 and 50. Seeded: it prints the same every time.

`pld` is taken on grids of `interval` = 1e-4 and finer, halved until a halving changes epsilon by less than 2e-5: its error
falls with the square of the interval, and with 1e-4 alone is up to 3 % where one step spends far less than that.

`rdp_default` is what its RDP accountant says. At orders that are not whole it adds up the absolute values of a series
whose signs alternate, and leaves out orders where that does not converge: a bound, but up to 5.5 % above that of RDP.
`rdp` is its conversion of the bounds at the same orders, those that are not whole integrated here.
"""
import json
import math
import random

import numpy
from absl import logging
from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant
from dp_accounting.rdp import rdp_privacy_accountant

# It warns of every order that it leaves out.
logging.set_verbosity(logging.ERROR)
POINTS, LEAST, MOST = 200, 0.01, 50.0
KNOWN = [
    (1.0, 0.01, 1000, 1e-5),
    (1.1, 256 / 60000, 14063, 1e-5),
    (1.54, 1024 / 50000, 1464, 1e-5),
    (0.7, 0.02, 2000, 1e-6),
    (2.0, 0.1, 500, 1e-5),
    (4.0, 1.0, 100, 1e-5),
    (3.0, 0.2, 50, 1 / 48000),
]


def event(sigma, rate, steps):
    step = dp_event.GaussianDpEvent(sigma)
    step = step if rate == 1 else dp_event.PoissonSampledDpEvent(rate, step)
    return dp_event.SelfComposedDpEvent(step, steps)


def by_default_rdp(sigma, rate, steps, delta):
    accountant = rdp_privacy_accountant.RdpAccountant()
    return float(accountant.compose(event(sigma, rate, steps)).get_epsilon(delta))


def integrated(sigma, rate, order):
    """RDP of one step: the logarithm of E[(P/Q)^order] over order - 1."""
    x, width = numpy.linspace(-15 * sigma, order + 15 * sigma, 20001, retstep=True)
    loss = numpy.logaddexp(math.log1p(-rate), math.log(rate) + (2 * x - 1) / (2 * sigma**2))
    terms = order * loss - x**2 / (2 * sigma**2) + math.log(width / (sigma * math.sqrt(2 * math.pi)))
    return float(numpy.logaddexp.reduce(terms)) / (order - 1)


def by_rdp(sigma, rate, steps, delta):
    orders = rdp_privacy_accountant.DEFAULT_RDP_ORDERS
    whole = [order for order in orders if rate == 1 or float(order).is_integer()]
    accountant = rdp_privacy_accountant.RdpAccountant(whole).compose(event(sigma, rate, steps))
    bounds = dict(zip(whole, map(float, accountant.rdp)))
    bounds |= {o: steps * integrated(sigma, rate, o) for o in orders if o not in bounds}
    return float(rdp_privacy_accountant.compute_epsilon(orders, [bounds[o] for o in orders], delta)[0])


def by_pld(sigma, rate, steps, delta, interval):
    accountant = pld_privacy_accountant.PLDAccountant(value_discretization_interval=interval)
    return float(accountant.compose(event(sigma, rate, steps)).get_epsilon(delta))


def settled(point):
    """Epsilon by PLD on a grid that is fine enough, and the interval of that grid."""
    interval = 1e-4
    coarse = by_pld(*point, interval)
    while True:
        interval /= 2
        fine = by_pld(*point, interval)
        if coarse - fine < 2e-5:
            return fine, interval
        coarse = fine


def drawn(chance):
    """A point, each number of three digits."""
    ends = [(0.5, 10.0), (0.001, 1.5), (1, 20000), (1e-8, 1e-4)]
    sigma, rate, steps, delta = (
        float(f"{math.exp(chance.uniform(math.log(low), math.log(high))):.2e}") for low, high in ends
    )
    return sigma, min(rate, 1.0), int(steps), delta


def main():
    chance = random.Random(20261205)
    known, printed = list(KNOWN), 0
    while printed < POINTS:
        point = known.pop(0) if known else drawn(chance)
        default = by_default_rdp(*point)
        # RDP is above PLD; what is far out of the range needs no PLD.
        if not LEAST <= default <= 1.5 * MOST:
            continue
        pld, interval = settled(point)
        if not LEAST <= pld <= MOST:
            continue
        names = dict(zip(("sigma", "rate", "steps", "delta"), point))
        found = {"pld": pld, "interval": interval, "rdp": by_rdp(*point), "rdp_default": default}
        print(json.dumps({**names, **found}))
        printed += 1


main()
