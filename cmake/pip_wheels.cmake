# Only for builds against the ROS 2 wheels from PyPI: setup.py passes this file as
# CMAKE_PROJECT_INCLUDE.  A build against a ROS 2 distribution never sees it.
#
# Targets exported by those wheels name include directories of the machine that built them, and
# CMake refuses an imported target whose include directories do not exist.  Nothing here compiles
# against them, so the missing ones are dropped when CMakeLists.txt has been read.
function(obai_drop_missing_include_directories)
  get_property(_targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_directories "${_target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(_directories)
      set(_existing "")
      foreach(_directory IN LISTS _directories)
        if(_directory MATCHES "^\\$<" OR IS_DIRECTORY "${_directory}")
          list(APPEND _existing "${_directory}")
        endif()
      endforeach()
      set_property(TARGET "${_target}" PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_existing}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL obai_drop_missing_include_directories)
