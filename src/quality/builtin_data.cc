#include "quality/builtin_data.h"

#include <array>

// Labels of the assembler files that cmake/assets.cmake writes; only their addresses mean anything.
extern "C" {
extern const char hone_asset_items_choice_begin[];
extern const char hone_asset_items_choice_end[];
extern const char hone_asset_items_classification_begin[];
extern const char hone_asset_items_classification_end[];
extern const char hone_asset_items_generation_begin[];
extern const char hone_asset_items_generation_end[];
extern const char hone_asset_items_consistency_begin[];
extern const char hone_asset_items_consistency_end[];
}

namespace hone::quality {
namespace {

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

std::span<const BuiltinData> builtin_data() {
    static const std::array<BuiltinData, 4> kFiles = {{
        {"choice", between(hone_asset_items_choice_begin, hone_asset_items_choice_end)},
        {"classification",
         between(hone_asset_items_classification_begin, hone_asset_items_classification_end)},
        {"generation", between(hone_asset_items_generation_begin, hone_asset_items_generation_end)},
        {"consistency",
         between(hone_asset_items_consistency_begin, hone_asset_items_consistency_end)},
    }};
    return kFiles;
}

}  // namespace hone::quality
