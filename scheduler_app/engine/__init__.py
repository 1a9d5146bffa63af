"""The engine: claims what is due, has it carried out, records what became of it."""
