"""What the demo plants for its experiments to find, and how its customers are called."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, float] = {
    "Watch TV free for a month": 2.8,
    "Half price for your partner": 1.5,
    "Stop the paper bills": 0.2,
    "9.90 EUR a month from the second month on": -2.2,
    "Start my free month": 1.2,
    "Send no more paper": 3.2,
}
"""What a text adds to the logit of a yes; others add nothing."""

SEEN_WORDING: Mapping[str, str] = {"wording": "2026-1", "language": "en", "method": "form"}
"""What was before the eyes of those who said whether they want messages: the `consent` of the catalog."""

FIRST_NAMES = (
    "Ana", "Bob", "Chidi", "Dora", "Emre", "Fatima", "Georg", "Hana", "Ivan", "Jana", "Kofi", "Lea", "Mehmet", "Nora",
    "Omar", "Pia", "Quinn", "Rosa", "Sven", "Tara", "Uwe", "Vera", "Wen", "Xenia", "Yusuf", "Zoe",
)  # fmt: skip

DOMAINS = ("post.example", "mail.example", "inbox.example")


def introduced(customer: str) -> dict[str, str]:
    """Return the traits by which a simulated customer is addressed; no mail to `.example` ever leaves this machine.

    >>> introduced("customer-00027")
    {'first_name': 'Bob', 'email': 'customer-00027@post.example', 'phone': '+4930100027'}
    """
    number = customer.rpartition("-")[2]
    first_name, domain = (names[int(number) % len(names)] for names in (FIRST_NAMES, DOMAINS))
    return {"first_name": first_name, "email": f"{customer}@{domain}", "phone": f"+49301{number}"}
