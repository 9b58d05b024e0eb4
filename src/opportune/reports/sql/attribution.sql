-- What conversions are credited to, by channel: one row per channel of the credited action, and one for no credit ('').
-- A credit says that a contact came before, not that it was the cause.
WITH credited AS (
    SELECT CASE WHEN action IS NULL THEN '' ELSE coalesce(channel, '(none)') END AS place, value
    FROM conversions
    WHERE "at" >= $since AND "at" < $as_of AND NOT coalesce(undone, false)
)
SELECT
    place AS channel,
    count(*) AS conversions,
    coalesce(sum(CAST(round(value * 1000000) AS BIGINT)), 0) / 1000000 AS value
FROM credited
GROUP BY place
ORDER BY place = '', conversions DESC, place
