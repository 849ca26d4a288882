# The commands of a newcomer. Each sets the environment up first if needed.
# Threads that wait give their core to other processes.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: environment sandbox test lint docs

environment: .venv/complete

.venv/complete: poetry.lock scripts/set-up-environment scripts/install-triton
	scripts/set-up-environment
	touch $@

# The demo pipeline, on simulated data, in demo/.
sandbox: environment
	test -e demo/run.sh || .venv/bin/aframe-init offline --mode demo -d demo
	demo/run.sh

test: environment
	.venv/bin/pytest --numprocesses 2 --dist loadfile

lint: environment
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports

# The documentation, in docs/_build; a warning is an error.
docs: environment
	.venv/bin/sphinx-build --fail-on-warning --keep-going docs docs/_build
	@echo "docs/_build/index.html is the first page"
