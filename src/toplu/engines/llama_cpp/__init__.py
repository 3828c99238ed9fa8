"""Models on llama.cpp, in a child process."""
