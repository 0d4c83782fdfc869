// A checkpoint: the directory in which Hugging Face's transformers and sentence-transformers keep a
// model, presented as the GGUF file that it would be.
//
//   config.json                   shapes; model_type names the architecture
//   model.safetensors             weights, or model.safetensors.index.json and the files it names
//   tokenizer.json                the tokenizer; of WordPiece vocab.txt will do
//   tokenizer_config.json         names of special tokens, the chat template (optional)
//   chat_template.jinja           the chat template, in newer ones (optional)
//   modules.json, 1_Pooling/      how sentence-transformers makes one vector of a text (optional)
//
// The result has the keys and the names that llama.cpp's converter gives such models, so nothing
// else in Hone knows of checkpoints. Weights stay mapped where they are, with two exceptions in
// memory: rows that GGUF keeps in another order, and vectors and the segments of a BERT, which
// become F32. All of it is foreign and checked; a setting that would change the model's answers and
// that Hone does not have is refused by its name. Its files name others by plain names only; links
// are followed, since the hub's own cache consists of them. Pure beside reading; any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"

namespace hone::models {

// The text of a small file by its name within the directory; not_found where there is none.
using ReadText = std::function<base::Result<std::string>(const std::string& name)>;

// Errors: those of SafetensorsFile::open; not_found (a file, by name); corrupt (a file contradicts
// its form or another); unsupported (a model or a setting, by name); exhausted (limits).
base::Result<formats::GgufFile> open_checkpoint(const std::string& directory);

// The same for texts and weights at hand. `name` stands for the directory in messages.
base::Result<formats::GgufFile> make_checkpoint(const std::string& name, const ReadText& read,
                                                std::vector<formats::SafetensorsFile> weights);

// A GGUF file, or a directory that is a checkpoint.
base::Result<formats::GgufFile> open_model_file(const std::string& path);

// The last part of a model's path; that of a directory may end in a slash.
std::string display_name(const std::string& path);

}  // namespace hone::models
