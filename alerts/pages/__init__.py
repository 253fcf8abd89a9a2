"""Pages: the inbox, one alert, rules and their editor, channels, deliveries."""
