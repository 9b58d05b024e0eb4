-- Figures of campaigns and leads that no hub has seen: cost per conversion, and the conversion of leads.
--   OPPORTUNE_DATA=FOLDER opportune tables figures --sql examples/figures.sql
--   opportune figures roi --by campaign --tables figures
--   opportune figures conversion --by source --tables figures

CREATE TABLE ads AS
SELECT *, CAST(xyz_campaign_id AS VARCHAR) AS campaign FROM read_csv('${OPPORTUNE_DATA}/facebook_ads.csv.gz');

CREATE TABLE spend AS
SELECT row_number() OVER () AS seq, TIMESTAMP '2026-01-15' AS "at", campaign, 'ad ' || row_number() OVER () AS entry,
    'spent' AS kind, Spent AS amount
FROM ads;

-- each approved conversion is credited to the campaign of its ad; nobody says what it was worth
CREATE TABLE conversions AS
SELECT TIMESTAMP '2026-01-20' AS "at", 'ad ' || ad_id || '/' || n.number AS subject, 'ad' AS action, campaign,
    false AS undone
FROM ads, unnest(range(Approved_Conversion)) AS n(number);

CREATE TABLE people AS
SELECT "Lead Number" AS id, "Lead Source" AS source, Converted AS converted
FROM read_csv('${OPPORTUNE_DATA}/leads.csv.gz');

-- the file has no dates, but the verdict on each lead is final
CREATE TABLE leads AS
SELECT TIMESTAMP '2026-01-01' AS "at", 'lead ' || id AS subject, 'lead' AS stage, source,
    source IN ('Reference', 'Referral Sites') AS referral
FROM people
UNION ALL
SELECT TIMESTAMP '2026-01-31', 'lead ' || id, 'customer', source, false FROM people WHERE converted = 1;
