"""A drawing kit for pages about runs: charts, tables, pictures and the page itself. It knows no experiment."""
