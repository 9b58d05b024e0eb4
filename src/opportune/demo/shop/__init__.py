"""The small shop of the demo company: pages for people, made as any shop would make them.

The browser has a write key and the script tag of personal pages; the server of the shop has a server key and asks the
hub over HTTP. Nothing here reaches into the hub.
"""
