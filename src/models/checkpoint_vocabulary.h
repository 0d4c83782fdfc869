// The tokenizer of a checkpoint as the "tokenizer." keys of a GGUF file, with the names, numbers
// and conventions of llama.cpp's converter: tokens by id, "##" of WordPiece as the lack of U+2581
// before a word, rows of the embedding that no token has as "[PADn]".
//
// tokenizer.json is the format of Hugging Face's tokenizers (its source is the reference); of
// WordPiece, vocab.txt and tokenizer_config.json will do. What a setting asks for and Hone's
// tokenizers do otherwise is refused. Pure; any thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "formats/gguf_writer.h"
#include "models/checkpoint.h"
#include "models/checkpoint_json.h"

namespace hone::models {

// `rows`: of the embedding.
base::Status write_word_pieces(const ReadText& read, uint64_t rows, formats::GgufWriter& out);
base::Status write_byte_pairs(const ReadText& read, const CheckpointJson& config, uint64_t rows,
                              formats::GgufWriter& out);

}  // namespace hone::models
