"""The report: one offline HTML file, made from the rows alone."""
