// Every architecture against an independent implementation: logits of tiny random models that
// transformers computed (tests/golden/make_architectures.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "graph/executor.h"
#include "graph/passes.h"
#include "models/architecture.h"
#include "models/model.h"
#include "tensor/buffer.h"

namespace hone::runtime {
namespace {

// K and V are kept in f16: 5e-4 of each key and value, which the softmax of these sharp models
// magnifies to 0.1 % to 0.9 % of the logits' deviation (seen on AVX-512).
constexpr double kToleranceOfDeviation = 0.02;
constexpr const char* kGoldens = HONE_SOURCE_DIR "/tests/golden/architectures";

base::Json goldens() {
    const auto text = base::read_file(std::string(kGoldens) + ".json", 8 << 20);
    EXPECT_TRUE(text) << text.error().message;
    const auto json = base::parse_json(text ? *text : "[]");
    EXPECT_TRUE(json) << json.error().message;
    return json ? *json : base::Json::array();
}

std::string path_of(const base::Json& golden) {
    return std::string(kGoldens) + "/" + golden["name"].get<std::string>() + ".gguf";
}

struct Setup {
    std::vector<std::string> disabled = {};
    int threads = 2;
};

// The model of one file, with pages for one sequence in each layer group.
class LoadedModel {
  public:
    LoadedModel(const std::string& path, const Setup& setup) {
        auto model = models::Model::open(path);
        if (!model) {
            ADD_FAILURE() << model.error().message;
            return;
        }
        model_ = std::move(*model);
        graph::PrepareOptions options;
        options.isa = machine::detect_isa();
        options.threads = setup.threads;
        options.tokens_max = kContext;
        options.outputs_max = kContext;
        options.disabled_passes = setup.disabled;
        auto plan = graph::prepare(*model_->build_graph(kContext), options, clock_);
        EXPECT_TRUE(plan) << plan.error().message;
        team_ = *machine::ThreadTeam::create({setup.threads, false, 1000});
        executor_ = *graph::Executor::create(std::move(*plan), *model_, *team_);
        for (const models::LayerGroup& group : model_->config().groups) add_pages(group);
        for (const auto& table : tables_) pages_.push_back(table.data());
    }

    // Logits of every token, computed in slices; an encoder's values, computed in one.
    std::vector<std::vector<float>> logits(const std::vector<int32_t>& tokens, uint32_t slice) {
        if (!model_->config().causal) slice = static_cast<uint32_t>(tokens.size());
        std::vector<std::vector<float>> out;
        for (uint32_t at = 0; executor_ && at < tokens.size(); at += slice) {
            const auto n = std::min<uint32_t>(slice, static_cast<uint32_t>(tokens.size()) - at);
            const graph::StepSlice step{0, n, at, pages_};
            std::vector<uint32_t> rows(n);
            for (uint32_t i = 0; i < n; ++i) rows[i] = i;
            const auto all = executor_->run({{tokens.data() + at, n}, {&step, 1}, rows});
            for (uint32_t i = 0; i < n; ++i) {
                const auto row = all.subspan(size_t{i} * executor_->vocab(), executor_->vocab());
                out.emplace_back(row.begin(), row.end());
            }
        }
        return out;
    }

    int barriers(uint32_t tokens) const { return executor_->plan().barriers(tokens); }
    uint32_t n_layers() const { return model_->config().n_layers; }

  private:
    static constexpr uint32_t kContext = 64;

    void add_pages(const models::LayerGroup& group) {
        const models::ModelConfig& c = model_->config();
        const kernels::KvLayout layout{c.n_kv_heads, c.head_dim, c.kv_layers(group), group.window};
        const size_t n = kContext / kernels::kPageTokens;
        memory_.push_back(*tensor::Buffer::allocate(layout.page_bytes() * n));
        auto& table = tables_.emplace_back();
        for (size_t i = 0; i < n; ++i) {
            table.push_back(memory_.back().data() + i * layout.page_bytes());
        }
    }

    base::SteadyClock clock_;
    std::unique_ptr<models::Model> model_;
    std::unique_ptr<machine::ThreadTeam> team_;
    std::unique_ptr<graph::Executor> executor_;
    std::vector<tensor::Buffer> memory_;
    std::vector<std::vector<std::byte*>> tables_;
    std::vector<std::byte* const*> pages_;
};

void expect_golden(const base::Json& golden, const std::vector<std::vector<float>>& got) {
    const auto positions = golden["positions"].get<std::vector<size_t>>();
    const auto logits = golden["logits"].get<std::vector<std::vector<float>>>();
    ASSERT_EQ(positions.size(), logits.size());
    ASSERT_FALSE(positions.empty());
    for (size_t p = 0; p < positions.size(); ++p) {
        ASSERT_LT(positions[p], got.size());
        const std::vector<float>& row = got[positions[p]];
        ASSERT_EQ(row.size(), logits[p].size());
        double squares = 0;
        double gap = 0;
        for (size_t i = 0; i < row.size(); ++i) {
            squares += double{logits[p][i]} * double{logits[p][i]};
            gap = std::max(gap, std::fabs(double{row[i]} - double{logits[p][i]}));
        }
        const double deviation = std::sqrt(squares / static_cast<double>(row.size()));
        EXPECT_LT(gap, kToleranceOfDeviation * deviation)
            << golden["name"] << " position " << positions[p];
    }
}

// The same models as transformers saves them (tests/golden/make_checkpoints.py).
TEST(Architectures, DirectoriesEqualAnIndependentImplementation) {
    int found = 0;
    for (const base::Json& golden : goldens()) {
        const std::string path =
            std::string(kGoldens) + "/../checkpoints/" + golden["name"].get<std::string>();
        if (!std::filesystem::exists(path)) continue;
        ++found;
        LoadedModel run(path, {});
        expect_golden(golden, run.logits(golden["tokens"].get<std::vector<int32_t>>(), 16));
    }
    EXPECT_EQ(found, 3);
}

TEST(Architectures, LogitsEqualAnIndependentImplementation) {
    std::set<std::string> seen;
    for (const base::Json& golden : goldens()) {
        const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
        const auto model = models::Model::open(path_of(golden));
        ASSERT_TRUE(model) << model.error().message;
        seen.insert((*model)->config().architecture);
        for (const uint32_t slice : {16u, 3u, 1u}) {
            SCOPED_TRACE(slice);
            LoadedModel run(path_of(golden), {});
            expect_golden(golden, run.logits(tokens, slice));
        }
    }
    for (const models::Architecture& architecture : models::architectures()) {
        EXPECT_TRUE(seen.contains(architecture.name)) << architecture.name << " has no golden";
    }
}

TEST(Architectures, LogitsEqualWithoutAnyPassAndWithOtherThreads) {
    std::vector<std::string> all;
    for (const graph::Pass& pass : graph::passes()) all.emplace_back(pass.name);
    for (const base::Json& golden : goldens()) {
        const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
        LoadedModel plain(path_of(golden), {.disabled = all});
        expect_golden(golden, plain.logits(tokens, 16));
        LoadedModel one(path_of(golden), {.threads = 1});
        LoadedModel three(path_of(golden), {.threads = 3});
        EXPECT_EQ(one.logits(tokens, 16), three.logits(tokens, 16)) << golden["name"];
    }
}

// Norms behind linears, biases and soft caps cost no barrier; beside the layers there are those
// after the embedding, the selection of rows and the head.
TEST(Architectures, DecodeMeetsAtMostSixTimesALayer) {
    for (const base::Json& golden : goldens()) {
        const std::string name = golden["name"];
        const LoadedModel model(path_of(golden), {});
        const int layers = static_cast<int>(model.n_layers());
        if (name == "qwen3moe") {
            EXPECT_LE(model.barriers(1), 12 * layers + 3);
        } else if (name == "stablelm_parallel") {
            // The feed-forward layer does not wait for attention's projection; in the last layer it
            // waits for the selection of its rows.
            EXPECT_EQ(model.barriers(1), 5 * layers + 4);
        } else if (name == "bert") {
            // Texts of one token are no case to plan for: sums and activations are split by rows.
            EXPECT_EQ(model.barriers(1), 9 * layers + 3);
            EXPECT_EQ(model.barriers(64), 9 * layers + 2);
        } else if (name == "gemma2") {
            EXPECT_EQ(model.barriers(1), 6 * layers + 4) << "the soft cap of the logits";
        } else {
            EXPECT_EQ(model.barriers(1), 6 * layers + 3) << name;
        }
    }
}

TEST(Architectures, UnknownOnesAreNamedWithWhatIsSupported) {
    const auto found = models::find_architecture("mamba\x01");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, base::ErrorCode::unsupported);
    EXPECT_THAT(found.error().message, testing::HasSubstr("' is not supported"));
    for (const models::Architecture& architecture : models::architectures()) {
        EXPECT_THAT(found.error().message, testing::HasSubstr(architecture.name));
    }
}

}  // namespace
}  // namespace hone::runtime
