"""The parts that pages are made of. What comes from customers and catalogs is escaped by `markupsafe`."""
