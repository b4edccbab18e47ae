# Compiler flags of every target of ours; none of them reaches a user of the library.

# -ffp-contract=off: a fused multiply-add must be written, never chosen, or the same elements would get
# other bits in another build. The two -fno flags change no value; they let sqrt and selects become
# vector instructions. -Wno-restrict: g++ 12 warns of its own std::string (GCC bug 105651).
function(reprise_flags target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra "$<$<COMPILE_LANGUAGE:CXX>:-Wpedantic>"
    "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${REPRISE_WERROR}>>:-Werror>"
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    -ffp-contract=off -fno-math-errno -fno-trapping-math
    $<$<CONFIG:Release>:-ffunction-sections -fdata-sections>)
  target_link_options(${target} PRIVATE $<$<CONFIG:Release>:-Wl,--gc-sections>)
  if(REPRISE_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${REPRISE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    # GCC takes members of empty structs for uninitialised once it instruments them.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PRIVATE -fsanitize=${REPRISE_SANITIZE})
  endif()
endfunction()

# reprise_allow_float_division_by_zero(SOURCE|TARGET NAME...): x / 0 is what IEEE 754 says it is in
# kernels and in the plain references of the tests, and nowhere else.
function(reprise_allow_float_division_by_zero)
  if(REPRISE_SANITIZE MATCHES "float-divide-by-zero")
    set_property(${ARGN} APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=float-divide-by-zero)
  endif()
endfunction()

# reprise_optimize_sanitized(SOURCE|TARGET NAME...): sanitized builds are compiled more than run, so
# their presets say -Og; this is for where the tests spend their time. -O2 would take GCC seven times
# as long on instrumented tiles.
function(reprise_optimize_sanitized)
  if(REPRISE_SANITIZE)
    set_property(${ARGN} APPEND PROPERTY COMPILE_OPTIONS -O1)
  endif()
endfunction()
