"""Floor 1, how things live: actors, their supervisors and mailboxes, time and chance. Knows no trading word."""
