"""THE OPERATION: campaigns as living work, the tools that people use, and how healthy all of it is."""
