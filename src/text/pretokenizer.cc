#include "text/pretokenizer.h"

#include "base/check.h"
#include "text/unicode_classes.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <span>

namespace hone::text {

namespace {

using base::ErrorCode;

// In the patterns below, L, N, M, P, S and W in angle brackets stand for Unicode letters, numbers,
// marks, punctuation, symbols and white space; they may be used inside [...] only. The byte of a
// class in collapsed text is 0x80 + UnicodeClass.
constexpr char kClassByteFirst = static_cast<char>(0x80);

struct Macro {
    std::string_view name;
    std::string_view members;
};
constexpr std::array<Macro, 6> kMacros = {{
    {"<L>", R"(A-Za-z\x82)"},
    {"<N>", R"(0-9\x83)"},
    {"<M>", R"(\x84)"},
    {"<P>", R"(!-#%-*,-/:;?@\[-\]_{}\x85)"},
    {"<S>", R"($+<->^`|~\x86)"},
    {"<W>", R"(\t-\r \x81)"},
}};

// The patterns are those the models were trained with, in the classes above. The tail
// `W+(?!not W)|W+` reads: all white space at the end, else all but its last character.
constexpr std::string_view kDigit = "[<N>]";
constexpr std::string_view kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[<L>]+| ?[<N>]+| ?[^<W><L><N>]+|[<W>]+(?![^<W>])|[<W>]+";
constexpr std::string_view kLlama3 =
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n<L><N>]?[<L>]+|[<N>]{1,3})"
    R"(| ?[^<W><L><N>]+[\r\n]*|[<W>]*[\r\n]+|[<W>]+(?![^<W>])|[<W>]+)";
constexpr std::string_view kQwen2 =
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n<L><N>]?[<L>]+|[<N>])"
    R"(| ?[^<W><L><N>]+[\r\n]*|[<W>]*[\r\n]+|[<W>]+(?![^<W>])|[<W>]+)";
constexpr std::string_view kQwen35 =
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n<L><N>]?[<L><M>]+|[<N>])"
    R"(| ?[^<W><L><M><N>]+[\r\n]*|[<W>]*[\r\n]+|[<W>]+(?![^<W>])|[<W>]+)";
// "Letter but not a-z" and "letter but not A-Z": other alphabets count as both cases.
constexpr std::string_view kTekken =
    R"([^\r\n<L><N>]?[A-Z\x82]*[a-z\x82]+|[^\r\n<L><N>]?[A-Z\x82]+[a-z\x82]*|[<N>])"
    R"(| ?[^<W><L><N>]+[\r\n/]*|[<W>]*[\r\n]+|[<W>]+(?![^<W>])|[<W>]+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n<L><N>]?[A-Z\x82]*[a-z\x82]+(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
    R"(|[^\r\n<L><N>]?[A-Z\x82]+[a-z\x82]*(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
    R"(|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n/]*|[<W>]*[\r\n]+|[<W>]+(?![^<W>])|[<W>]+)";
constexpr std::string_view kFalconPunctuation = R"([<P>$+<=>^~|`]+)";
constexpr std::string_view kDefaultPunctuation = R"([<P>$+<=>^~|]+)";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kNumber = "[<N>]+";

constexpr std::array<std::string_view, 1> kGpt2Stages = {kGpt2};
constexpr std::array<std::string_view, 2> kSmollmStages = {kDigit, kGpt2};
constexpr std::array<std::string_view, 1> kLlama3Stages = {kLlama3};
constexpr std::array<std::string_view, 1> kQwen2Stages = {kQwen2};
constexpr std::array<std::string_view, 1> kQwen35Stages = {kQwen35};
constexpr std::array<std::string_view, 1> kTekkenStages = {kTekken};
constexpr std::array<std::string_view, 1> kGpt4oStages = {kGpt4o};
constexpr std::array<std::string_view, 3> kFalconStages = {kFalconPunctuation, kGpt2, kThreeDigits};
constexpr std::array<std::string_view, 4> kDefaultStages = {kDefaultPunctuation, kGpt2, kNumber,
                                                            kThreeDigits};

struct Family {
    std::string_view names;  // separated and framed by spaces
    std::span<const std::string_view> stages;
    bool ignores_merges;
    bool adds_bos_by_default;
};

// Which name means which family: the names model converters write into tokenizer.ggml.pre.
constexpr std::array<Family, 11> kFamilies = {{
    {" default ", kDefaultStages, false, false},
    {" gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 mpt olmo jais trillion granite-docling ",
     kGpt2Stages, false, false},
    {" smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ", kSmollmStages,
     false, false},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ", kLlama3Stages, true,
     true},
    {" dbrx smaug-bpe chatglm-bpe ", kLlama3Stages, false, false},
    {" glm4 glm5 ", kLlama3Stages, true, false},
    {" qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 ",
     kQwen2Stages, false, false},
    {" qwen35 ", kQwen35Stages, false, false},
    {" tekken ", kTekkenStages, true, true},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", kGpt4oStages, false, false},
    {" falcon ", kFalconStages, false, false},
}};

const Family* find_family(std::string_view name) {
    const std::string framed = " " + std::string(name) + " ";
    for (const Family& family : kFamilies) {
        if (family.names.find(framed) != std::string_view::npos) return &family;
    }
    return nullptr;
}

std::string expand(std::string_view pattern) {
    std::string out;
    while (!pattern.empty()) {
        const auto* macro = std::find_if(kMacros.begin(), kMacros.end(), [&](const Macro& m) {
            return pattern.substr(0, m.name.size()) == m.name;
        });
        if (macro != kMacros.end()) {
            out += macro->members;
            pattern.remove_prefix(macro->name.size());
        } else {
            out.push_back(pattern.front());
            pattern.remove_prefix(1);
        }
    }
    return out;
}

// The interpreter counts each character it gives back; 256 MiB of text may need many times that.
constexpr uint32_t kMatchLimit = 2'000'000'000;

}  // namespace

struct Pretokenizer::Expression {
    pcre2_code* code = nullptr;
    pcre2_match_context* context = nullptr;

    Expression() = default;
    Expression(const Expression&) = delete;
    Expression& operator=(const Expression&) = delete;
    ~Expression() {
        pcre2_match_context_free(context);
        pcre2_code_free(code);
    }

    static base::Result<std::shared_ptr<const Expression>> compile(std::string_view pattern) {
        auto expression = std::make_shared<Expression>();
        const std::string text = expand(pattern);
        int error = 0;
        size_t offset = 0;
        expression->code =
            pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                          PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &offset, nullptr);
        expression->context = pcre2_match_context_create(nullptr);
        if (expression->code == nullptr || expression->context == nullptr) {
            return base::fail(ErrorCode::internal,
                              "pre-tokenizer pattern rejected by PCRE2 (error {} at {})", error,
                              offset);
        }
        pcre2_set_match_limit(expression->context, kMatchLimit);
        // Where the system forbids writable code, PCRE2 keeps to its interpreter: same answers.
        (void)pcre2_jit_compile(expression->code, PCRE2_JIT_COMPLETE);
        return std::shared_ptr<const Expression>(std::move(expression));
    }

    // Appends the end offsets of the pieces of collapsed[begin, end).
    void split(std::string_view collapsed, uint32_t begin, uint32_t end, pcre2_match_data* match,
               std::vector<uint32_t>& ends) const {
        // The subject ends where the piece ends, so that no lookahead sees beyond it.
        const auto* subject = reinterpret_cast<PCRE2_SPTR>(collapsed.data() + begin);
        const size_t size = end - begin;
        size_t position = 0;
        while (position < size) {
            const int found = pcre2_match(code, subject, size, position, 0, match, context);
            if (found < 0) break;  // no more matches, or a limit: the rest stays one piece
            const size_t* offsets = pcre2_get_ovector_pointer(match);
            if (offsets[1] <= offsets[0]) break;  // no pattern of the table matches nothing
            if (offsets[0] > position) ends.push_back(begin + static_cast<uint32_t>(offsets[0]));
            ends.push_back(begin + static_cast<uint32_t>(offsets[1]));
            position = offsets[1];
        }
        if (position < size) ends.push_back(end);
    }
};

base::Result<Pretokenizer> Pretokenizer::create(const std::string& name) {
    const Family* family = find_family(name.empty() ? "default" : name);
    if (family == nullptr || name.find(' ') != std::string::npos) {
        return base::fail(ErrorCode::unsupported, "unknown pre-tokenizer '{}'", name);
    }
    Pretokenizer out;
    for (std::string_view pattern : family->stages) {
        HONE_TRY(auto expression, Expression::compile(pattern));
        out.stages_.push_back(std::move(expression));
    }
    out.ignores_merges_ = family->ignores_merges;
    out.adds_bos_by_default_ = family->adds_bos_by_default;
    return out;
}

void Pretokenizer::split(std::string_view collapsed, std::vector<uint32_t>& ends) const {
    HONE_CHECK_LE(collapsed.size(), size_t{UINT32_MAX});
    ends.clear();
    if (collapsed.empty()) return;
    ends.push_back(static_cast<uint32_t>(collapsed.size()));
    std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    HONE_CHECK(match != nullptr);
    std::vector<uint32_t> before;
    for (const auto& stage : stages_) {
        before.swap(ends);
        ends.clear();
        uint32_t begin = 0;
        for (uint32_t end : before) {
            stage->split(collapsed, begin, end, match.get(), ends);
            begin = end;
        }
    }
}

char Pretokenizer::collapse(uint32_t code_point) {
    if (code_point < 0x80) return static_cast<char>(code_point);
    return static_cast<char>(kClassByteFirst + static_cast<char>(unicode_class(code_point)));
}

}  // namespace hone::text
