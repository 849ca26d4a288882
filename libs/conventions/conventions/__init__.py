"""What aframe owes its user: complete outputs, clear errors, progress."""
