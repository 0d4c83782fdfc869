#include "compress/channel_scales.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "base/check.h"
#include "compress/block_grid.h"
#include "compress/encode.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;

constexpr float kActivationPowers[] = {0.0f, 0.125f, 0.25f, 0.375f, 0.5f};
constexpr float kWeightPowers[] = {0.0f, 0.5f, 0.75f, 1.0f};
// Of each reader; spread evenly over it.
constexpr uint64_t kSampledRows = 64;
// Factors stay within this of their geometric mean: block scales are F16, and a channel that
// calibration hardly saw is not a reason to blow up another.
constexpr float kFactorMax = 32.0f;

using Choices = std::map<std::string, const TensorChoice*, std::less<>>;

Choices choices_of(const Recipe& recipe) {
    Choices out;
    for (const TensorChoice& choice : recipe.tensors) out[choice.name] = &choice;
    return out;
}

// Some rows of one reader, and what their columns count.
struct Sample {
    tensor::DType type = tensor::DType::f32;
    size_t columns = 0;
    std::vector<float> rows;
    std::span<const float> importance;
    double error = 0;  // without scaling
};

// The search for one group.
class GroupSearch {
  public:
    GroupSearch(const formats::GgufFile& file, const ScaleGroup& group, const Choices& choices,
                const Guidance& guidance)
        : file_(file), group_(group), choices_(choices), guidance_(guidance) {}

    // Why it cannot be scaled.
    std::optional<std::string> obstacle() const {
        const auto stays = [&](const std::string& name) {
            const TensorChoice& choice = *choices_.at(name);
            return choice.to == choice.from && choice.to != tensor::DType::f32;
        };
        for (const std::string& name : group_.readers) {
            if (stays(name)) return stays_as(name);
            const auto known = guidance_.importance.find(name);
            if (known == guidance_.importance.end() || known->second.size() != group_.columns()) {
                return fmt::format("calibration knows nothing of '{}'", name);
            }
        }
        for (const ScaledRows& maker : group_.makers) {
            if (stays(maker.tensor)) return stays_as(maker.tensor);
        }
        return std::nullopt;
    }

    ScaleChoice run(std::vector<float>& factors) {
        ScaleChoice best;
        best.group = group_.name;
        factors.assign(group_.channels, 1.0f);
        read_samples();
        if (samples_.empty()) return best;
        std::vector<float> candidate(group_.channels);
        for (const float a : kActivationPowers) {
            for (const float b : kWeightPowers) {
                if (a == 0 && b == 0) continue;
                set_factors(a, b, candidate);
                const double ratio = error_ratio(candidate);
                if (ratio >= best.error_ratio) continue;
                best = {group_.name, a, b, ratio};
                factors = candidate;
            }
        }
        return best;
    }

  private:
    std::string stays_as(const std::string& name) const {
        return fmt::format("'{}' stays {}", name, tensor::name(choices_.at(name)->to));
    }

    void read_samples() {
        inputs_.assign(group_.channels, 0.0);
        weights_.assign(group_.channels, 0.0);
        for (const std::string& name : group_.readers) {
            const TensorChoice& choice = *choices_.at(name);
            if (!has_grid(choice.to)) continue;
            read_sample(choice);
            const auto& importance = guidance_.importance.find(name)->second;
            for (size_t i = 0; i < importance.size(); ++i) {
                inputs_[group_.channel_of(i)] += importance[i];
            }
        }
    }

    void read_sample(const TensorChoice& choice) {
        const auto view = file_.tensor(choice.name);
        HONE_CHECK(view.has_value());
        Sample sample;
        sample.type = choice.to;
        sample.columns = choice.columns;
        const TensorGuidance guidance = guidance_.of(choice.name, choice.to);
        sample.importance =
            guidance.factor != nullptr ? guidance.factor->diagonal : guidance.importance;
        const uint64_t n = std::min(choice.rows, kSampledRows);
        sample.rows.resize(n * choice.columns);
        double total = 0;
        std::vector<double> squares(group_.channels, 0.0);
        for (uint64_t r = 0; r < n; ++r) {
            float* row = sample.rows.data() + r * choice.columns;
            tensor::dequantize(view->dtype, view->row(r * choice.rows / n), choice.columns, row);
            for (uint64_t c = 0; c < choice.columns; ++c) {
                const double square = double{row[c]} * row[c];
                squares[group_.channel_of(c)] += square;
                total += square;
            }
        }
        file_.release(*file_.find_tensor(choice.name));
        if (!std::isfinite(total) || total == 0) return;
        sample.error = error_of(sample, {});
        if (!(sample.error > 0)) return;
        for (uint64_t c = 0; c < group_.channels; ++c) weights_[c] += squares[c] / total;
        samples_.push_back(std::move(sample));
    }

    void set_factors(float a, float b, std::vector<float>& factors) const {
        // Channels that nothing is known of count as those that are small, not as zero.
        const auto log_of = [](const std::vector<double>& values, size_t c) {
            constexpr double kFloor = 1e-4;
            const double mean = std::accumulate(values.begin(), values.end(), 0.0) /
                                static_cast<double>(values.size());
            return mean > 0 ? std::log(std::max(values[c] / mean, kFloor)) : 0.0;
        };
        double sum = 0;
        std::vector<double> logs(factors.size());
        for (size_t c = 0; c < logs.size(); ++c) {
            logs[c] = a / 2 * log_of(inputs_, c) - b / 2 * log_of(weights_, c);
            sum += logs[c];
        }
        const double middle = sum / static_cast<double>(logs.size());
        for (size_t c = 0; c < logs.size(); ++c) {
            factors[c] = std::clamp(static_cast<float>(std::exp(logs[c] - middle)), 1 / kFactorMax,
                                    kFactorMax);
        }
    }

    double error_ratio(const std::vector<float>& factors) const {
        double sum = 0;
        for (const Sample& sample : samples_) sum += error_of(sample, factors) / sample.error;
        return sum / static_cast<double>(samples_.size());
    }

    // Of the product, expected; without factors as it stands.
    double error_of(const Sample& sample, const std::vector<float>& factors) const {
        std::vector<float> row(sample.columns);
        std::vector<float> importance(sample.importance.begin(), sample.importance.end());
        std::vector<float> scale(sample.columns, 1.0f);
        for (size_t c = 0; c < sample.columns && !factors.empty(); ++c) {
            scale[c] = factors[group_.channel_of(c)];
            importance[c] /= scale[c] * scale[c];
        }
        std::vector<std::byte> out(*tensor::row_bytes(sample.type, sample.columns));
        double error = 0;
        for (size_t at = 0; at < sample.rows.size(); at += sample.columns) {
            for (size_t c = 0; c < sample.columns; ++c) row[c] = sample.rows[at + c] * scale[c];
            error += encode_row(sample.type, row, importance, out.data()).weighted;
        }
        return error;
    }

    const formats::GgufFile& file_;
    const ScaleGroup& group_;
    const Choices& choices_;
    const Guidance& guidance_;
    std::vector<Sample> samples_;
    std::vector<double> inputs_;   // per channel, mean square of the activations, times a constant
    std::vector<double> weights_;  // per channel, share of the readers' squares
};

std::shared_ptr<const FeedbackFactor> scaled_factor(const FeedbackFactor& factor,
                                                    std::span<const float> columns) {
    auto out = std::make_shared<FeedbackFactor>(factor);
    const size_t n = factor.width;
    double sum = 0;
    for (size_t k = 0; k < n; ++k) {
        float* row = out->lower.data() + k * n;
        for (size_t i = 0; i < k; ++i) row[i] *= columns[k] / columns[i];
        out->diagonal[k] /= columns[k] * columns[k];
        sum += out->diagonal[k];
    }
    // Of mean 1, as make_factor leaves it.
    const auto mean = static_cast<float>(sum / static_cast<double>(n));
    for (float& value : out->diagonal) value /= mean;
    out->scale *= mean;
    return out;
}

}  // namespace

double ChannelScaling::error_ratio() const {
    double sum = 0;
    for (const ScaleChoice& choice : groups) sum += choice.error_ratio;
    return groups.empty() ? 1 : sum / static_cast<double>(groups.size());
}

size_t ChannelScaling::scaled() const {
    return static_cast<size_t>(std::count_if(groups.begin(), groups.end(), [](const auto& choice) {
        return choice.activation_power != 0 || choice.weight_power != 0;
    }));
}

void scale_group(const ScaleGroup& group, std::span<const float> factors, const Recipe& recipe,
                 Guidance& guidance) {
    HONE_CHECK_EQ(factors.size(), group.channels);
    const Choices choices = choices_of(recipe);
    const auto times = [](std::vector<float>& values, uint64_t n, uint64_t at, float factor) {
        if (values.empty()) values.assign(n, 1.0f);
        values[at] *= factor;
    };
    for (const ScaledRows& maker : group.makers) {
        const TensorChoice& choice = *choices.at(maker.tensor);
        TensorScaling& scaling = guidance.scaling[maker.tensor];
        for (uint64_t c = 0; c < group.channels; ++c) {
            times(maker.vector ? scaling.columns : scaling.rows,
                  maker.vector ? choice.columns : choice.rows, maker.first + c, 1 / factors[c]);
        }
    }
    std::vector<float> columns(group.columns());
    for (size_t i = 0; i < columns.size(); ++i) columns[i] = factors[group.channel_of(i)];
    // Readers of the same activations share a factor.
    std::map<const FeedbackFactor*, std::shared_ptr<const FeedbackFactor>> done;
    for (const std::string& name : group.readers) {
        TensorScaling& scaling = guidance.scaling[name];
        for (size_t i = 0; i < columns.size(); ++i) {
            times(scaling.columns, columns.size(), i, columns[i]);
        }
        const auto known = guidance.importance.find(name);
        if (known != guidance.importance.end()) {
            for (size_t i = 0; i < columns.size(); ++i) known->second[i] /= columns[i] * columns[i];
        }
        const auto factor = guidance.factors.find(name);
        if (factor == guidance.factors.end()) continue;
        auto& scaled = done[factor->second.get()];
        if (!scaled) scaled = scaled_factor(*factor->second, columns);
        factor->second = scaled;
    }
}

base::Result<ChannelScaling> scale_channels(const formats::GgufFile& file,
                                            const ScaleGroups& groups, const Recipe& recipe,
                                            Guidance& guidance, machine::ThreadTeam& team,
                                            const std::function<bool(double)>& go_on) {
    const Choices choices = choices_of(recipe);
    ChannelScaling out;
    out.unscaled = groups.unscaled;
    std::vector<const ScaleGroup*> open;
    for (const ScaleGroup& group : groups.groups) {
        if (auto why = GroupSearch(file, group, choices, guidance).obstacle()) {
            out.unscaled.push_back({group.name, std::move(*why)});
        } else {
            open.push_back(&group);
        }
    }
    out.groups.resize(open.size());
    std::vector<std::vector<float>> factors(open.size());
    // Groups are claimed one by one; only thread 0 speaks to the caller.
    std::atomic<size_t> next = 0;
    std::atomic<bool> stopped = false;
    team.run([&](int thread) {
        for (size_t i = next++; i < open.size() && !stopped; i = next++) {
            out.groups[i] = GroupSearch(file, *open[i], choices, guidance).run(factors[i]);
            const double share = static_cast<double>(i) / static_cast<double>(open.size());
            if (thread == 0 && go_on && !go_on(share)) stopped = true;
        }
    });
    if (stopped) return fail(ErrorCode::cancelled, "stopped on request");
    for (size_t i = 0; i < open.size(); ++i) {
        if (out.groups[i].error_ratio < 1) scale_group(*open[i], factors[i], recipe, guidance);
    }
    return out;
}

}  // namespace hone::compress
