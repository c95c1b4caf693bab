# SPDX-License-Identifier: MIT
# cmake --install: headers, libraries, the tool, pkg-config files, a CMake package, man page and
# completion. Everything finds its place from where it lies, so that the prefix may be given late.

file(GLOB sow_headers CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/include/sow/*.h ${PROJECT_SOURCE_DIR}/include/sow/*.def)
if(SOW_CORE_ONLY) # sow.h and what it includes
    list(FILTER sow_headers INCLUDE REGEX "/(sow\\.h|base\\.h|activation\\.h|dtype\\.def)$")
endif()
install(FILES ${sow_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sow)
install(TARGETS sow_static sow_shared EXPORT sow-targets)

set(sow_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sow)
set(sow_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH sow_pc_prefix /p/${sow_pc_dir} /p)
install(EXPORT sow-targets NAMESPACE sow:: DESTINATION ${sow_cmake_dir})
configure_file(${CMAKE_CURRENT_LIST_DIR}/sow.pc.in ${SOW_GENERATED_DIR}/sow.pc @ONLY)
install(FILES ${SOW_GENERATED_DIR}/sow.pc DESTINATION ${sow_pc_dir})

include(CMakePackageConfigHelpers)
configure_file(${CMAKE_CURRENT_LIST_DIR}/sowConfig.cmake.in ${SOW_GENERATED_DIR}/sowConfig.cmake @ONLY)
write_basic_package_version_file(${SOW_GENERATED_DIR}/sowConfigVersion.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES ${SOW_GENERATED_DIR}/sowConfig.cmake ${SOW_GENERATED_DIR}/sowConfigVersion.cmake
    DESTINATION ${sow_cmake_dir})

if(NOT SOW_CORE_ONLY)
    install(TARGETS sow_model_static sow_model_shared EXPORT sow-model-targets)
    install(EXPORT sow-model-targets NAMESPACE sow:: DESTINATION ${sow_cmake_dir})
    configure_file(${CMAKE_CURRENT_LIST_DIR}/sow-model.pc.in ${SOW_GENERATED_DIR}/sow-model.pc @ONLY)
    install(FILES ${SOW_GENERATED_DIR}/sow-model.pc DESTINATION ${sow_pc_dir})
endif()
if(TARGET sow_tool)
    install(TARGETS sow_tool)
    if(NOT CMAKE_CROSSCOMPILING)
        install(FILES ${PROJECT_BINARY_DIR}/sow.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
        install(FILES ${PROJECT_BINARY_DIR}/sow.bash RENAME sow
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
        install(FILES ${PROJECT_BINARY_DIR}/_sow DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    endif()
endif()
