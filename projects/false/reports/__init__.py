"""A drawing kit for pages about runs: charts, tables, pictures and the page itself. It depends on no experiment."""
