"""What people send beside words: where files are kept, how they come in, and how they are shown without harm."""
