"""What reliability means here, shown: `python -m proof`. docs/reliability.md holds the last table."""
