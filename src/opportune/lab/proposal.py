"""Experiments as YAML to begin from: a person reads and changes them, and takes them live with `opportune publish`."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import count

from opportune.catalog.lab_types import Experiment, Hypothesis
from opportune.clock import DAY, format_span

EXPIRES = 180 * DAY
"""How long what a test finds is believed, where nobody said otherwise."""


def proposal(
    hypothesis: Hypothesis, last: Experiment | None, taken: Collection[str], planned: int | None = None
) -> str:
    """Return the next experiment of a hypothesis as YAML, under a name that is not `taken`.

    Its arms are those of the `last` experiment that carried it; without one they are left to be written.
    """
    name = next(told for n in count(1) if (told := f"{hypothesis.name}_{n}") not in taken)
    many = planned or (last.planned if last else None)
    lines = [
        f"# {_one_line(hypothesis.claim)}",
        f"# because: {_one_line(hypothesis.because)}",
        f"# expected: {100 * hypothesis.expected:+g} % of {hypothesis.metric}; "
        f"less than {100 * hypothesis.smallest:g} % would not matter",
        "experiments:",
        f"  - name: {name}",
        f"    hypothesis: {hypothesis.name}",
        f"    planned: {many}" if many else "    # planned: 20000     # opportune lab outlook says how many it takes",
        f"    expires: {format_span(last.expires if last and last.expires else EXPIRES)}",
    ]
    owner = hypothesis.owner or (last.owner if last else "")
    lines += [f"    owner: {json.dumps(owner)}"] if owner else ["    # owner: NAME          # somebody else approves"]
    if last and last.layer:
        lines.append(f"    layer: {last.layer}")
    elif last:
        lines.append(f"    # layer: NAME          # of both, or take {last.name} out of the files: they clash")
    lines += [f"    harm: {last.harm:g}"] if last else []
    lines.append("    arms:")
    for arm in last.arms if last else ():
        lines.append(f"      - name: {arm.name}")
        lines += [f"        weight: {arm.weight:g}"] if arm.weight != 1 else []
        lines += [f"        changes: {json.dumps(dict(arm.changes), ensure_ascii=False)}"] if arm.changes else []
    if last is None:
        lines += ["      - name: control", *_ARM]
    return "\n".join(lines) + "\n"


def template(name: str, owner: str = "") -> str:
    """Return a metric, a hypothesis and an experiment to fill in, as commented YAML that can be published as it is.

    >>> template("early").splitlines()[3].strip()
    '- name: early_orders'
    """
    told = json.dumps(owner) if owner else "nobody"
    return TEMPLATE.replace("NAME", name).replace("OWNER", told)


_ARM = [
    "      - name: new",
    "        # changes:            # what is laid over the catalog for the customers of this arm, such as",
    "        #   actions: [{name: ACTION, treatments: [{name: TREATMENT, content: {title: Another}}]}]",
]

TEMPLATE = """\
# A belief, how it is measured, and its test. Change it, then: opportune check, opportune publish,
# opportune lab start NAME --by YOU
metrics:
  - name: NAME_orders
    kind: proportion              # or mean, count, ratio, quantile: see docs/lab.md
    event: Order Completed        # what customers do, within so long after they were exposed
    within: 7d
  - name: NAME_complaints
    event: Complaint Opened
    within: 7d
    good: down                    # fewer are better

hypotheses:
  - name: NAME
    claim: What we believe, in a sentence
    because: Why it would be so; the mechanism that carries over to other flows
    metric: NAME_orders
    guardrails: [NAME_complaints]  # what must not get worse
    expected: 0.1                 # 10 % more
    smallest: 0.03                # an effect that is surely smaller is none
    owner: OWNER

experiments:
  - name: NAME
    hypothesis: NAME
    share: 1.0                    # of the customers; start smaller: opportune lab start NAME --share .1
    inference: sequential         # may be looked at as often as you like; fixed is read once, at its end
    planned: 20000                # customers of all arms; opportune lab outlook NAME says how many it takes
    harm: 0.1                     # what is surely worse by more than 10 % is stopped at once
    expires: 180d                 # what it finds is believed for so long
    arms:
      - name: control
      - name: new
        # changes:                # what is laid over the catalog for the customers of this arm, such as
        #   actions: [{name: ACTION, treatments: [{name: TREATMENT, content: {title: Another}}]}]
"""


def _one_line(text: str) -> str:
    return " ".join(text.split())
