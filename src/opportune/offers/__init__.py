"""WHAT CAN BE REDEEMED: coupons and points, kept to the cent and never spent twice."""
