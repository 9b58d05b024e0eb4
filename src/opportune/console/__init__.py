"""The console: a web page for the people who run a hub. A process of its own that reaches the hub as any client does.

The way of a request: `door` (who is it, may they come from there) -> `frame.page` (`roles` says whether this role may
see the page) -> a page of `pages`, made of `parts`, fed by `live`. What a person does goes through `frame.Desk.does`,
which asks `roles` again and writes the audit trail.
"""
