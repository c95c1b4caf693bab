# SPDX-License-Identifier: MIT
# libsow-model (model/**/*.c with the recipes inside it) and the tool `sow` (cli/**/*.c).
#
# The shared libsow-model carries the core's objects too, because the model library uses the core's
# internal functions: a program links sow-model alone and has the whole API. The tool is linked
# statically against both, so that build/sow runs from anywhere.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SOW_DEPS REQUIRED IMPORTED_TARGET lua5.4 jansson libxxhash)

# The recipes, as bytes in a C file (model/recipe/embedded.h).
set(sow_embedded ${SOW_GENERATED_DIR}/sow_embedded_recipes.c)
file(GLOB sow_recipes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/recipes/*.lua)
set(sow_prelude_dir ${PROJECT_SOURCE_DIR}/model/recipe/prelude)
file(GLOB_RECURSE sow_preludes CONFIGURE_DEPENDS ${sow_prelude_dir}/*.lua)
add_custom_command(OUTPUT ${sow_embedded}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${sow_embedded}
        "-DRECIPES=${sow_recipes}" "-DPRELUDES=${sow_preludes}" -DPRELUDE_DIR=${sow_prelude_dir}
        -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${sow_recipes} ${sow_preludes} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    COMMENT "Embedding the recipes"
    VERBATIM)

file(GLOB_RECURSE sow_model_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/model/*.c)
set(sow_loops_template ${PROJECT_SOURCE_DIR}/model/signal/measure/loops_tmpl.c)
list(REMOVE_ITEM sow_model_sources ${sow_loops_template})
add_library(sow_model OBJECT ${sow_model_sources} ${sow_embedded})
target_link_libraries(sow_model PRIVATE sow_strict PkgConfig::SOW_DEPS Threads::Threads)
target_compile_definitions(sow_model PRIVATE SOW_BUILD _GNU_SOURCE)

# A measurement's loops, once for each instruction set, as the core's kernels. Where a comparison might trap, gcc keeps the
# branch and makes no vectors; nothing here asks for traps, and no bit depends on it.
set(sow_model_objects $<TARGET_OBJECTS:sow_model>)
foreach(isa IN LISTS SOW_ISAS)
    add_library(sow_loops_${isa} OBJECT ${sow_loops_template})
    target_link_libraries(sow_loops_${isa} PRIVATE sow_strict)
    target_compile_options(sow_loops_${isa} PRIVATE ${SOW_ISA_FLAGS_${isa}}
        -fno-trapping-math $<$<CONFIG:RelWithDebInfo,MinSizeRel>:-O3>)
    target_compile_definitions(sow_loops_${isa} PRIVATE SOW_BUILD SOW_ISA=${isa})
    list(APPEND sow_model_objects $<TARGET_OBJECTS:sow_loops_${isa}>)
endforeach()

add_library(sow_model_static STATIC ${sow_model_objects})
add_library(sow_model_shared SHARED ${sow_model_objects} ${sow_core_objects})
target_link_libraries(sow_model_static PUBLIC sow_static PRIVATE PkgConfig::SOW_DEPS Threads::Threads)
target_link_libraries(sow_model_shared PRIVATE PkgConfig::SOW_DEPS Threads::Threads)
target_link_options(sow_model_shared PRIVATE ${sow_no_undefined})
sow_library(sow_model_static sow-model model-static)
sow_library(sow_model_shared sow-model model)

file(GLOB_RECURSE sow_cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
if(sow_cli_sources)
    add_executable(sow_tool ${sow_cli_sources})
    set_target_properties(sow_tool PROPERTIES OUTPUT_NAME sow)
    target_link_libraries(sow_tool PRIVATE sow_strict sow_model_static m) # libm: for pictures only
    target_compile_definitions(sow_tool PRIVATE _GNU_SOURCE)
    # The man page and the completions are printed by the tool itself, from its one table of options.
    if(NOT CMAKE_CROSSCOMPILING)
        add_custom_command(TARGET sow_tool POST_BUILD
            COMMAND sow_tool man >sow.1
            COMMAND sow_tool completion bash >sow.bash
            COMMAND sow_tool completion zsh >_sow
            BYPRODUCTS sow.1 sow.bash _sow)
    endif()
endif()

# What `make` builds: no tests.
add_custom_target(sow_product DEPENDS sow_static sow_shared sow_model_static sow_model_shared)
if(TARGET sow_tool)
    add_dependencies(sow_product sow_tool)
endif()
