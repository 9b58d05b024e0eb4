-- title: Marketing ROI
-- unit: share
-- grain: customer in a period of a holdout
-- direction: up
-- meaning: Margin that marketing added, less what it cost, over what it cost. What it added is the difference per customer between those who were not held out and those who were, times the number of the former.
-- reference: Lewis and Rao 2015, The unfavorable economics of measuring the returns to advertising; Deng, Knoblich and Lu 2018 for the delta method
-- dimensions: campaign, channel, month

WITH bounds AS (
    SELECT coalesce(CAST($since AS TIMESTAMP), TIMESTAMP '1900-01-01') AS since, CAST($as_of AS TIMESTAMP) AS until
),
told AS (
    -- everybody who is in a comparison: of the whole by a holdout on all, of a channel by one on it, of a campaign by
    -- the arms of its experiment
    SELECT 'all' AS key, h.holdout AS name, h.subject, h.held, h.at AS joined, h.period
    FROM holdouts h
    WHERE ($by IS NULL OR $by = 'month') AND list_contains(string_split(h.scope, ', '), 'all')
    UNION ALL
    SELECT substr(s.scope, 9), s.holdout, s.subject, s.held, s.joined, s.period
    FROM (
        SELECT unnest(string_split(h.scope, ', ')) AS scope, h.holdout, h.subject, h.held, h.at AS joined, h.period
        FROM holdouts h
        WHERE $by = 'channel'
    ) s
    WHERE starts_with(s.scope, 'channel/')
    UNION ALL
    SELECT a.campaign, e.experiment, e.subject, a.control, e.at, 0
    FROM exposures e JOIN arms a ON a.experiment = e.experiment AND a.arm = e.arm
    WHERE $by = 'campaign' AND a.campaign <> ''
),
members AS (
    SELECT t.key, t.name, t.subject, t.period, bool_or(t.held) AS held, min(t.joined) AS joined,
        bool_or(t.held) AND NOT bool_and(t.held) AS both
    FROM told t
    GROUP BY t.key, t.name, t.subject, t.period
),
chosen AS (
    -- one comparison for each key: the one with the most customers held out
    SELECT key, arg_max(name, (held, name)) AS name
    FROM (SELECT key, name, count(*) FILTER (held) AS held FROM members GROUP BY ALL)
    GROUP BY key
    HAVING max(held) > 0
),
mixed AS (
    -- who is held out of the same by another one is neither reached nor comparable, nor is who was in both groups
    -- before two identities of theirs met
    SELECT DISTINCT m.key, m.subject
    FROM members m JOIN chosen c ON c.key = m.key
    WHERE (m.held AND m.name <> c.name) OR (m.both AND m.name = c.name)
),
turns AS (
    -- a period of a holdout that draws anew ends where the next one begins
    SELECT m.key, m.name, m.subject, m.period,
        lead(m.joined) OVER (PARTITION BY m.key, m.name, m.subject ORDER BY m.joined, m.period) AS next
    FROM members m
    WHERE m.name IN (SELECT name FROM members GROUP BY name HAVING min(period) <> max(period))
),
units AS (
    SELECT row_number() OVER () AS unit, m.key, m.subject, m.held, greatest(m.joined, b.since) AS begins,
        least(coalesce(t.next - INTERVAL 1 MICROSECOND, b.until), b.until) AS ends
    FROM members m JOIN chosen c ON c.key = m.key AND c.name = m.name
        LEFT JOIN turns t ON t.key = m.key AND t.name = m.name AND t.subject = m.subject AND t.period = m.period, bounds b
    WHERE ends >= begins AND NOT EXISTS (FROM mixed x WHERE x.key = m.key AND x.subject = m.subject)
),
happened AS (
    SELECT c.subject, c.at AS happened, c.margin, 0.0 AS cost, NULL AS key
    FROM conversions c
    WHERE NOT c.undone AND c.margin IS NOT NULL
    UNION ALL
    SELECT c.subject, c.at, 0.0, c.cost, CASE $by WHEN 'campaign' THEN c.campaign WHEN 'channel' THEN c.channel END
    FROM contacts c
    WHERE c.cost <> 0 AND ($by IS NULL OR $by = 'month' OR if($by = 'campaign', c.campaign, c.channel) IS NOT NULL)
),
each_unit AS (
    -- what each of them brought, and what it cost to reach them
    SELECT if($by = 'month', strftime(h.happened, '%Y-%m'), u.key) AS key, u.unit, u.held, sum(h.margin) AS x,
        sum(h.cost) AS c
    FROM happened h JOIN units u ON u.subject = h.subject AND h.happened >= u.begins AND h.happened <= u.ends
        AND (h.key IS NULL OR u.key = h.key)
    GROUP BY ALL
),
sums AS (
    SELECT key, held, sum(x) AS x, sum(c) AS c, sum(x * x) AS xx, sum(x * c) AS xc, sum(c * c) AS cc,
        sum(x * x * x) AS xxx, sum(x * x * c) AS xxc, sum(x * c * c) AS xcc, sum(c * c * c) AS ccc
    -- in one order, so that sums of the same come out the same to the bit
    FROM (FROM each_unit ORDER BY x, c)
    GROUP BY ALL
),
months AS (
    SELECT DISTINCT key, CAST(key || '-01' AS TIMESTAMP) AS begins FROM each_unit WHERE $by = 'month'
),
sizes AS (
    SELECT u.key, u.held, count(*) AS n FROM units u WHERE $by IS DISTINCT FROM 'month' GROUP BY ALL
    UNION ALL
    SELECT m.key, u.held, count(*)
    FROM units u JOIN months m ON u.begins < m.begins + INTERVAL 1 MONTH AND u.ends >= m.begins
    GROUP BY ALL
),
entries AS (
    -- a later word about an entry replaces an earlier one
    SELECT s.campaign, s.kind, s.amount, s.at AS paid
    FROM spend s
    QUALIFY s.entry IS NULL OR row_number() OVER (PARTITION BY s.campaign, s.entry ORDER BY s.seq DESC) = 1
),
paid AS (
    SELECT CASE $by WHEN 'campaign' THEN e.campaign WHEN 'month' THEN strftime(e.paid, '%Y-%m')
            WHEN 'channel' THEN coalesce(nullif(c.channel, ''), 'no one channel') ELSE 'all' END AS key,
        sum(e.amount) AS spend, 0.0 AS contacts, NULL AS attributed, 0 AS conversions
    FROM entries e LEFT JOIN campaigns c ON c.campaign = e.campaign, bounds b
    WHERE e.kind = 'spent' AND e.paid >= b.since AND e.paid <= b.until
    GROUP BY ALL
    UNION ALL
    SELECT CASE $by WHEN 'campaign' THEN c.campaign WHEN 'month' THEN strftime(c.at, '%Y-%m')
            WHEN 'channel' THEN c.channel ELSE 'all' END,
        0.0, sum(c.cost), NULL, 0
    FROM contacts c, bounds b
    WHERE c.at >= b.since AND c.at <= b.until
    GROUP BY ALL
    UNION ALL
    SELECT CASE $by WHEN 'campaign' THEN c.campaign WHEN 'month' THEN strftime(c.at, '%Y-%m')
            WHEN 'channel' THEN c.channel ELSE 'all' END,
        0.0, 0.0, sum(c.margin), count(*)
    FROM conversions c, bounds b
    WHERE c.action IS NOT NULL AND NOT c.undone AND c.at >= b.since AND c.at <= b.until
    GROUP BY ALL
),
money AS (
    SELECT key, sum(spend) AS spend, sum(contacts) AS contacts, sum(attributed) AS attributed,
        sum(conversions) AS conversions
    FROM paid
    GROUP BY ALL
),
reached AS (
    -- customers whom a campaign or a channel reached at all, and those of them who are compared
    SELECT t.key, count(*) AS reached, count(*) FILTER (u.subject IS NOT NULL) AS compared
    FROM (
        SELECT DISTINCT if($by = 'campaign', c.campaign, c.channel) AS key, c.subject
        FROM contacts c, bounds b
        WHERE if($by = 'campaign', c.campaign, c.channel) IN (SELECT key FROM chosen) AND c.at >= b.since
            AND c.at <= b.until
    ) t LEFT JOIN (SELECT DISTINCT key, subject FROM units WHERE NOT held) u ON u.key = t.key AND u.subject = t.subject
    GROUP BY ALL
)
SELECT coalesce(z.key, m.key) AS key, z.held, z.n, s.x, s.c, s.xx, s.xc, s.cc, s.xxx, s.xxc, s.xcc, s.ccc,
    m.spend, m.contacts, m.attributed, m.conversions, r.reached, r.compared
FROM sizes z
    LEFT JOIN sums s ON s.key = z.key AND s.held = z.held
    FULL JOIN money m ON m.key = z.key
    LEFT JOIN reached r ON r.key = coalesce(z.key, m.key)
ORDER BY 1, 2
