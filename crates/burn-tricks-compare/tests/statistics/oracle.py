"""Writes oracle.json, with which tests/statistics/main.rs compares: python oracle.py > oracle.json

Made with SciPy 1.17, statsmodels 0.15 and rliable 1.2."""
import itertools
import json

import numpy as np
from rliable import metrics
from scipy import stats
from statsmodels.stats.multitest import multipletests

MARGIN = 0.005


def flips(values, alternative):
    """The share of all choices of signs, by SciPy up to 16 values, by a table of sums above."""
    values = np.asarray(values)
    if len(values) <= 16:
        return stats.permutation_test(
            (values,), np.sum, permutation_type="samples", alternative=alternative, n_resamples=np.inf
        ).pvalue
    # Integers of a common unit: the exact distribution of their signed sum.
    unit = 1e-7
    whole = np.round(values / unit).astype(np.int64)
    sums = {0: 1}
    for value in whole:
        following = {}
        for total, count in sums.items():
            for signed in (total + value, total - value):
                following[signed] = following.get(signed, 0) + count
        sums = following
    observed = int(whole.sum())
    slack = len(values)
    reach = (lambda s: abs(s) >= abs(observed) - slack) if alternative == "two-sided" else (lambda s: s >= observed - slack)
    return sum(count for total, count in sums.items() if reach(total)) / 2 ** len(values)


def paired(name, d):
    d = np.asarray(d, dtype=float)
    n, mean, sd = len(d), d.mean(), d.std(ddof=1)
    floored = max(sd, MARGIN / 4)
    t = mean * np.sqrt(n) / floored
    t_p = 2 * stats.t.sf(abs(t), n - 1) if mean != 0 else 1.0
    if sd > MARGIN / 4:
        assert np.isclose(t_p, stats.ttest_1samp(d, 0).pvalue)
    both = flips(d, "two-sided")
    above, below = flips(MARGIN + d, "greater"), flips(MARGIN - d, "greater")
    sides = [stats.t.sf((MARGIN + s * mean) * np.sqrt(n) / floored, n - 1) for s in (1, -1)]
    middle = stats.trim_mean(d, 0.25)
    assert np.isclose(middle, metrics.aggregate_iqm(d[:, None]))
    low, high = stats.t.interval(0.95, n - 1, mean, sd / np.sqrt(n)) if sd > 0 else (mean, mean)
    return dict(
        name=name, differences=d.tolist(), margin=MARGIN, mean=mean, sd=sd, floored_sd=floored, t=t, t_p=t_p,
        sign_flip_p=both, difference_p=max(t_p, both) if mean != 0 else 1.0,
        flips_above_minus_margin=above, flips_below_margin=below, equivalence_p=max(above, below, *sides),
        low=low, high=high, interquartile_mean=middle,
        probability_of_improvement=((d > 0).sum() + (d == 0).sum() / 2) / n,
    )


random = np.random.default_rng(7)
cases = {
    "A": np.array([7, 2, 9, -1, 7, 6, 4, 7]) / 1000,
    "B": np.array([2, 2, 6, 5, 9, 5, 1, 2, 7, 2, 3, 7, 5, 1]) / 357,
    "C": np.array([0, 2, 0, -1, 1, 0, 0, 0, 1, 0, -1, 2, 0, -3]) / 357,
    "D": np.array([0, 1, 3, 2, 1, 2, 0, -1, 4, -1, 3, 4, -3, -1]) / 357,
    "a constant": np.full(14, 3 / 357),
    "a jump": np.array([0] * 13 + [5]) / 357,
    "nearly nothing": np.array([1] + [0] * 12 + [-1]) / 357,
    "normal, 12": np.round(random.normal(0.002, 0.004, 12), 6),
    "normal, 16": np.round(random.normal(0.0, 0.002, 16), 6),
    "skewed, 15": np.round(random.exponential(0.003, 15) - 0.003, 6),
    "heavy tails, 13": np.round(random.standard_t(2, 13) * 0.003, 6),
    "units, 24": random.integers(-3, 5, 24) * 0.001,
    "units, 40": random.integers(-3, 5, 40) * 0.001,
}
bootstrapped = [("mean", np.mean), ("interquartile_mean", lambda x, axis=-1: stats.trim_mean(x, 0.25, axis=axis))]
values = np.array([2, 2, 6, 5, 9, 5, 1, 2, 7, 2, 3, 7, 5, 1], dtype=float)


def bootstrap(name, statistic):
    result = stats.bootstrap((values,), statistic, method="percentile", n_resamples=50_000, random_state=1, batch=1000)
    interval = result.confidence_interval
    return dict(statistic=name, values=values.tolist(), low=float(interval.low), high=float(interval.high))


p_values = [[0.01, 0.04, 0.03, 0.005], [0.0004, 0.01, 0.03, 0.0005, 0.6], np.round(random.uniform(0, 0.2, 40) ** 2, 8).tolist()]
json.dump(
    dict(
        paired=[paired(name, d) for name, d in cases.items()],
        holm=[dict(p=p, adjusted=multipletests(p, method="holm")[1].tolist()) for p in p_values],
        mcnemar=[
            dict(b=b, c=c, p=float(stats.binomtest(b, b + c).pvalue))
            for b, c in itertools.product([0, 1, 3, 7, 16, 40], repeat=2) if b + c
        ],
        upper_bound=[
            dict(events=k, n=n, bound=float(stats.beta.ppf(0.95, k + 1, n - k)))
            for n in (5, 14, 24, 40) for k in (0, 1, 2, 4)
        ],
        bootstrap=[bootstrap(*statistic) for statistic in bootstrapped],
    ),
    __import__("sys").stdout, indent=1, default=float,
)
