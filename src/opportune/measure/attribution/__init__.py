"""Attribution: who gets the credit for conversions, by several models that are judged by holdouts."""
