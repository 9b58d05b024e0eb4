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
    QUALIFY row_number() OVER (PARTITION BY s.campaign, s.entry ORDER BY s.seq DESC) = 1
),
costs AS (
    SELECT e.campaign, e.kind, e.amount, e.line, e.paid FROM entries e
    UNION ALL
    -- what contacts cost is spent when they are made
    SELECT c.campaign, 'spent', sum(c.cost), 'contacts', date_trunc('week', c.at) FROM contacts c
    WHERE c.cost <> 0
    GROUP BY ALL
),
spent AS (
    SELECT c.campaign, if($by = 'line', coalesce(nullif(c.line, ''), 'no line'), n.key) AS key, c.kind, c.amount,
        c.paid
    FROM costs c JOIN named n ON n.campaign = c.campaign, bounds b
    WHERE c.paid <= b.until AND c.paid >= b.since
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
        SELECT key, date_trunc('week', s.paid), 0.0, if(s.kind = 'spent', s.amount, 0.0),
            if(s.kind = 'committed', s.amount, 0.0)
        FROM spent s
    )
    GROUP BY ALL
)
SELECT 'week' AS part, w.key, w.week, w.planned, w.spent, w.committed, NULL AS total, NULL AS lined FROM weekly w
UNION ALL
SELECT 'plan', p.key, NULL, NULL, NULL, NULL, sum(p.planned),
    sum(p.planned) FILTER (p.begins IS NOT NULL AND p.ends > p.begins)
FROM plans p
GROUP BY ALL
UNION ALL
SELECT 'campaign', s.campaign, NULL, NULL, sum(s.amount) FILTER (s.kind = 'spent'),
    sum(s.amount) FILTER (s.kind = 'committed'), NULL, NULL
FROM spent s
GROUP BY ALL
ORDER BY ALL
