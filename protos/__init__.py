"""The wire contract, and the stubs that `make proto` makes of it."""
