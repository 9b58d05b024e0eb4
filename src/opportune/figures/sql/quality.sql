-- title: Data quality
-- unit: share
-- grain: check of a field on a day
-- direction: up
-- meaning: The part of what was checked that is right, each check weighted by what an error costs a decision: 1 - sum of weight x faults / sum of weight x checked.
-- reference: Wang and Strong 1996, Beyond accuracy, for the kinds of faults
-- dimensions: kind, source, event, field, day

WITH bounds AS (
    SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until
)
SELECT CASE $by WHEN 'kind' THEN q.kind WHEN 'source' THEN q.source WHEN 'event' THEN q.event WHEN 'field' THEN q.field
        WHEN 'day' THEN strftime(q.day, '%Y-%m-%d') END AS key,
    q.day, sum(q.weight * q.faults) AS faults, sum(q.weight * q.checked) AS checked,
    sum(CASE WHEN q.checked > 0 THEN q.weight * q.weight * q.faults * (q.checked - q.faults) / q.checked END) AS noise,
    sum(q.checked) AS n
FROM quality q, bounds b
WHERE q.day >= CAST(b.since AS DATE) AND q.day < b.until AND q.checked > 0 AND q.weight > 0
GROUP BY ALL
ORDER BY ALL
