# SPDX-License-Identifier: MIT
# libsow, static and shared, from one set of objects: core/**/*.c once, and the kernel template
# once for each row of cmake/isa.cmake.

set(SOW_KERNEL_TEMPLATE ${PROJECT_SOURCE_DIR}/core/kernel/kernels_tmpl.c)
set(SOW_ISAS)
file(GLOB unused CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/kernel/vec_*.h)

function(sow_isa name header cpus)
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "${cpus}")
        return()
    endif()
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/core/kernel/${header})
        message(STATUS "No core/kernel/${header} yet: built without ${name}")
        return()
    endif()
    add_library(sow_kernel_${name} OBJECT ${SOW_KERNEL_TEMPLATE})
    target_link_libraries(sow_kernel_${name} PRIVATE sow_strict)
    # The kernels are written for loops unrolled whole, and for a scheduler that interleaves
    # independent vectors; gcc has both only when asked (truncated normal, AVX2: 2.6 ns and 1.6).
    target_compile_options(sow_kernel_${name} PRIVATE ${ARGN}
        $<$<CONFIG:RelWithDebInfo,MinSizeRel>:-O3>
        $<$<C_COMPILER_ID:GNU>:-fschedule-insns$<SEMICOLON>-fsched-pressure>)
    target_compile_definitions(sow_kernel_${name} PRIVATE
        SOW_BUILD SOW_ISA=${name} SOW_VEC_HEADER="${header}")
    set(SOW_ISAS ${SOW_ISAS} ${name} PARENT_SCOPE)
    set(SOW_ISA_FLAGS_${name} ${ARGN} PARENT_SCOPE)
endfunction()

if(EXISTS ${SOW_KERNEL_TEMPLATE})
    include(${CMAKE_CURRENT_LIST_DIR}/isa.cmake)
endif()

# The rows that were built, for the dispatch table.
list(TRANSFORM SOW_ISAS REPLACE "(.+)" "X(\\1)" OUTPUT_VARIABLE sow_isa_calls)
list(JOIN sow_isa_calls " " sow_isa_calls)
configure_file(${CMAKE_CURRENT_LIST_DIR}/sow_isa_list.h.in ${SOW_GENERATED_DIR}/sow_isa_list.h)

file(GLOB_RECURSE sow_core_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/*.c)
list(REMOVE_ITEM sow_core_sources ${SOW_KERNEL_TEMPLATE})

add_library(sow_core OBJECT ${sow_core_sources})
target_link_libraries(sow_core PRIVATE sow_strict)
target_compile_definitions(sow_core PRIVATE SOW_BUILD)
set(sow_core_objects $<TARGET_OBJECTS:sow_core>)
foreach(isa IN LISTS SOW_ISAS)
    string(TOUPPER ${isa} isa_upper)
    target_compile_definitions(sow_core PRIVATE SOW_HAVE_${isa_upper}=1)
    list(APPEND sow_core_objects $<TARGET_OBJECTS:sow_kernel_${isa}>)
endforeach()

# sow_library(TARGET FILE NAME): how a library is called, as a file and by find_package, and where its headers are.
function(sow_library target file name)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${file} EXPORT_NAME ${name} LINKER_LANGUAGE C
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    target_include_directories(${target} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endfunction()

add_library(sow_static STATIC ${sow_core_objects})
add_library(sow_shared SHARED ${sow_core_objects})
target_link_options(sow_shared PRIVATE ${sow_no_undefined})
sow_library(sow_static sow sow-static)
sow_library(sow_shared sow sow)
