"""Neural networks that detect compact binaries in strain."""
