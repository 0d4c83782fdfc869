// WordEncoder: BPE of a text, word by word: a pre-tokenizer cuts, a merger encodes.
//
// What lies between bytes and ids for the models "gpt2" and "gemma4". Bad UTF-8 becomes U+FFFD byte
// by byte first. Knows no special tokens. Const and thread-safe after create; the scratch belongs
// to one call.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/byte_pair_merger.h"
#include "text/pretokenizer.h"
#include "text/vocabulary.h"

namespace hone::text {

class WordEncoder {
  public:
    // Errors: those of Pretokenizer and BytePairMerger.
    static base::Result<WordEncoder> create(const VocabularyData& data);

    bool adds_bos_by_default() const { return pretokenizer_.adds_bos_by_default(); }
    TokenSpelling spelling() const { return pretokenizer_.spelling(); }

    // Appends the tokens of a text of at most 256 MiB.
    void encode(std::string_view bytes, BytePairMerger::Scratch& scratch,
                std::vector<int32_t>& out) const;

  private:
    WordEncoder(Pretokenizer pretokenizer, BytePairMerger merger)
        : pretokenizer_(std::move(pretokenizer)), merger_(std::move(merger)) {}

    Pretokenizer pretokenizer_;
    BytePairMerger merger_;
};

}  // namespace hone::text
