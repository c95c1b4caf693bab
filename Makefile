# SPDX-License-Identifier: MIT
# The front door; the build itself is CMake's (CMakeLists.txt, CMakePresets.json).
JOBS   ?= $(shell nproc)
PREFIX ?= /usr/local
MAKEFLAGS += --no-print-directory

all: build/CMakeCache.txt ## Build build/sow (the default)
	@cmake --build build -j $(JOBS)

build/CMakeCache.txt:
	@cmake --preset release

.PHONY: all
