"""From a table to series, from series to windows, from forecasts to a table again."""
