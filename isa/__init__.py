"""What instructions are: rows, types, lane functions, special registers. Imports nothing of ours but itself."""
