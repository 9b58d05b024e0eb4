"""What events are to figures, and how goal events become conversions: each once, with the credit that stands for it."""

from __future__ import annotations

GOAL, UNDO, STAGE, CONTACT = "goal", "undo ", "stage ", "contact"
"""The roles of an event in `moments`: it brings money or is a goal, takes one back, moves a person on, or tells of a
contact that somebody else made. What is taken back, and the stage, follow."""


def conversions(moments: str, credits: str, decisions: str, undone: str) -> str:
    """Return the query for conversions from what reads the tables that they are made of.

    Of several actions that a goal event is credited to it has that of the latest decision; who was not contacted has
    none. `undone` has the `number` of each event that was taken back, and since when (`undone_at`).
    """
    return (
        "WITH c AS (SELECT *, row_number() OVER (PARTITION BY goal, decision_id, action ORDER BY seq DESC) AS place "
        f"FROM {credits}), "
        "standing AS (SELECT c.goal, c.known AS credited, d.action, d.campaign, d.channel FROM c "
        f"JOIN {decisions} d USING (decision_id, action) WHERE c.place = 1 AND c.given "
        "QUALIFY row_number() OVER (PARTITION BY c.goal ORDER BY c.decision_id DESC, d.rank) = 1) "
        "SELECT m.at, m.subject, m.event, m.value, 'event ' || m.number AS goal, s.action, s.campaign, "
        "u.number IS NOT NULL AS undone, m.margin, s.channel, s.credited, u.undone_at, m.known "
        f"FROM {moments} m LEFT JOIN standing s ON s.goal = 'event ' || m.number "
        f"LEFT JOIN ({undone}) u ON u.number = m.number WHERE m.role = '{GOAL}' ORDER BY m.number"
    )
