-- Where campaigns stand: stage and since when, money planned, committed and spent, hours, contacts and yeses.
-- Money and hours are from the beginning, contacts and yeses of the period. A later entry replaces one of its name.
WITH
    stage AS (
        -- what the hub stamps by itself is a stage only of a campaign that nobody moves, and these two of none
        SELECT campaign, arg_max(stage, ("at", seq)) AS stage, max("at") AS "at"
        FROM (
            SELECT * FROM stages
            WHERE "at" < $as_of AND stage NOT IN ('first_outcome', 'first_decision')
            QUALIFY coalesce(moved, false) OR NOT bool_or(coalesce(moved, false)) OVER (PARTITION BY campaign)
        )
        GROUP BY campaign
    ),
    entered AS (
        SELECT campaign, entry, arg_max(kind, seq) AS kind, arg_max(amount, seq) AS amount
        FROM spend
        WHERE "at" < $as_of
        GROUP BY campaign, entry
    ),
    money AS (
        SELECT
            campaign,
            sum(CAST(round(amount * 1000000) AS BIGINT)) FILTER (WHERE kind = 'committed') / 1000000 AS committed,
            sum(CAST(round(amount * 1000000) AS BIGINT)) FILTER (WHERE kind = 'spent') / 1000000 AS spent
        FROM entered
        GROUP BY campaign
    ),
    logged AS (
        SELECT campaign, entry, arg_max(hours, seq) AS hours, arg_max(undone, seq) AS undone
        FROM work
        WHERE "at" < $as_of AND what = 'hours'
        GROUP BY campaign, entry
    ),
    effort AS (
        SELECT campaign, sum(CAST(round(hours * 1000) AS BIGINT)) / 1000 AS hours
        FROM logged
        WHERE NOT coalesce(undone, false)
        GROUP BY campaign
    ),
    said AS (
        SELECT campaign, count(*) AS contacts
        FROM contacts
        WHERE "at" >= $since AND "at" < $as_of
        GROUP BY campaign
    ),
    agreed AS (
        SELECT campaign, count(DISTINCT (decision_id, action)) AS yeses
        FROM outcomes
        WHERE "at" >= $since AND "at" < $as_of AND positive
        GROUP BY campaign
    ),
    plan AS (
        SELECT campaign, any_value(title) AS title, any_value(owner) AS owner, any_value(planned) AS planned
        FROM campaigns
        GROUP BY campaign
    ),
    names AS (
        SELECT campaign FROM stage
        UNION SELECT campaign FROM plan
        UNION SELECT campaign FROM money
        UNION SELECT campaign FROM said
    )
SELECT
    names.campaign, plan.title, plan.owner, stage.stage, stage."at", plan.planned, money.committed, money.spent,
    effort.hours, coalesce(said.contacts, 0) AS contacts, coalesce(agreed.yeses, 0) AS yeses
FROM names
LEFT JOIN plan USING (campaign)
LEFT JOIN stage USING (campaign)
LEFT JOIN money USING (campaign)
LEFT JOIN effort USING (campaign)
LEFT JOIN said USING (campaign)
LEFT JOIN agreed USING (campaign)
WHERE names.campaign <> ''
ORDER BY contacts DESC, names.campaign
