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
    SELECT l.subject, min(l.at) AS lead, arg_min(l.source, l.at) AS source, coalesce(bool_or(l.referral), false) AS referral
    FROM leads l
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
    SELECT c.key, c.referral, c.known, c.window_days, l.stage, epoch(min(l.at) - c.lead) / 86400 AS took
    FROM leads l JOIN cohort c ON c.subject = l.subject AND l.at >= c.lead
    WHERE l.stage <> 'lead'
    GROUP BY c.subject, c.lead, c.key, c.referral, c.known, c.window_days, l.stage
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
    SELECT c.key, epoch(min(a.at) - min(h.at)) / 86400 AS took, epoch(any_value(b.until) - min(h.at)) / 86400 AS known
    FROM cohort c JOIN leads h ON h.subject = c.subject AND h.stage = 'handed_over' AND h.at >= c.lead
        LEFT JOIN leads a ON a.subject = c.subject AND a.stage = 'accepted' AND a.at >= h.at, bounds b
    GROUP BY c.key, c.subject
),
naive AS (
    -- the ratio of what happened in one time, which mixes cohorts: known to be wrong, and usual
    SELECT count(DISTINCT l.subject) FILTER (l.stage = 'customer' AND g.subject IS NOT NULL) AS customers,
        count(DISTINCT l.subject) FILTER (l.stage = 'lead') AS leads
    FROM leads l LEFT JOIN began g ON g.subject = l.subject, bounds b
    WHERE l.at >= b.since AND l.at <= b.until
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
SELECT 'clock' AS part, nullif(c.key, '') AS key, coalesce(c.took, c.known) AS days, c.took IS NOT NULL AS ended, count(*) AS n
FROM clock c
GROUP BY ALL
UNION ALL BY NAME
SELECT 'naive' AS part, n.customers AS days, n.leads AS n FROM naive n
ORDER BY ALL
