-- What was said, by channel: actions that were decided for, how many of them reached their customer, what they cost.
-- A contact reached a customer when it was seen or delivered; what was decided lately may still be on its way.
WITH
    chosen AS (
        SELECT DISTINCT coalesce(channel, '(none)') AS place, decision_id, action
        FROM decisions
        WHERE "at" >= $since AND "at" < $as_of AND action IS NOT NULL
    ),
    reached AS (
        SELECT
            decision_id, action, any_value(subject) AS subject, bool_or(late) AS late,
            max(CAST(round(cost * 1000000) AS BIGINT)) AS cost
        FROM contacts
        GROUP BY decision_id, action
    )
SELECT
    place,
    count(*) AS chosen,
    count(reached.decision_id) AS reached,
    count(*) FILTER (WHERE reached.late) AS late,
    count(DISTINCT reached.subject) AS people,
    coalesce(sum(reached.cost), 0) / 1000000 AS cost
FROM chosen
LEFT JOIN reached USING (decision_id, action)
GROUP BY place
ORDER BY chosen DESC, place
