"""One file per stage: takes the board, gives the board, drops with a reason."""
