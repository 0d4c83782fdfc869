// UnigramEncoder: SentencePiece's unigram language model.
//
// A text is normalized (Charsmap, white space), and of all ways to cut it into tokens the one with
// the best sum of scores is taken: Viterbi's algorithm over positions (Kudo 2018; SentencePiece is
// the reference for behaviour). A character that no token has costs 10 more than the worst token
// and becomes its bytes' tokens "<0x00>" to "<0xFF>" where the vocabulary has all of them, else the
// unknown token, one for a run. Work is linear in the text: at each position as many steps as the
// longest token has bytes, at most. Knows no special tokens. Const and thread-safe after create.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/charsmap.h"
#include "text/prefix_index.h"
#include "text/vocabulary.h"

namespace hone::text {

class UnigramEncoder {
  public:
    struct Scratch {
        struct Best {
            double score;    // of the best way to this position
            uint32_t begin;  // of its last token
            int32_t token;   // -1: unknown
        };
        std::vector<Best> best;  // [n + 1]
        size_t steps = 0;        // of walking tokens, over all calls
    };

    // data: types and scores checked in length by the caller. corrupt: no score for each token, one
    // that is not a number, a broken normalizer.
    static base::Result<UnigramEncoder> create(const VocabularyData& data);

    // Appends the tokens of a text of at most 256 MiB. tokens: the texts `create` was given.
    void encode(std::string_view text, const std::vector<std::string>& tokens, Scratch& scratch,
                std::vector<int32_t>& out) const;

    // What is cut into tokens: rules applied, spaces as U+2581.
    std::string normalize(std::string_view text) const;

  private:
    UnigramEncoder() = default;
    void find_best(std::string_view text, const std::vector<std::string>& tokens,
                   Scratch& scratch) const;

    Charsmap charsmap_;
    PrefixIndex index_;          // of the tokens text can become
    std::vector<float> scores_;  // [vocab_size], user-defined ones 0
    std::array<int32_t, 256> byte_tokens_{};
    bool has_bytes_ = false;
    double unknown_score_ = 0;
    int32_t unknown_ = -1;
    bool adds_space_ = false;
    bool removes_extra_spaces_ = false;
};

}  // namespace hone::text
