"""The messages and calls of protos/memory.proto; `make proto` makes what they are read from."""
