"""The law layer of aframe: what runs, in which order, where."""
