"""The budgets, measured: `python -m benchmarks [quick] [GROUP ...]` prints one table. One module measures one group."""
