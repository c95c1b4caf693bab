# SPDX-License-Identifier: MIT
# Compiler flags, in one place. Never -march=native (the build decides nothing about the machine it
# runs on) and never -ffast-math (the bits are the product).

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

# What every file of sow is compiled with.
add_library(sow_flags INTERFACE)
target_compile_options(sow_flags INTERFACE
    -ffp-contract=off -fno-math-errno
    -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wvla -Wstrict-prototypes
    $<$<BOOL:${SOW_WERROR}>:-Werror>)
target_include_directories(sow_flags INTERFACE
    ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include ${SOW_GENERATED_DIR})

# What the product's own files are compiled with on top.
add_library(sow_strict INTERFACE)
target_link_libraries(sow_strict INTERFACE sow_flags)
target_compile_options(sow_strict INTERFACE
    -Wconversion -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wcast-qual)

# A shared library that leans on something unnamed does not link (clang leaves the sanitizers'
# functions unnamed).
set(sow_no_undefined -Wl,--no-undefined)
if(SOW_SANITIZE)
    set(sow_no_undefined)
    add_compile_options(-fsanitize=${SOW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    # gcc guesses badly about the values in instrumented code.
    add_compile_options($<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
                        $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
    add_link_options(-fsanitize=${SOW_SANITIZE})
endif()
