"""From a table to series, from series to windows: panels, frequencies, seasons, splits, and forecasts as frames again."""
