// The vocabulary and the chat template of a model file, as the tokenizer takes them.
//
// Reads the keys under "tokenizer." of the GGUF metadata (their meaning: the GGUF specification and
// llama.cpp's reader) and fills in what a kind of tokenizer means by a missing key. It checks types
// of values; what the values say is for text::check_vocabulary. Pure.
#pragma once

#include "base/result.h"
#include "formats/gguf.h"
#include "text/vocabulary.h"

namespace hone::models {

// not_found: no tokenizer in the file; corrupt: a key with a value of another kind.
base::Result<text::VocabularyData> read_vocabulary(const formats::GgufFile& file);

}  // namespace hone::models
