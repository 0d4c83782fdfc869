# Puts files into the program as bytes: the item files of src/quality/data, the parts of the report
# page (src/report/page) and Chart.js, so that a page needs no other file and no network. Chart.js
# comes from the package libjs-chart.js (3.9.1 on Debian 12 and Ubuntu 24.04, MIT); the names are
# those that its versions and the distributions use.
enable_language(ASM)

find_file(HONE_CHART_JS NAMES chart.min.js chart.umd.min.js chart.umd.js chart.js
    PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist
    NO_DEFAULT_PATH)
if(NOT HONE_CHART_JS)
    message(FATAL_ERROR "Chart.js is missing: scripts/packages build installs libjs-chart.js")
endif()
# The names above are used by versions 2 and 4 too, which have other options.
file(READ ${HONE_CHART_JS} HONE_CHART_JS_HEAD LIMIT 400)
if(NOT HONE_CHART_JS_HEAD MATCHES "Chart\\.js v3\\.")
    message(FATAL_ERROR "${HONE_CHART_JS} is not Chart.js 3")
endif()

# hone_embed(TARGET NAME FILE...): the files one after the other, between the symbols
# hone_asset_NAME_begin and hone_asset_NAME_end.
function(hone_embed target name)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/assets/${name}.S)
    set(lines "    .section .rodata\n    .global hone_asset_${name}_begin\n")
    string(APPEND lines "    .global hone_asset_${name}_end\nhone_asset_${name}_begin:\n")
    foreach(file ${ARGN})
        string(APPEND lines "    .incbin \"${file}\"\n")
    endforeach()
    string(APPEND lines "hone_asset_${name}_end:\n    .section .note.GNU-stack,\"\",@progbits\n")
    file(CONFIGURE OUTPUT ${source} CONTENT "${lines}" @ONLY)
    set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${ARGN}")
    # Apart from the room's own flags, which are for C++.
    add_library(${target}_${name} OBJECT ${source})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${name}>)
endfunction()

function(hone_embed_page target dir)
    hone_embed(${target} chart_js ${HONE_CHART_JS})
    hone_embed(${target} page_html ${dir}/page.html)
    hone_embed(${target} page_css ${dir}/page.css)
    # In the order in which they need each other.
    hone_embed(${target} page_js ${dir}/format.js ${dir}/table.js ${dir}/chart.js
        ${dir}/pictures.js ${dir}/sections.js ${dir}/findings.js
        ${dir}/optimize.js ${dir}/tensors.js ${dir}/main.js)
endfunction()
