-- title: Technology adoption
-- unit: share
-- grain: feature of a tool in a week
-- direction: up
-- meaning: Of the seats that are paid for, the part that somebody used in a week, over all features and whole weeks.
-- reference: Cochran 1977, Sampling techniques, on ratios
-- dimensions: tool, category, feature, owner, week

WITH bounds AS (
    SELECT CAST($as_of AS TIMESTAMP) AS until,
        coalesce(CAST($since AS TIMESTAMP), (SELECT min(u.at) FROM tool_use u), CAST($as_of AS TIMESTAMP)) AS since
),
weeks AS (
    -- whole weeks alone: a week that has just begun is idle by nature
    SELECT w.week
    FROM bounds b, unnest(generate_series(
        date_trunc('week', b.since + INTERVAL 6 DAY), date_trunc('week', b.until) - INTERVAL 7 DAY, INTERVAL 7 DAY
    )) AS w(week)
),
licensed AS (
    SELECT t.tool, t.category, t.owner, coalesce(f.feature, '') AS feature, t.seats, t.starts, t.ends
    FROM tools t LEFT JOIN tool_features f ON f.tool = t.tool
    WHERE t.seats > 0
),
told AS (
    -- a later word about an entry replaces an earlier one
    SELECT u.* FROM tool_use u
    QUALIFY coalesce(u.entry, '') = '' OR row_number() OVER (PARTITION BY u.tool, u.entry ORDER BY u.seq DESC) = 1
),
first AS (
    -- before the first word about a tool, nobody knows whether it was used
    SELECT t.tool, date_trunc('week', min(t.at)) AS week FROM told t GROUP BY ALL
),
used AS (
    SELECT l.tool, l.feature, date_trunc('week', u.at) AS week, count(DISTINCT u.person) AS people
    FROM licensed l JOIN told u ON u.tool = l.tool AND (l.feature = '' OR u.feature = l.feature)
    WHERE u.uses > 0
    GROUP BY ALL
),
cells AS (
    SELECT l.*, w.week, least(coalesce(u.people, 0), l.seats) AS people
    FROM licensed l JOIN first f ON f.tool = l.tool JOIN weeks w ON w.week >= f.week LEFT JOIN used u ON u.tool = l.tool AND u.feature = l.feature AND u.week = w.week
    WHERE (l.starts IS NULL OR l.starts <= w.week) AND (l.ends IS NULL OR l.ends > w.week)
),
sent AS (
    SELECT 'contacts' AS part, count(*) FILTER (hub) AS active, count(*) AS possible
    FROM (
        SELECT true AS hub, c.at AS happened FROM contacts c
        UNION ALL
        SELECT false, m.at FROM moments m WHERE m.role = 'contact'
    ), (SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until)
    WHERE happened >= since AND happened <= until
)
SELECT 'use' AS part,
    CASE $by WHEN 'tool' THEN c.tool WHEN 'category' THEN c.category WHEN 'feature' THEN c.tool || '/' || c.feature
        WHEN 'owner' THEN coalesce(nullif(c.owner, ''), 'nobody') WHEN 'week' THEN strftime(c.week, '%G-W%V') END AS key,
    c.week, sum(c.people) AS active, sum(c.seats) AS possible
FROM cells c
GROUP BY ALL
UNION ALL
SELECT s.part, NULL, NULL, s.active, s.possible FROM sent s
ORDER BY ALL
