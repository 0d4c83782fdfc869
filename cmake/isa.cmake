# One place that maps an ISA to compiler flags. A source named x86_<isa>.cc (or *_x86_<isa>.cc) is
# compiled with the flags of that ISA and with nothing else; all other code stays at the baseline.
set(HONE_BASELINE_FLAGS -march=x86-64-v2)
set(HONE_ISA_FLAGS_portable -march=x86-64-v2)
set(HONE_ISA_FLAGS_avx2 -march=x86-64-v3 -maes -mpclmul -mno-avx512f)
set(HONE_ISA_FLAGS_avx512 -march=x86-64-v4 -maes -mpclmul -mno-avx512vnni -mno-avx512bf16)
set(HONE_ISA_FLAGS_avx512vnni -march=x86-64-v4 -maes -mpclmul -mavx512vnni)
set(HONE_ISA_FLAGS_avx512bf16 -march=x86-64-v4 -maes -mpclmul -mavx512vnni -mavx512bf16)

function(hone_isa_flags source)
    get_filename_component(name ${source} NAME_WE)
    if(NOT name MATCHES "x86_([a-z0-9]+)$")
        return()
    endif()
    set(isa ${CMAKE_MATCH_1})
    if(NOT DEFINED HONE_ISA_FLAGS_${isa})
        message(FATAL_ERROR "${source}: unknown ISA '${isa}' in the file name")
    endif()
    # GCC 12 reports uninitialized values inside the AVX-512 intrinsics headers (GCC PR105593).
    set(extra "")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        set(extra -Wno-uninitialized -Wno-maybe-uninitialized)
    endif()
    # Checks of undefined behaviour around every load of an unrolled kernel take clang minutes a file;
    # addresses stay checked.
    if(HONE_SANITIZE MATCHES "undefined")
        list(APPEND extra -fno-sanitize=undefined)
    endif()
    # ISA files are optimized in every build type: an unoptimized kernel tests nothing of use.
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "${HONE_ISA_FLAGS_${isa}};-O3;-ffp-contract=off;${extra}")
endfunction()
