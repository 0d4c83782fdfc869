#include "text/pretokenizer_families.h"

#include <algorithm>

namespace hone::text {

namespace {

using Stage = PretokenizerStage;
constexpr auto kPattern = Stage::Kind::pattern;

// Parts of patterns that many share. The tail reads: all white space at the end of the text, else
// all but its last character.
#define HONE_CONTRACTION "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"
#define HONE_SPACES R"(|[<W>]+(?![^<W>])|[<W>]+)"
#define HONE_TAIL R"(|[<W>]*[\r\n]+)" HONE_SPACES

constexpr std::string_view kDigit = "[<N>]";
constexpr std::string_view kNumber = "[<N>]+";
constexpr std::string_view kUpToThreeDigits = "[<N>]{1,3}";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kLineBreak = R"([\r\n])";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[<L>]+| ?[<N>]+| ?[^<W><L><N>]+" HONE_SPACES;
constexpr std::string_view kLlama3 =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?[<L>]+|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kQwen2 =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?[<L>]+|[<N>]| ?[^<W><L><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kQwen35 =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?[<L><M>]+|[<N>]| ?[^<W><L><M><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kMinicpm5 =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?[<L>]+|[<N>]+| ?[^<W><L><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kUfakzeka =
    R"([^\r\n<L><N>]?[<L>]+|[<N>]| ?[^<W><L><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kSeedCoder =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?[<L>]+|[<N>]| ?[^<W><L><N>\r\n]+)" HONE_TAIL;
constexpr std::string_view kBailing = HONE_CONTRACTION
    R"(|[^\r\n<L><N>]?[<L>]+|[<N>]| ?[^<W><L><N>]+[\r\n]*|[<W>]*[\r\n])" HONE_SPACES;
constexpr std::string_view kExaoneMoe =
    HONE_CONTRACTION R"(|[^\r\n<L><N>]?(?:[<L>][<M>]*+(?: [<L>][<M>]*+)*+)++|[<N>])"
                     R"(| ?[^<W><L><N>]+[\r\n/]?|[<W>]*[\r\n])" HONE_SPACES;
// "Letter but not a-z" and "letter but not A-Z": other alphabets count as both cases.
constexpr std::string_view kTekken =
    R"([^\r\n<L><N>]?[A-Z<O>]*[a-z<O>]+|[^\r\n<L><N>]?[A-Z<O>]+[a-z<O>]*|[<N>])"
    R"(| ?[^<W><L><N>]+[\r\n/]*)" HONE_TAIL;
constexpr std::string_view kGpt4o =
    R"([^\r\n<L><N>]?[A-Z<O>]*[a-z<O>]+(?:)" HONE_CONTRACTION R"()?)"
    R"(|[^\r\n<L><N>]?[A-Z<O>]+[a-z<O>]*(?:)" HONE_CONTRACTION R"()?)"
    R"(|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n/]*)" HONE_TAIL;
constexpr std::string_view kGraniteMultilingual =
    R"([^\r\n<L><N>]?[A-Z<O><M>]*[a-z<O><M>]+(?:)" HONE_CONTRACTION R"()?)"
    R"(|[^\r\n<L><N>]?[A-Z<O><M>]+[a-z<O><M>]*(?:)" HONE_CONTRACTION R"()?)"
    R"(|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n/]*)" HONE_TAIL;
constexpr std::string_view kWordsWithMarks =
    R"([^\r\n<L><N>]?[<L><M>]+(?:)" HONE_CONTRACTION R"()?)"
    R"(|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n/]*)" HONE_TAIL;
constexpr std::string_view kYoutuWords = R"([^\r\n<L><N>]?[<L><M>]+(?:)" HONE_CONTRACTION R"()?)"
                                         R"(|[<N>]| ?[^<W><L><N>]+[\r\n/]*)" HONE_TAIL;
constexpr std::string_view kKimi = R"([<1>]+|[^\r\n<L><N>]?[<l>]+(?:)" HONE_CONTRACTION R"()?)"
                                   R"(|[<N>]{1,3}| ?[^<W><L><N>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kFirstSet = "[<1>]+";
constexpr std::string_view kDeepseek3 =
    R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n<L><P><S>]?[<L><M>]+| ?[<P><S>]+[\r\n]*)" HONE_TAIL;
constexpr std::string_view kSpark =
    R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n<L><P><S>]?[<L><M>]+| ?[<P><S>]+|[\r\n])" HONE_SPACES;
constexpr std::string_view kDeepseekLlmWords = "[<W>]?[A-Za-z<1>]+";
constexpr std::string_view kDeepseekLlmMarks = "[<W>]?[!-/:-~<2>]+";
// White space up to the end, begun only where it begins: else each position of a long run would be
// tried up to its end.
constexpr std::string_view kSpacesAtTheEnd = R"((?<![<W>])[<W>]++\z)";
constexpr std::string_view kThirdSet = "[<3>]+";
constexpr std::string_view kDeepseekCoderWords = "[<W>]?[<L>]+";
constexpr std::string_view kDeepseekCoderMarks = "[<W>]?[<P>]+";
constexpr std::string_view kYoutuScripts = "[<1>]+|[<2>]+|[<3>]+|[<4>]+";
constexpr std::string_view kBloom = " ?[^(<W>|.,!?<1>)]+";
constexpr std::string_view kChameleonImage = "IMGIMG[A-I]{1,4}Z";
constexpr std::string_view kChameleonMark = R"([<P>!-/:-@\[-`{-~])";
constexpr std::string_view kFalconPunctuation = R"([<P>$+<=>^~|`]+)";
constexpr std::string_view kDefaultPunctuation = R"([<P>$+<=>^~|]+)";

#undef HONE_CONTRACTION
#undef HONE_SPACES
#undef HONE_TAIL

constexpr Stage kGpt2Stages[] = {{kPattern, kGpt2}};
constexpr Stage kSmollmStages[] = {{kPattern, kDigit}, {kPattern, kGpt2}};
constexpr Stage kLlama3Stages[] = {{kPattern, kLlama3}};
constexpr Stage kQwen2Stages[] = {{kPattern, kQwen2}};
constexpr Stage kQwen35Stages[] = {{kPattern, kQwen35}};
constexpr Stage kTekkenStages[] = {{kPattern, kTekken}};
constexpr Stage kGpt4oStages[] = {{kPattern, kGpt4o}};
constexpr Stage kGraniteStages[] = {{kPattern, kGraniteMultilingual}};
constexpr Stage kUfakzekaStages[] = {{kPattern, kUfakzeka}};
constexpr Stage kSeedCoderStages[] = {{kPattern, kSeedCoder}};
constexpr Stage kBailingStages[] = {{kPattern, kBailing}};
constexpr Stage kExaoneMoeStages[] = {{kPattern, kExaoneMoe}};
constexpr Stage kKimiStages[] = {{kPattern, kKimi}};
constexpr Stage kBloomStages[] = {{kPattern, kBloom}};
constexpr Stage kVikingStages[] = {{kPattern, kBloom}, {kPattern, kDigit}};
constexpr Stage kLinesStages[] = {{kPattern, kLines}};
constexpr Stage kLagunaStages[] = {{kPattern, kLines}, {kPattern, kQwen2}};
constexpr Stage kMinicpm5Stages[] = {{kPattern, kUpToThreeDigits}, {kPattern, kMinicpm5}};
constexpr Stage kTinyAyaStages[] = {{Stage::Kind::digits_from_right, {}},
                                    {kPattern, kWordsWithMarks}};
constexpr Stage kAfmoeStages[] = {
    {Stage::Kind::digits_from_right, {}}, {kPattern, kFirstSet}, {kPattern, kDeepseek3}};
constexpr Stage kYoutuStages[] = {{kPattern, kYoutuScripts}, {kPattern, kYoutuWords}};
constexpr Stage kDeepseek3Stages[] = {
    {kPattern, kUpToThreeDigits}, {kPattern, kFirstSet}, {kPattern, kDeepseek3}};
constexpr Stage kSparkStages[] = {
    {kPattern, kUpToThreeDigits}, {kPattern, kFirstSet}, {kPattern, kSpark}, {kPattern, kDigit}};
constexpr Stage kDeepseekLlmStages[] = {
    {kPattern, kLineBreak},      {kPattern, kDeepseekLlmWords}, {kPattern, kDeepseekLlmMarks},
    {kPattern, kSpacesAtTheEnd}, {kPattern, kThirdSet},         {kPattern, kNumber}};
constexpr Stage kDeepseekCoderStages[] = {{kPattern, kLineBreak},
                                          {kPattern, kDeepseekCoderWords},
                                          {kPattern, kDeepseekCoderMarks},
                                          {kPattern, kFirstSet},
                                          {kPattern, kDigit}};
constexpr Stage kChameleonStages[] = {{kPattern, "<sentinel:[0-9]+>"}, {kPattern, kChameleonImage},
                                      {kPattern, R"([\t\n]|    |  )"}, {kPattern, kDigit},
                                      {kPattern, kChameleonMark},      {kPattern, kGpt2}};
constexpr Stage kFalconStages[] = {
    {kPattern, kFalconPunctuation}, {kPattern, kGpt2}, {kPattern, kThreeDigits}};
constexpr Stage kDefaultStages[] = {{kPattern, kDefaultPunctuation},
                                    {kPattern, kGpt2},
                                    {kPattern, kNumber},
                                    {kPattern, kThreeDigits}};

// Han and kana, as DeepSeek V3 lists them.
constexpr CodePointRange kHanAndKana[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
// "From U+0800": every script above, Han, and Hangul.
constexpr CodePointRange kWideAsian[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
constexpr CodePointRange kWideMarks[] = {
    {0x2018, 0x201F}, {0x3001, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
constexpr CodePointRange kHan[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                   {0x20000, 0x2A6DF}, {0x2A700, 0x2EBEF}, {0x2F800, 0x2FA1F}};
constexpr CodePointRange kHangul[] = {{0x3131, 0x318E}, {0xAC00, 0xD7A3}};
constexpr CodePointRange kChineseMarks[] = {{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201C, 0x201D},
                                            {0x2026, 0x2026}, {0x3001, 0x303F}, {0xFE30, 0xFE4F},
                                            {0xFF01, 0xFF01}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B}};
constexpr CodePointRange kBopomofo[] = {{0x3105, 0x312F}};
constexpr CodePointRange kAsianScripts[] = {
    {0x0E40, 0x0E7F}, {0x0E80, 0x0EFF}, {0x1000, 0x109F}, {0x1100, 0x11FF}, {0x1780, 0x17FF},
    {0x2F00, 0x2FDF}, {0x3040, 0x30FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA9E0, 0xA9FF},
    {0xAA60, 0xAA7F}, {0xAC00, 0xD7AF}, {0xF900, 0xFAFF}, {0xFF65, 0xFF9F}};
constexpr CodePointRange kSentenceMarks[] = {{0x060C, 0x060C}, {0x06D4, 0x06D4}, {0x0964, 0x0964},
                                             {0x2026, 0x2026}, {0x3001, 0x3002}, {0xFF0C, 0xFF0C}};

constexpr CodePointSet kHanAndKanaSets[] = {kHanAndKana};
constexpr CodePointSet kWideAsianSets[] = {kWideAsian};
constexpr CodePointSet kHanSets[] = {kHan};
constexpr CodePointSet kAsianSets[] = {kAsianScripts};
constexpr CodePointSet kSentenceSets[] = {kSentenceMarks};
constexpr CodePointSet kYoutuSets[] = {kHangul, kChineseMarks, kBopomofo, kHanAndKana};
const CodePointSet kDeepseekLlmSets[] = {kDeepseekCasedLetters, kWideMarks, kWideAsian};

// Which name means which family: the names model converters write into tokenizer.ggml.pre.
const PretokenizerFamily kFamilies[] = {
    {" default ", kDefaultStages, {}},
    {" gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 mpt olmo jais trillion granite-docling jina-es "
     "jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe modern-bert ",
     kGpt2Stages,
     {}},
    {" smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ", kSmollmStages, {}},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     kLlama3Stages,
     {},
     true,
     true},
    {" dbrx smaug-bpe chatglm-bpe ", kLlama3Stages, {}},
    {" glm4 glm5 ", kLlama3Stages, {}, true},
    {" qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 ",
     kQwen2Stages,
     {}},
    {" qwen35 ", kQwen35Stages, {}},
    {" ufakzeka ", kUfakzekaStages, {}},
    {" laguna ", kLagunaStages, {}},
    {" minicpm5 ", kMinicpm5Stages, {}, true},
    {" seed-coder ", kSeedCoderStages, {}},
    {" bailingmoe bailingmoe2 llada-moe ", kBailingStages, {}},
    {" exaone-moe ", kExaoneMoeStages, {}},
    {" tekken ", kTekkenStages, {}, true, true},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", kGpt4oStages, {}},
    {" granite-embed-multi-97m ", kGraniteStages, {}, true},
    {" tiny_aya cohere2moe ", kTinyAyaStages, {}},
    {" afmoe ", kAfmoeStages, kAsianSets},
    {" kimi-k2 ", kKimiStages, kHanSets},
    {" deepseek-llm ", kDeepseekLlmStages, kDeepseekLlmSets},
    {" deepseek-coder ", kDeepseekCoderStages, kWideAsianSets},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", kDeepseek3Stages, kHanAndKanaSets},
    {" spark2_5 ", kSparkStages, kHanAndKanaSets},
    {" youtu ", kYoutuStages, kYoutuSets, true},
    {" bloom poro-chat gpt3-finnish ", kBloomStages, kSentenceSets},
    {" viking ", kVikingStages, kSentenceSets},
    {" chameleon ", kChameleonStages, {}, false, true},
    {" falcon ", kFalconStages, {}},
    {" gemma4 granite-embed-multi-311m ", kLinesStages, {}, false, true, TokenSpelling::characters},
    {" sarvam-moe ", kLinesStages, {}, false, false, TokenSpelling::characters},
};

}  // namespace

bool contains(CodePointSet set, uint32_t code_point) {
    const auto next = std::upper_bound(
        set.begin(), set.end(), code_point,
        [](uint32_t value, const CodePointRange& range) { return value < range.first; });
    return next != set.begin() && code_point <= (next - 1)->last;
}

std::span<const PretokenizerFamily> pretokenizer_families() {
    return kFamilies;
}

}  // namespace hone::text
