-- title: Use of the budget
-- unit: share
-- grain: campaign in a week
-- direction: up
-- meaning: Money spent and committed over what the plan has for the time until now: 1 is as planned, less is behind, more is ahead.
-- reference: Fleming and Koppelman 2010, Earned value project management, for the forecast at completion
-- dimensions: campaign, owner, line, channel

WITH bounds AS (
    SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until
),
named AS (
    SELECT c.*, CASE $by WHEN 'campaign' THEN c.campaign WHEN 'owner' THEN coalesce(nullif(c.owner, ''), 'nobody')
        WHEN 'channel' THEN coalesce(nullif(c.channel, ''), 'no one channel') END AS key
    FROM campaigns c
),
plans AS (
    -- a line of a month runs through it; what has no month runs through the campaign
    SELECT n.campaign, if($by = 'line', l.line, n.key) AS key, l.planned,
        coalesce(try_cast(nullif(l.month, '') || '-01' AS TIMESTAMP), n.starts) AS begins,
        coalesce(try_cast(nullif(l.month, '') || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH, n.ends) AS ends
    FROM named n JOIN budget_lines l ON l.campaign = n.campaign
    UNION ALL
    SELECT n.campaign, if($by = 'line', 'no line', n.key),
        n.planned - coalesce((SELECT sum(l.planned) FROM budget_lines l WHERE l.campaign = n.campaign), 0.0), n.starts, n.ends
    FROM named n
    WHERE n.planned IS NOT NULL
),
dated AS (
    SELECT p.* FROM plans p WHERE p.planned <> 0 AND p.begins IS NOT NULL AND p.ends > p.begins
),
entries AS (
    SELECT s.campaign, s.kind, s.amount, s.line, s.at AS paid
    FROM spend s
    QUALIFY s.entry IS NULL OR row_number() OVER (PARTITION BY s.campaign, s.entry ORDER BY s.seq DESC) = 1
),
costs AS (
    SELECT e.campaign, e.kind, e.amount, e.line, date_trunc('week', e.paid) AS week
    FROM entries e, bounds b
    WHERE e.paid <= b.until AND e.paid >= b.since
    UNION ALL
    -- what contacts cost is spent when they are made
    SELECT c.campaign, 'spent', sum(c.cost), 'contacts', date_trunc('week', c.at)
    FROM contacts c, bounds b
    WHERE c.cost <> 0 AND c.at <= b.until AND c.at >= b.since
    GROUP BY ALL
),
spent AS (
    SELECT c.campaign, if($by = 'line', coalesce(nullif(c.line, ''), 'no line'), n.key) AS key, c.kind, c.amount,
        c.week
    FROM costs c JOIN named n ON n.campaign = c.campaign
),
curve AS (
    SELECT d.key, w.week AS week,
        sum(d.planned * greatest(epoch(least(d.ends, w.week + INTERVAL 7 DAY, b.until) - greatest(d.begins, w.week, b.since)), 0)
            / epoch(d.ends - d.begins)) AS planned
    FROM dated d, bounds b, unnest(generate_series(date_trunc('week', d.begins), least(b.until, d.ends), INTERVAL 7 DAY))
        AS w(week)
    GROUP BY ALL
),
weekly AS (
    SELECT key, week, sum(planned) AS planned, sum(spent) AS spent, sum(committed) AS committed
    FROM (
        SELECT key, week, planned, 0.0 AS spent, 0.0 AS committed FROM curve
        UNION ALL
        SELECT key, s.week, 0.0, if(s.kind = 'spent', s.amount, 0.0),
            if(s.kind = 'committed', s.amount, 0.0)
        FROM spent s
    )
    GROUP BY ALL
)
SELECT 'week' AS part, w.key, w.week, w.planned, w.spent, w.committed, NULL AS total, NULL AS lined,
    NULL AS ahead
FROM weekly w
UNION ALL
SELECT 'plan', p.key, NULL, NULL, NULL, NULL, sum(p.planned),
    sum(p.planned) FILTER (p.begins IS NOT NULL AND p.ends > p.begins),
    sum(p.planned * coalesce(if(p.ends > p.begins, epoch(p.ends - least(greatest(p.begins, b.until), p.ends)) / epoch(p.ends - p.begins), 1.0), 1.0))
FROM plans p, bounds b
GROUP BY ALL
UNION ALL
-- also of campaigns that no plan has, as in tables from elsewhere
SELECT 'campaign', c.campaign, NULL, NULL, sum(c.amount) FILTER (c.kind = 'spent'),
    sum(c.amount) FILTER (c.kind = 'committed'), NULL, NULL, NULL
FROM costs c
WHERE c.campaign <> ''
GROUP BY ALL
ORDER BY ALL
