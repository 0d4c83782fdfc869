#include "text/pretokenizer.h"

#include "base/check.h"
#include "base/text.h"
#include "text/unicode_classes.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace hone::text {

namespace {

using base::ErrorCode;
using StageKind = PretokenizerStage::Kind;

// A code point beyond ASCII collapses to 0x80 + 16 * class + one bit for each set it is in.
constexpr uint8_t kBeyondAscii = 0x80;
constexpr uint8_t kPerClass = 16;

constexpr uint8_t class_byte(UnicodeClass kind) {
    return static_cast<uint8_t>(kBeyondAscii + kPerClass * static_cast<uint8_t>(kind));
}

std::string escape(uint8_t byte) {
    return fmt::format("\\x{:02X}", byte);
}

std::string all_of(UnicodeClass kind) {
    const uint8_t first = class_byte(kind);
    return escape(first) + "-" + escape(static_cast<uint8_t>(first + kPerClass - 1));
}

// The bytes of all classes but white space, or of letters only, whose bit for the set is `in`.
std::string members(size_t set, bool in, bool only_letters) {
    std::string out;
    for (int byte = kBeyondAscii; byte < class_byte(UnicodeClass::symbol) + kPerClass; ++byte) {
        const auto kind = static_cast<UnicodeClass>((byte - kBeyondAscii) / kPerClass);
        const bool fits =
            only_letters ? kind == UnicodeClass::letter : kind != UnicodeClass::whitespace;
        if (fits && ((byte >> set & 1) != 0) == in) out += escape(static_cast<uint8_t>(byte));
    }
    return out;
}

// What stands for the letter of a macro inside a character class.
std::string expand_macro(char name) {
    switch (name) {
        case 'L':
            return "A-Za-z" + all_of(UnicodeClass::letter);
        case 'N':
            return "0-9" + all_of(UnicodeClass::number);
        case 'M':
            return all_of(UnicodeClass::mark);
        case 'P':
            return R"(!-#%-*,-/:;?@\[-\]_{})" + all_of(UnicodeClass::punctuation);
        case 'S':
            return "$+<->^`|~" + all_of(UnicodeClass::symbol);
        case 'W':
            return R"(\t-\r )" + all_of(UnicodeClass::whitespace);
        case 'O':
            return all_of(UnicodeClass::letter);
        case 'l':
            return "A-Za-z" + members(0, false, true);
        default:
            return members(static_cast<size_t>(name - '1'), true, false);
    }
}

// Replaces <X> by its members, for the letters of macros; "<sentinel:" stays.
std::string expand(std::string_view pattern) {
    constexpr std::string_view kMacros = "LNMPSWOl1234";
    std::string out;
    for (size_t i = 0; i < pattern.size(); ++i) {
        const bool macro = pattern[i] == '<' && i + 2 < pattern.size() && pattern[i + 2] == '>' &&
                           kMacros.find(pattern[i + 1]) != std::string_view::npos;
        if (macro) {
            out += expand_macro(pattern[i + 1]);
            i += 2;
        } else {
            out.push_back(pattern[i]);
        }
    }
    return out;
}

const PretokenizerFamily* find_family(std::string_view name) {
    const std::string framed = " " + std::string(name) + " ";
    for (const PretokenizerFamily& family : pretokenizer_families()) {
        if (family.names.find(framed) != std::string_view::npos) return &family;
    }
    return nullptr;
}

std::string known_names() {
    std::string out;
    for (const PretokenizerFamily& family : pretokenizer_families()) {
        out += family.names.substr(0, family.names.size() - 1);
    }
    return out;
}

// Runs of digits are cut into threes from their right end. What stands before a run stays with its
// first digits, as llama.cpp leaves it; a later stage separates them.
void split_digits(std::string_view collapsed, uint32_t begin, uint32_t end,
                  std::vector<uint32_t>& ends) {
    const auto is_number = [&](uint32_t at) {
        const auto byte = static_cast<uint8_t>(collapsed[at]);
        if (byte < kBeyondAscii) return byte >= '0' && byte <= '9';
        return (byte - kBeyondAscii) / kPerClass == static_cast<int>(UnicodeClass::number);
    };
    uint32_t last = begin;
    for (uint32_t at = begin; at < end;) {
        const uint32_t first = at;
        while (at < end && is_number(at)) ++at;
        for (uint32_t cut = at - (at - first) / 3 * 3; first < at && cut <= at; cut += 3) {
            if (cut == first) continue;
            ends.push_back(cut);
            last = cut;
        }
        if (first == at) ++at;
    }
    if (last < end) ends.push_back(end);
}

// The interpreter counts each character it gives back; 256 MiB of text may need many times that.
constexpr uint32_t kMatchLimit = 2'000'000'000;

int count_step(pcre2_callout_block*, void* steps) {
    ++*static_cast<size_t*>(steps);
    return 0;
}

using MatchData = std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)>;

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

    static base::Result<std::shared_ptr<const Expression>> compile(std::string_view pattern,
                                                                   bool counting) {
        auto expression = std::make_shared<Expression>();
        const std::string text = expand(pattern);
        int error = 0;
        size_t offset = 0;
        const uint32_t options =
            PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | (counting ? PCRE2_AUTO_CALLOUT : 0u);
        expression->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                         options, &error, &offset, nullptr);
        expression->context = pcre2_match_context_create(nullptr);
        if (expression->code == nullptr || expression->context == nullptr) {
            return base::fail(ErrorCode::internal,
                              "pre-tokenizer pattern rejected by PCRE2 (error {} at {})", error,
                              offset);
        }
        pcre2_set_match_limit(expression->context, kMatchLimit);
        // Where the system forbids writable code, PCRE2 keeps to its interpreter: same answers.
        if (!counting) (void)pcre2_jit_compile(expression->code, PCRE2_JIT_COMPLETE);
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

base::Result<Pretokenizer::Stages> Pretokenizer::compile(const PretokenizerFamily& family,
                                                         bool counting) {
    Stages out;
    for (const PretokenizerStage& stage : family.stages) {
        if (stage.kind == StageKind::digits_from_right) {
            out.push_back(nullptr);
            continue;
        }
        HONE_TRY(auto expression, Expression::compile(stage.pattern, counting));
        out.push_back(std::move(expression));
    }
    return out;
}

base::Result<Pretokenizer> Pretokenizer::create(const std::string& name) {
    const PretokenizerFamily* family = find_family(name.empty() ? "default" : name);
    if (family == nullptr || name.find(' ') != std::string::npos) {
        return base::fail(ErrorCode::unsupported, "unknown pre-tokenizer '{}'; known are{}",
                          base::printable(name), known_names());
    }
    Pretokenizer out(family);
    HONE_TRY(out.stages_, compile(*family, false));
    return out;
}

void Pretokenizer::run(const Stages& stages, size_t* steps, std::string_view collapsed,
                       std::vector<uint32_t>& ends) const {
    HONE_CHECK_LE(collapsed.size(), size_t{UINT32_MAX});
    ends.clear();
    if (collapsed.empty()) return;
    ends.push_back(static_cast<uint32_t>(collapsed.size()));
    const MatchData match(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    HONE_CHECK(match != nullptr);
    std::vector<uint32_t> before;
    for (const auto& stage : stages) {
        before.swap(ends);
        ends.clear();
        if (stage && steps != nullptr) pcre2_set_callout(stage->context, count_step, steps);
        uint32_t begin = 0;
        for (const uint32_t end : before) {
            if (stage) {
                stage->split(collapsed, begin, end, match.get(), ends);
            } else {
                split_digits(collapsed, begin, end, ends);
            }
            begin = end;
        }
    }
}

void Pretokenizer::split(std::string_view collapsed, std::vector<uint32_t>& ends) const {
    run(stages_, nullptr, collapsed, ends);
}

size_t Pretokenizer::split_counting(std::string_view collapsed, std::vector<uint32_t>& ends) const {
    const auto stages = compile(*family_, true);
    HONE_CHECK(stages.has_value());
    size_t steps = 0;
    run(*stages, &steps, collapsed, ends);
    return steps;
}

char Pretokenizer::collapse(uint32_t code_point) const {
    if (code_point < kBeyondAscii) return static_cast<char>(code_point);
    int byte = class_byte(unicode_class(code_point));
    for (size_t set = 0; set < family_->sets.size(); ++set) {
        if (contains(family_->sets[set], code_point)) byte |= 1 << set;
    }
    return static_cast<char>(byte);
}

}  // namespace hone::text
