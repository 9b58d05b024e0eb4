"""Taking away the noise that was there before: CUPED (Deng, Xu, Kohavi and Walker 2013).

What a customer was like before the experiment, c, cannot come from it; so x - theta (c - mean of c) has the same effect
and less noise, as far as c foretells x. theta is the slope of x on c within the arms, both arms together: a slope of
its own for a small arm would fit that arm's noise. `c` must be of before the customer was in the experiment; what is
measured later may be an effect, and taking it out would take the effect out.
"""

from __future__ import annotations

from opportune.measure.sums import Form, Sums

COVARIATE: Form = (0.0, 0.0, 1.0)


def slope(control: Sums, arm: Sums, control_score: Form, arm_score: Form) -> float:
    """Return theta: the slope of the score of a customer on the covariate, within the arms; 0 without a covariate, or
    where it is the same for everybody."""
    spread = control.product(COVARIATE, COVARIATE) + arm.product(COVARIATE, COVARIATE)
    if spread <= 0:
        return 0.0
    return (control.product(control_score, COVARIATE) + arm.product(arm_score, COVARIATE)) / spread


def saved(without: float, left: float) -> float:
    """Return the share of the variance that the covariate took away, below 0 where it added some; 0 without variance.

    >>> saved(4.0, 3.0)
    0.25
    """
    return 1 - left / without if without > 0 else 0.0


def plus(form: Form, times: float, other: Form) -> Form:
    """Return form + times x other.

    >>> plus((1.0, 0.0, 0.0), -2.0, COVARIATE)
    (1.0, 0.0, -2.0)
    """
    return (form[0] + times * other[0], form[1] + times * other[1], form[2] + times * other[2])
