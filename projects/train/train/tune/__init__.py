"""Search of hyper-parameters: many trainings side by side on Ray."""
