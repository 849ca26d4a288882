"""Settings and torch modules that training, export, inference share."""
