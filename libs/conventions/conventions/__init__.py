"""What every part of aframe owes its user: complete outputs, clear errors, visible progress."""
