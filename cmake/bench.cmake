# SPDX-License-Identifier: MIT
# bench/*.c: a program each, in build/bench/; `make bench` runs bench/run, which runs them.

file(GLOB sow_bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
foreach(source IN LISTS sow_bench_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(bench_${name} ${source})
    set_target_properties(bench_${name} PROPERTIES OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    target_compile_definitions(bench_${name} PRIVATE _GNU_SOURCE)
    target_link_libraries(bench_${name} PRIVATE
        sow_flags sow_model_static PkgConfig::SOW_DEPS Threads::Threads m)
endforeach()
