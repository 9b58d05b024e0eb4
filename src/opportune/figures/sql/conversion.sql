-- title: Lead-to-customer conversion
-- unit: share
-- grain: lead
-- direction: up
-- meaning: The part of leads that become customers within the window. Leads whose window is not over count for as long as they are known.
-- reference: Kaplan and Meier 1958, with the log-log interval of Kalbfleisch and Prentice 1980; Wilson 1927 where every window is over
-- dimensions: source, referral, month

WITH bounds AS (
    SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until,
        coalesce((SELECT max(f.window_days) FROM funnel f), 90.0) AS window_days
),
steps AS (
    SELECT f.stage, f.place FROM funnel f WHERE f.stage <> 'lead'
    UNION
    SELECT 'customer', 1000000 WHERE NOT EXISTS (FROM funnel)
),
began AS (
    SELECT l.subject, min(l.at) AS lead, arg_min(l.source, l.at) AS source,
        coalesce(bool_or(l.referral), false) AS referral, bool_or(l.at >= b.since AND l.at <= b.until) AS counted
    FROM leads l, bounds b
    WHERE l.stage = 'lead'
    GROUP BY ALL
),
cohort AS (
    SELECT g.subject, g.lead, g.referral, least(epoch(b.until - g.lead) / 86400, b.window_days) AS known, b.window_days,
        CASE $by WHEN 'source' THEN coalesce(nullif(g.source, ''), 'unknown') WHEN 'month' THEN strftime(g.lead, '%Y-%m')
            WHEN 'referral' THEN if(g.referral, 'referral', 'no referral') ELSE '' END AS key
    FROM began g, bounds b
    WHERE g.lead >= b.since AND g.lead <= b.until
),
reached AS (
    SELECT l.subject, l.stage, min(l.at) AS first, any_value(c.key) AS key, any_value(c.referral) AS referral,
        any_value(c.known) AS known, any_value(c.window_days) AS window_days, epoch(min(l.at - c.lead)) / 86400 AS took
    FROM leads l JOIN cohort c ON c.subject = l.subject AND l.at >= c.lead, bounds b
    WHERE l.stage <> 'lead' AND l.at <= b.until
    GROUP BY l.subject, l.stage
),
-- whole days, rounded down: what happens on the last day of the window is not within it
ended AS (
    SELECT r.key, r.referral, r.stage, floor(r.known) AS known, r.known >= r.window_days AS ripe, floor(r.took) AS took,
        count(*) AS n
    FROM reached r
    WHERE r.took < r.known OR (r.took = r.known AND r.known < r.window_days)
    GROUP BY ALL
),
sizes AS (
    SELECT c.key, c.referral, floor(c.known) AS known, c.known >= c.window_days AS ripe, count(*) AS n FROM cohort c
    GROUP BY ALL
),
under_way AS (
    SELECT z.key, z.referral, s.stage, s.place, z.known, z.ripe, z.n - coalesce(sum(e.n), 0) AS n
    FROM sizes z CROSS JOIN steps s
        LEFT JOIN ended e ON e.key = z.key AND e.referral = z.referral AND e.stage = s.stage AND e.known = z.known
            AND e.ripe = z.ripe
    GROUP BY z.key, z.referral, s.stage, s.place, z.known, z.ripe, z.n
),
clock AS (
    -- from the hand-over to sales until they accept
    SELECT h.key, epoch(min(a.at) - h.first) / 86400 AS took, epoch(any_value(b.until) - h.first) / 86400 AS known
    FROM reached h LEFT JOIN leads a ON a.subject = h.subject AND a.stage = 'accepted' AND a.at >= h.first
            AND a.at <= (SELECT until FROM bounds), bounds b
    WHERE h.stage = 'handed_over' AND $by IS NULL
    GROUP BY h.key, h.subject, h.first
),
naive AS (
    -- the ratio of what happened in one time, which mixes cohorts: known to be wrong, and usual
    SELECT (SELECT count(*) FILTER (g.counted) FROM began g) AS leads, count(*) AS customers
    FROM (
        SELECT DISTINCT l.subject FROM leads l, bounds b WHERE l.stage = 'customer' AND l.at >= b.since AND l.at <= b.until
    ) SEMI JOIN began USING (subject)
)
SELECT 'stage' AS part, nullif(e.key, '') AS key, e.stage, s.place, e.referral, e.took AS days, true AS ended, e.ripe,
    CAST(sum(e.n) AS BIGINT) AS n, any_value(b.window_days) AS window_days
FROM ended e JOIN steps s ON s.stage = e.stage, bounds b
GROUP BY ALL
UNION ALL BY NAME
SELECT 'stage' AS part, nullif(u.key, '') AS key, u.stage, u.place, u.referral, u.known AS days, false AS ended, u.ripe,
    CAST(u.n AS BIGINT) AS n, b.window_days
FROM under_way u, bounds b
WHERE u.n > 0
UNION ALL BY NAME
SELECT 'clock' AS part, nullif(c.key, '') AS key, list(coalesce(c.took, c.known)) AS spans, list(c.took IS NOT NULL) AS over
FROM clock c
GROUP BY ALL
UNION ALL BY NAME
SELECT 'naive' AS part, n.customers AS days, n.leads AS n FROM naive n
ORDER BY ALL
