"""WHO: events become state, state becomes values; identities, consents and contact history of each person.

`people.People` is the door. Behind it: `fold` (event -> state, state -> values), `merge` (states -> state), `features`
(the aggregates), `buckets` (their windows), `fields` (what they see of an event), `identity` (who is whom), `duck` (the
same features in bulk), `spec` (a catalog made ready for all of these).
"""
