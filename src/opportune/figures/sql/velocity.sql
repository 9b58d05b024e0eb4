-- title: Campaign velocity
-- unit: days
-- grain: campaign, or experiment
-- direction: down
-- meaning: The median of the days from the first stage of a campaign until it is live. Campaigns under way count for as long as they have taken.
-- reference: Kaplan and Meier 1958; Brookmeyer and Crowley 1982 for the interval of a median
-- dimensions: stage, owner, channel, hypothesis

WITH bounds AS (
    SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until
),
told AS (
    -- what the hub stamps by itself is no stage that somebody works in, but where nobody moves the campaign
    SELECT s.campaign, s.stage, s.at AS entered, s.seq
    FROM stages s
    WHERE s.stage NOT IN ('first_outcome', 'first_decision')
    QUALIFY coalesce(s.moved, false) OR NOT coalesce(bool_or(s.moved) OVER (PARTITION BY s.campaign), false)
),
entered AS (
    SELECT t.campaign, t.stage, t.entered, row_number() OVER (PARTITION BY t.campaign ORDER BY t.seq) AS place FROM told t
),
spells AS (
    SELECT e.campaign, e.stage, e.entered, lead(e.entered) OVER (PARTITION BY e.campaign ORDER BY e.place) AS left_at,
        max(e.place) OVER (PARTITION BY e.campaign) AS last, e.place
    FROM entered e
),
whole AS (
    SELECT e.campaign, min(e.entered) AS begins, min(e.entered) FILTER (e.stage = 'live') AS ends,
    FROM entered e
    GROUP BY ALL
),
tests AS (
    SELECT e.experiment, any_value(e.hypothesis) AS hypothesis, min(e.at) FILTER (e.what = 'started') AS begins,
        min(e.at) FILTER (starts_with(e.what, 'rolled out') OR e.what IN ('kept control', 'stopped', 'expired')) AS ends
    FROM experiments e
    GROUP BY ALL
),
spans AS (
    SELECT 'live' AS part, w.campaign, '' AS stage, '' AS hypothesis, w.begins, w.ends FROM whole w
    UNION ALL
    -- the last stage of a process has no end: nobody is to leave it
    SELECT 'stage', s.campaign, s.stage, '', s.entered, s.left_at FROM spells s
    WHERE NOT (s.stage = 'learned' AND s.place = s.last)
    UNION ALL
    SELECT 'decision', '', '', t.hypothesis, t.begins, t.ends FROM tests t WHERE t.begins IS NOT NULL
)
SELECT s.part,
    CASE WHEN s.part = 'stage' THEN s.stage WHEN $by = 'owner' THEN coalesce(nullif(c.owner, ''), 'nobody')
        WHEN $by = 'channel' THEN coalesce(nullif(c.channel, ''), 'no one channel')
        WHEN $by = 'hypothesis' THEN coalesce(nullif(s.hypothesis, ''), 'none') END AS key,
    -- a clock that was set back makes nothing end before it began
    greatest(epoch(coalesce(s.ends, b.until) - s.begins) / 86400, 0) AS days, s.ends IS NOT NULL AS ended
FROM spans s LEFT JOIN campaigns c ON c.campaign = s.campaign AND s.campaign <> '', bounds b
-- who began before the time looked at counts if not over before it
WHERE ($by IS NULL OR s.part = CASE $by WHEN 'stage' THEN 'stage' WHEN 'hypothesis' THEN 'decision' ELSE 'live' END)
    AND s.begins <= b.until AND coalesce(s.ends, b.until) >= b.since
ORDER BY ALL
