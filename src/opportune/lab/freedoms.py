"""What learns freely and what waits for a person: one table, which `opportune lab status` prints."""

from __future__ import annotations

FREEDOMS: tuple[tuple[str, str, str], ...] = (
    ("propensity P", "freely, from each answer", "a label at a time; `rebuild` takes what was learned back"),
    ("exploration", "freely, with what is not known", "probabilities are recorded; new actions ramp up"),
    ("the baseline of silence", "freely, from held-out and silent decisions", "counts from 200 positives on"),
    ("items on the shelf", "freely, each training is compared with the last", "keeps the last one where it is worse"),
    ("send times", "freely, from the customer's own habits", "within the `window` of the run"),
    ("share of a running experiment", "a person", "up to the `share` in the catalog"),
    ("an arm that does harm", "is stopped by itself", "surely worse by more than `harm`, looked at every hour"),
    ("an experiment whose arms are unbalanced", "is stopped by itself", "sample ratio p < .01, valid at any time"),
    ("an effect that drifts", "pauses by itself", "last half of the customers 4 standard errors from the first"),
    ("roll-out of an arm", "the gate, and a person who does not own it", "until `expires`; then it ends by itself"),
    ("promotion of a model", "the gate, and a person who does not own it", "off-policy bound above what was logged"),
    ("levers, prices, contact limits, consent", "a person", "a published catalog, or an arm of an experiment"),
    ("a new action, trigger or run", "a person", "a published catalog; messages meet the standards first"),
)
"""(what, what changes it, what bounds that)."""
