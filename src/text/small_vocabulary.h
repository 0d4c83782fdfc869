// A handmade vocabulary for tests and fuzzers: all bytes, a few merges, a few special tokens.
#pragma once

#include "text/vocabulary.h"

namespace hone::text {

// Ids 0..255 are the bytes in order, then the merges "h e", "l l", "he ll", "hell o", "Ġ hello",
// "1 2", "Ã ©", then <|endoftext|> and <|im_end|> (control) and <tool> (user-defined).
VocabularyData small_vocabulary(const std::string& pre);

constexpr int32_t kSmallHe = 256;
constexpr int32_t kSmallLl = 257;
constexpr int32_t kSmallHell = 258;
constexpr int32_t kSmallHello = 259;
constexpr int32_t kSmallSpaceHello = 260;
constexpr int32_t kSmall12 = 261;
constexpr int32_t kSmallEAcute = 262;
constexpr int32_t kSmallEndOfText = 263;
constexpr int32_t kSmallImEnd = 264;
constexpr int32_t kSmallTool = 265;

// A SentencePiece vocabulary: <unk> <s> </s>, the 256 byte tokens, then the pieces below with
// scores in which "ab" beats "bc".
VocabularyData small_sentence_pieces();

constexpr int32_t kPieceByte0 = 3;
constexpr int32_t kPieceMark = 259;  // a space
constexpr int32_t kPieceA = 260;
constexpr int32_t kPieceC = 262;
constexpr int32_t kPieceAb = 263;
constexpr int32_t kPieceMarkAb = 266;

// The same pieces for unigram, with a small normalizer; and a WordPiece vocabulary of a few pieces.
VocabularyData small_unigram();
VocabularyData small_word_pieces();

}  // namespace hone::text
