#include "text/word_encoder.h"

#include <string>

#include "text/sentence_piece_merger.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

// A text as code points: what the pre-tokenizer sees, and where each code point's bytes are.
struct CollapsedText {
    std::string bytes;              // valid in the lenient sense, U+FFFD for bad bytes
    std::string classes;            // [n] one byte per code point
    std::vector<uint32_t> offsets;  // [n + 1] of code points in `bytes`
};

CollapsedText collapse(std::string_view text, const Pretokenizer& pretokenizer) {
    CollapsedText out;
    out.bytes.reserve(text.size());
    out.classes.reserve(text.size());
    out.offsets.reserve(text.size() + 1);
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        out.offsets.push_back(static_cast<uint32_t>(out.bytes.size()));
        append_utf8(out.bytes, next.code_point);
        out.classes.push_back(pretokenizer.collapse(next.code_point));
        text.remove_prefix(next.size_bytes);
    }
    out.offsets.push_back(static_cast<uint32_t>(out.bytes.size()));
    return out;
}

}  // namespace

base::Result<WordEncoder> WordEncoder::create(const VocabularyData& data) {
    HONE_TRY(auto pretokenizer,
             Pretokenizer::create(data.model == "gemma4" ? data.model : data.pre));
    HONE_TRY(auto merger,
             BytePairMerger::create(data.tokens, data.merges, pretokenizer.spelling()));
    return WordEncoder(std::move(pretokenizer), std::move(merger));
}

void WordEncoder::encode(std::string_view bytes, BytePairMerger::Scratch& scratch,
                         std::vector<int32_t>& out) const {
    const bool characters = spelling() == TokenSpelling::characters;
    const CollapsedText text =
        characters ? collapse(mark_spaces(bytes), pretokenizer_) : collapse(bytes, pretokenizer_);
    std::vector<uint32_t> ends;
    pretokenizer_.split(text.classes, ends);
    uint32_t begin = 0;
    for (const uint32_t end : ends) {
        const std::string_view word =
            std::string_view(text.bytes)
                .substr(text.offsets[begin], text.offsets[end] - text.offsets[begin]);
        // Line breaks are words of their own there, and no merges lead to tokens of several.
        const bool whole = pretokenizer_.ignores_merges() || (characters && word[0] == '\n');
        merger_.encode_word(word, whole, scratch, out);
        begin = end;
    }
}

}  // namespace hone::text
