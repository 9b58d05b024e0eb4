-- Whether it was too much: decisions for silence, contacts per person, answers that were a no.
-- One row. A refusal is an answer that the action names as negative.
WITH
    chosen AS (
        SELECT decision_id, bool_and(action IS NULL) AS silent
        FROM decisions
        WHERE "at" >= $since AND "at" < $as_of
        GROUP BY decision_id
    ),
    reached AS (
        SELECT subject, count(*) AS times
        FROM contacts
        WHERE "at" >= $since AND "at" < $as_of
        GROUP BY subject
    ),
    refused AS (
        SELECT count(DISTINCT (decision_id, action)) AS refusals
        FROM outcomes
        WHERE "at" >= $since AND "at" < $as_of AND positive = false
    )
SELECT
    (SELECT count(*) FROM chosen) AS decisions,
    (SELECT count(*) FROM chosen WHERE silent) AS silent,
    (SELECT count(*) FROM reached) AS people,
    (SELECT coalesce(sum(times), 0) FROM reached) AS contacts,
    (SELECT coalesce(max(times), 0) FROM reached) AS most,
    (SELECT quantile_disc(times, 0.5) FROM reached) AS usual,
    (SELECT refusals FROM refused) AS refusals
