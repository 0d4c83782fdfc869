// Weaknesses that programs of this kind had, each tried against this one: vocabularies, templates
// and texts as an attacker would write them. SECURITY.md lists which test answers which finding.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"
#include "text/chat_template.h"
#include "text/small_vocabulary.h"
#include "text/tokenizer.h"

namespace hone::text {
namespace {

using base::ErrorCode;

// A byte token is two hexadecimal digits and nothing else: no sign, no third digit, no exception.
TEST(Findings, ByteTokensAreReadStrictly) {
    EXPECT_EQ(parse_byte_token("<0x00>"), 0);
    EXPECT_EQ(parse_byte_token("<0xfF>"), 255);
    for (const char* text : {"<0x-1>", "<0x+1>", "<0xZZ>", "<0x100>", "<0x1>", "<0x 1>", "<0x>",
                             "<0x00", "0x00>", "<0X00>", "<0x0G>", "<0x-0>", "", "<", "<0x0\n>"}) {
        EXPECT_FALSE(parse_byte_token(text)) << text;
    }
    EXPECT_FALSE(parse_byte_token(std::string(1 << 20, '0')));
}

// The same in every kind of vocabulary: such tokens stand for no byte, and no id leaves its range.
TEST(Findings, OddByteTokensStandForNothing) {
    for (VocabularyData data : {small_vocabulary("gpt-2"), small_sentence_pieces(), small_unigram(),
                                small_word_pieces()}) {
        const size_t first = data.tokens.size();
        for (const char* text : {"<0x-1>", "<0xZZ>", "<0x100>", "", "<0x>"}) {
            data.tokens.emplace_back(text);
            data.types.push_back(static_cast<int32_t>(TokenType::byte));
            if (!data.scores.empty()) data.scores.push_back(0);
        }
        const auto tokenizer = Tokenizer::create(data);
        ASSERT_TRUE(tokenizer.has_value()) << data.model;
        for (size_t id = first; id < data.tokens.size(); ++id) {
            EXPECT_EQ(tokenizer->decode_piece(static_cast<int32_t>(id)), "") << data.model;
        }
        for (const int32_t id : tokenizer->encode("a\x01\xFF<0x-1>", {.parse_special = true})) {
            EXPECT_GE(id, 0);
            EXPECT_LT(id, tokenizer->vocab_size());
        }
    }
}

TEST(Findings, ATokenOfAMebibyteIsRefused) {
    for (VocabularyData data : {small_vocabulary("gpt-2"), small_sentence_pieces(), small_unigram(),
                                small_word_pieces()}) {
        data.tokens[5] = std::string(1 << 20, 'x');
        EXPECT_EQ(Tokenizer::create(data).error().code, ErrorCode::exhausted) << data.model;
    }
}

// Signed against unsigned counts once let a prompt write beyond a buffer: here the answer is as
// long as it is, for texts that give more tokens than bytes (each bad byte becomes three) and for
// none.
TEST(Findings, AnswersAreAsLongAsTheyAre) {
    const auto tokenizer = *Tokenizer::create(small_vocabulary("gpt-2"));
    EXPECT_EQ(tokenizer.encode(std::string(100'000, '\xFF'), {.add_bos = false}).size(), 300'000u);
    EXPECT_EQ(tokenizer.encode("", {.add_bos = false}).size(), 0u);
    const auto pieces = *Tokenizer::create(small_sentence_pieces());
    EXPECT_EQ(pieces.encode(std::string(100'000, '\x80'), {.add_bos = false}).size(), 100'001u);
}

struct BadVocabulary {
    const char* name;
    VocabularyData (*make)();
    ErrorCode code;
};

template <auto make, auto damage>
VocabularyData damaged() {
    VocabularyData data = make();
    damage(data);
    return data;
}

VocabularyData bytes_vocabulary() {
    return small_vocabulary("gpt-2");
}

constexpr auto kNoScores = [](VocabularyData& d) { d.scores.clear(); };
constexpr auto kNanScore = [](VocabularyData& d) { d.scores[9] = std::nanf(""); };
constexpr auto kInfiniteScore = [](VocabularyData& d) {
    d.scores[9] = -std::numeric_limits<float>::infinity();
};
constexpr auto kFewTypes = [](VocabularyData& d) { d.types.resize(3); };
constexpr auto kManyTypes = [](VocabularyData& d) { d.types.resize(d.types.size() + 1); };
constexpr auto kTwice = [](VocabularyData& d) { d.tokens[4] = d.tokens[6]; };
constexpr auto kNothing = [](VocabularyData& d) { d.tokens.clear(); };
constexpr auto kBos = [](VocabularyData& d) { d.bos_id = INT32_MAX; };
constexpr auto kSeparator = [](VocabularyData& d) { d.sep_id = 1 << 20; };
constexpr auto kUnknown = [](VocabularyData& d) { d.unk_id = INT32_MIN; };
constexpr auto kPadding = [](VocabularyData& d) { d.pad_id = -7; };
constexpr auto kCharsmap = [](VocabularyData& d) { d.charsmap = "\x04\xFF\xFF\xFFxyz"; };
constexpr auto kMergeOfOne = [](VocabularyData& d) { d.merges.emplace_back("one"); };
constexpr auto kMergeOfSpace = [](VocabularyData& d) { d.merges.emplace_back(" "); };
constexpr auto kMergeWithoutEnd = [](VocabularyData& d) { d.merges.emplace_back("a "); };
constexpr auto kEmptyMerge = [](VocabularyData& d) { d.merges.emplace_back(""); };
constexpr auto kHugeMerge = [](VocabularyData& d) { d.merges[0] = std::string(1 << 20, 'a'); };
constexpr auto kManySpecials = [](VocabularyData& d) {
    for (int i = 0; i < 20'000; ++i) {
        d.tokens.push_back("<" + std::to_string(i) + ">");
        d.types.push_back(static_cast<int32_t>(TokenType::control));
        if (!d.scores.empty()) d.scores.push_back(0);
    }
};
constexpr auto kModel = [](VocabularyData& d) { d.model = "rwkv"; };
constexpr auto kModelOfControls = [](VocabularyData& d) { d.model = "\x1b[2J\n"; };
constexpr auto kPre = [](VocabularyData& d) { d.pre = "\x1b[2J\n"; };

constexpr BadVocabulary kBad[] = {
    {"pieces: no scores", damaged<small_sentence_pieces, kNoScores>, ErrorCode::corrupt},
    {"pieces: score NaN", damaged<small_sentence_pieces, kNanScore>, ErrorCode::corrupt},
    {"pieces: score -inf", damaged<small_sentence_pieces, kInfiniteScore>, ErrorCode::corrupt},
    {"pieces: few types", damaged<small_sentence_pieces, kFewTypes>, ErrorCode::corrupt},
    {"pieces: twice", damaged<small_sentence_pieces, kTwice>, ErrorCode::corrupt},
    {"pieces: BOS", damaged<small_sentence_pieces, kBos>, ErrorCode::corrupt},
    {"pieces: specials", damaged<small_sentence_pieces, kManySpecials>, ErrorCode::exhausted},
    {"unigram: no scores", damaged<small_unigram, kNoScores>, ErrorCode::corrupt},
    {"unigram: score NaN", damaged<small_unigram, kNanScore>, ErrorCode::corrupt},
    {"unigram: score -inf", damaged<small_unigram, kInfiniteScore>, ErrorCode::corrupt},
    {"unigram: many types", damaged<small_unigram, kManyTypes>, ErrorCode::corrupt},
    {"unigram: twice", damaged<small_unigram, kTwice>, ErrorCode::corrupt},
    {"unigram: normalizer", damaged<small_unigram, kCharsmap>, ErrorCode::corrupt},
    {"unigram: unknown", damaged<small_unigram, kUnknown>, ErrorCode::corrupt},
    {"unigram: empty", damaged<small_unigram, kNothing>, ErrorCode::corrupt},
    {"words: few types", damaged<small_word_pieces, kFewTypes>, ErrorCode::corrupt},
    {"words: twice", damaged<small_word_pieces, kTwice>, ErrorCode::corrupt},
    {"words: separator", damaged<small_word_pieces, kSeparator>, ErrorCode::corrupt},
    {"words: padding", damaged<small_word_pieces, kPadding>, ErrorCode::corrupt},
    {"words: empty", damaged<small_word_pieces, kNothing>, ErrorCode::corrupt},
    {"words: specials", damaged<small_word_pieces, kManySpecials>, ErrorCode::exhausted},
    {"bytes: merge of one", damaged<bytes_vocabulary, kMergeOfOne>, ErrorCode::corrupt},
    {"bytes: merge of a space", damaged<bytes_vocabulary, kMergeOfSpace>, ErrorCode::corrupt},
    {"bytes: merge without end", damaged<bytes_vocabulary, kMergeWithoutEnd>, ErrorCode::corrupt},
    {"bytes: empty merge", damaged<bytes_vocabulary, kEmptyMerge>, ErrorCode::corrupt},
    {"bytes: huge merge", damaged<bytes_vocabulary, kHugeMerge>, ErrorCode::exhausted},
    {"bytes: model", damaged<bytes_vocabulary, kModel>, ErrorCode::unsupported},
    {"bytes: model of controls", damaged<bytes_vocabulary, kModelOfControls>,
     ErrorCode::unsupported},
    {"bytes: pre of controls", damaged<bytes_vocabulary, kPre>, ErrorCode::unsupported},
    {"bytes: specials", damaged<bytes_vocabulary, kManySpecials>, ErrorCode::exhausted},
};

TEST(Findings, BadVocabulariesOfEachKindAreRefusedWithOneLine) {
    for (const BadVocabulary& bad : kBad) {
        const auto tokenizer = Tokenizer::create(bad.make());
        ASSERT_FALSE(tokenizer.has_value()) << bad.name;
        EXPECT_EQ(tokenizer.error().code, bad.code) << bad.name << tokenizer.error().message;
        for (const char c : tokenizer.error().message) EXPECT_GE(c, ' ') << bad.name;
    }
}

// Each special token that a text holds takes a pass over it, and only those.
TEST(Findings, ATextOfEverySpecialTokenIsCut) {
    VocabularyData data = small_vocabulary("gpt-2");
    std::string text;
    for (int i = 0; i < 2'000; ++i) {
        data.tokens.push_back(fmt::format("<s{}>", i));
        data.types.push_back(static_cast<int32_t>(TokenType::control));
        text += data.tokens.back();
    }
    const auto tokenizer = *Tokenizer::create(data);
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = true, .add_bos = false}).size(), 2'000u);
}

base::Result<std::string> render_finding(const std::string& source, const ChatInput& input = {}) {
    auto parsed = ChatTemplate::parse(source);
    if (!parsed) return tl::unexpected<base::Error>(parsed.error());
    return parsed->render(input);
}

// A template is a program of the model file's author. Ways out of Jinja's sandbox, as published.
TEST(Findings, TemplatesReachNothingOfTheHost) {
    ChatInput input;
    input.messages = {{"user", "x", {}}};
    for (const char* expression : {"''.__class__",
                                   "''.__class__.__mro__[1].__subclasses__()",
                                   "messages.__class__",
                                   "messages[0].__init__.__globals__",
                                   "cycler.__init__.__globals__.os.popen('id').read()",
                                   "lipsum.__globals__['os'].popen('id').read()",
                                   "self.__init__.__globals__",
                                   "self._TemplateReference__context",
                                   "request.application.__globals__",
                                   "namespace.__init__.__globals__",
                                   "range.__class__",
                                   "raise_exception.__globals__",
                                   "joiner.__init__.__globals__",
                                   "dict.__base__",
                                   "''['__class__']['__mro__']",
                                   "''|attr('__class__')|attr('__mro__')",
                                   "(messages|map(attribute='__class__')|list)[0].a",
                                   "'{0.__class__}'.format(1)",
                                   "'%s' % ''.__class__",
                                   "open('/etc/passwd').read()",
                                   "import('os')",
                                   "config.items()",
                                   "get_flashed_messages.__globals__",
                                   "loop.__class__.a",
                                   "caller.__globals__",
                                   "environ['HOME']",
                                   "''.format_map({})"}) {
        const auto got = render_finding(fmt::format("{{{{ {} }}}}", expression), input);
        // Refused, or undefined, which prints as nothing.
        EXPECT_EQ(got.value_or(""), "") << expression;
    }
    for (const char* tag :
         {"{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% extends 'base' %}",
          "{% from 'os' import system %}", "{% block x %}{% endblock %}", "{% debug %}",
          "{% do messages.append(1) %}", "{% call x() %}{% endcall %}x"}) {
        EXPECT_FALSE(render_finding(tag, input).has_value()) << tag;
    }
}

// The values a template is given stay as they are, and so do the names that are ours.
TEST(Findings, VariablesOfARequestCannotReplaceOurs) {
    for (const char* name : {"messages", "add_generation_prompt", "bos_token", "eos_token"}) {
        ChatInput input;
        input.extra = base::Json{{name, "x"}};
        EXPECT_EQ(render_finding("x", input).error().code, ErrorCode::invalid_argument) << name;
    }
}

struct Endless {
    const char* source;
    const char* name;
};

// Time and output have a bound that is charged before the work: each of these fails, and none makes
// more text than the limit on the way.
TEST(Findings, EndlessTemplatesFailWithinTheirBudget) {
    const Endless sources[] = {
        {"{% for i in range(10**9) %}{% endfor %}", "range"},
        {"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "loops"},
        {"{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}"
         "{% endfor %}{{ ns.s }}",
         "doubling"},
        {"{% for i in range(99999) %}{{ messages }}{{ 'x' * 1000 }}{% endfor %}", "output"},
        {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"},
        {"{% set x = 'a' * 900000 %}{% for i in range(9999) %}{{ x.replace('a', 'bb')|length }}"
         "{% endfor %}",
         "copies"},
        {"{{ ('a' * 900000).split('a') | join('a' * 900000) }}", "join"},
        {"{% set x = 'ab' * 400000 %}{% for i in range(9999) %}{{ x.count('ba') }}{% endfor %}",
         "search"},
        {"{{ range(99999) | map('string') | map('upper') | join('x' * 99999) }}", "filters"},
    };
    for (const Endless& endless : sources) {
        const auto parsed = ChatTemplate::parse(endless.source);
        ASSERT_TRUE(parsed.has_value()) << endless.name;
        const auto got = parsed->render({});
        ASSERT_FALSE(got.has_value()) << endless.name;
        EXPECT_EQ(got.error().code, ErrorCode::exhausted) << got.error().message;
    }
}

// What makes parsers recurse: 60,000 levels of anything end in an error, not in the stack's end.
TEST(Findings, DeepSourcesAreRefused) {
    for (const char* unit : {"(", "[", "{1:", "-", "not ", "a(", "a[", "1 if ", "a.b|c("}) {
        std::string source = "{{ ";
        for (int i = 0; i < 60'000; ++i) source += unit;
        EXPECT_FALSE(ChatTemplate::parse(source + " }}").has_value()) << unit;
    }
}

}  // namespace
}  // namespace hone::text
