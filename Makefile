# SPDX-License-Identifier: MIT
# The front door; the build itself is CMake's (CMakeLists.txt, CMakePresets.json).
JOBS    ?= $(shell nproc)
PREFIX  ?= /usr/local
SECONDS ?= 60
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

all: build/CMakeCache.txt ## Build build/sow and the libraries (the default)
	@cmake --build build -j $(JOBS) --target sow_product

everything: build/CMakeCache.txt
	@cmake --build build -j $(JOBS)

build/CMakeCache.txt:
	@cmake --preset release

run: setup-build all ## Write GPT-2's initial weights to build/gpt2.safetensors, prove, check and probe them
	build/sow init examples/gpt2/config.json --seed 42 -o build/gpt2.safetensors --force
	build/sow verify build/gpt2.safetensors
	build/sow check build/gpt2.safetensors --source examples/gpt2/config.json
	build/sow probe examples/gpt2/config.json --brief --report build/gpt2.html --force
	@echo
	@echo "That was GPT-2: 124 million weights drawn from seed 42, proven bit for bit, checked and probed. The bars are"
	@echo "the size of the signal, from the input at the left to the output at the right, and of the gradient."
	@echo "The same as a page with pictures: build/gpt2.html. Why it matters, in steps to run: docs/learn/README.md"

test: ## Run every test (installs what they need first)
	@JOBS=$(JOBS) scripts/test

lint: all ## Check format, style, layers, headers, symbols and scripts
	@ctest --test-dir build --output-on-failure -L lint

fmt: ## Format the C files in place (and sort Python's imports)
	@scripts/check-format --fix

bench: setup-build everything ## Measure; the numbers are also left in build/bench.json
	@bench/run

golden: everything ## Write tests/golden/golden.txt anew; review the diff
	@build/tests/golden --write tests/golden/golden.txt
	@git --no-pager diff --stat -- tests/golden/golden.txt

accuracy: ## Measure the error of every word of the stream (some minutes)
	@scripts/accuracy

fuzz: ## Fuzz each reader for SECONDS=60
	@scripts/fuzz $(SECONDS)

cross: ## Check the goldens on other CPUs and compilers
	@scripts/cross-check

setup: ## Install what building and testing need
	@scripts/setup test

setup-build:
	@scripts/setup build

install: all ## Install below PREFIX=/usr/local (DESTDIR is honoured)
	@cmake --install build --prefix $(PREFIX)

clean: ## Remove build/
	@rm -rf build

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' Makefile

.PHONY: all everything run test lint fmt bench golden accuracy fuzz cross setup setup-build install clean help
