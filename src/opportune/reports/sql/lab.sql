-- How experiments stand: what was last done to each, what the last look showed, and the customers that met them.
WITH
    known AS (
        SELECT * FROM experiments WHERE "at" < $as_of
    ),
    done AS (
        SELECT experiment, arg_max(what, ("at", seq)) AS what, arg_max("by", ("at", seq)) AS "by", max("at") AS "at"
        FROM known
        WHERE what NOT LIKE 'looked%' AND what NOT LIKE 'refused%'
        GROUP BY experiment
    ),
    looks AS (
        SELECT experiment, arg_max(detail, ("at", seq)) AS detail, max("at") AS "at"
        FROM known
        WHERE what = 'looked'
        GROUP BY experiment
    ),
    met AS (
        SELECT experiment, count(DISTINCT subject) AS customers
        FROM exposures
        WHERE "at" < $as_of
        GROUP BY experiment
    )
SELECT done.experiment, done.what, done."by", done."at", looks.detail, looks."at" AS looked, coalesce(met.customers, 0)
    AS customers
FROM done
LEFT JOIN looks USING (experiment)
LEFT JOIN met USING (experiment)
WHERE done."at" >= $since OR looks."at" >= $since
ORDER BY done.experiment
