"""The settings and torch modules that training, export and inference must share."""
