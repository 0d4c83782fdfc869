// What the fuzz targets of this room do with their bytes; the corpus test does the same without a
// fuzzer. Each function aborts through HONE_CHECK when a promise of a header is broken.
#pragma once

#include <string_view>

namespace hone::text {

// The first byte chooses the kind, the pre-tokenizer, and whether the rest is a text, a vocabulary
// or a normalizer with a text.
void exercise_tokenizer(std::string_view bytes);
// The bytes are a template, rendered over a small conversation with small limits.
void exercise_chat_template(std::string_view bytes);

}  // namespace hone::text
