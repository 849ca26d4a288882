# The commands of a newcomer. Each sets the environment up first if needed.
.PHONY: environment sandbox test lint

environment: .venv/complete

.venv/complete: poetry.lock scripts/set-up-environment scripts/install-triton
	scripts/set-up-environment
	touch $@

# The demo pipeline, on simulated data, in demo/.
sandbox: environment
	.venv/bin/aframe-init offline --mode demo -d demo
	demo/run.sh

test: environment
	.venv/bin/pytest

lint: environment
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports
