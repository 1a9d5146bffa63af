"""Operating-system processes that can be killed: started, guarded and reaped, without Django."""
