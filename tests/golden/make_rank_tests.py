#!/usr/bin/env python3
"""Writes rank_tests.json: answers of scipy to rank tests and intervals. Needs numpy and scipy.

Each case has samples and what scipy.stats makes of them; rank_tests_test.cc holds src/measure/rank_tests.cc to it.
"""
import json
import pathlib

import numpy
from scipy import stats

random = numpy.random.default_rng(20260101)


def rounded(values, digits=3):
    return [round(float(v), digits) for v in values]


def two_samples(a, b):
    exact = len(set(a + b)) == len(a) + len(b) and len(a) <= 25 and len(b) <= 25
    test = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact" if exact else "asymptotic")
    differences = sorted(y - x for x in a for y in b)
    return {"a": a, "b": b, "exact": exact, "u": min(test.statistic, len(a) * len(b) - test.statistic),
            "p": float(test.pvalue), "shift": float(numpy.median(differences))}


def paired(d):
    test = stats.wilcoxon(d, zero_method="pratt", correction=False, method="approx")
    walsh = [(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))]
    return {"d": d, "p": float(test.pvalue), "shift": float(numpy.median(walsh))}


cases = {"mann_whitney": [], "signed_rank": [], "student": [], "beta": [], "holm": []}
cases["mann_whitney"].append(two_samples([100., 102, 98, 101, 99, 103, 97, 100, 102, 101],
                                         [105., 107, 104, 106, 108, 103, 107, 105, 106, 109]))
for n, m in ((6, 6), (7, 11), (25, 25), (26, 9), (60, 40)):
    cases["mann_whitney"].append(two_samples(rounded(random.normal(100, 5, n)), rounded(random.normal(103, 5, m))))
cases["mann_whitney"].append(two_samples(rounded(random.integers(0, 6, 30), 0), rounded(random.integers(1, 7, 20), 0)))
for n in (6, 13, 50, 120):
    cases["signed_rank"].append(paired(rounded(random.standard_t(3, n) + 0.5)))
cases["signed_rank"].append(paired([float(v) for v in random.integers(-3, 6, 40)]))
for p in (0.6, 0.975, 0.995):
    for df in (1, 2, 4, 9, 29, 99, 1000):
        cases["student"].append({"p": p, "df": df, "t": float(stats.t.ppf(p, df))})
for x, a, b in ((.5, 2, 3), (.99, 459, 1), (.99, 661, 2), (.9, 63, 2), (.3, .5, .5)):
    cases["beta"].append({"x": x, "a": a, "b": b, "value": float(stats.beta.cdf(x, a, b))})
p = [0.01, 0.04, 0.03, 0.005, 0.9]
cases["holm"].append({"p": p, "adjusted": [0.04, 0.09, 0.09, 0.025, 0.9]})
lists = [f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "]" for name, rows in cases.items()]
pathlib.Path(__file__).with_name("rank_tests.json").write_text("{\n" + ",\n".join(lists) + "}\n")
