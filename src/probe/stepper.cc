#include "probe/stepper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hone::probe {
base::Result<Stepper> Stepper::create(const models::ModelConfig& config, graph::Executor& executor,
                                      uint32_t sequences, uint32_t positions) {
    HONE_CHECK_GE(sequences, 1u);
    HONE_CHECK_LE(sequences, std::min(executor.outputs_max(), executor.tokens_max()));
    runtime::KvPoolOptions options;
    options.groups = runtime::kv_layouts(config, executor.plan().options.kv_dtype);
    options.context = positions;
    options.slots = sequences;
    options.step_tokens_max = executor.tokens_max();
    HONE_TRY(runtime::KvPool pool, runtime::KvPool::create(std::move(options)));
    Stepper stepper(executor, std::move(pool), sequences, positions);
    return stepper;
}

Stepper::Stepper(graph::Executor& executor, runtime::KvPool pool, uint32_t sequences,
                 uint32_t positions_max)
    : executor_(&executor),
      pool_(std::move(pool)),
      positions_max_(positions_max),
      positions_(sequences, 0) {
    for (uint32_t slot = 0; slot < sequences; ++slot) pool_.reserve(slot, positions_max);
    input_.logits_margin = 0.0f;
    tokens_.reserve(executor.tokens_max());
    slices_.reserve(sequences);
    output_rows_.reserve(sequences);
}

void Stepper::clear() {
    for (uint32_t slot = 0; slot < sequences(); ++slot) {
        pool_.release(slot);
        pool_.reserve(slot, positions_max_);
        positions_[slot] = 0;
    }
}

void Stepper::begin_step() {
    tokens_.clear();
    slices_.clear();
    output_rows_.clear();
    shape_ = {};
}

void Stepper::add_slice(uint32_t sequence, std::span<const int32_t> tokens, bool wants_logits) {
    const uint32_t first = positions_[sequence];
    const uint32_t count = static_cast<uint32_t>(tokens.size());
    HONE_CHECK_LE(first + count, positions_max_);
    // Only now, since the step before may have run again, and windowed layers give pages back.
    pool_.advance(sequence, first);
    pool_.back(sequence, first + count);
    graph::StepSlice slice;
    slice.first_token = static_cast<uint32_t>(tokens_.size());
    slice.n_tokens = count;
    slice.first_position = first;
    slice.pages = pool_.tables(sequence);
    slices_.push_back(slice);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    if (wants_logits) output_rows_.push_back(static_cast<uint32_t>(tokens_.size() - 1));
    shape_.add_slice(first, count);
    positions_[sequence] = first + count;
}

void Stepper::run_step(measure::StepTimer* timer) {
    shape_.outputs = output_rows_.size();
    input_.tokens = tokens_;
    input_.slices = slices_;
    input_.output_rows = output_rows_;
    logits_ = delay_.run([&] { return executor_->run(input_, timer); });
}

void Stepper::append(uint32_t sequence, std::span<const int32_t> tokens, bool wants_logits,
                     measure::StepTimer* timer) {
    HONE_CHECK_LT(sequence, sequences());
    HONE_CHECK_LE(tokens.size(), size_t{executor_->tokens_max()});
    begin_step();
    add_slice(sequence, tokens, wants_logits);
    run_step(timer);
}

void Stepper::prefill(uint32_t sequence, std::span<const int32_t> tokens,
                      measure::StepTimer* timer) {
    while (!tokens.empty()) {
        const size_t count = std::min<size_t>(tokens.size(), executor_->tokens_max());
        append(sequence, tokens.first(count), count == tokens.size(), timer);
        tokens = tokens.subspan(count);
    }
}

void Stepper::prefill_together(std::span<const int32_t> tokens, uint32_t count) {
    HONE_CHECK(count >= 1 && count <= sequences() && tokens.size() % count == 0);
    const size_t length = tokens.size() / count;
    // Sequences are at most as many as the tokens of a step.
    const size_t piece = executor_->tokens_max() / count;
    for (size_t done = 0; done < length; done += piece) {
        const size_t now = std::min(piece, length - done);
        begin_step();
        for (uint32_t sequence = 0; sequence < count; ++sequence) {
            add_slice(sequence, tokens.subspan(sequence * length + done, now),
                      done + now == length);
        }
        run_step(nullptr);
    }
}

void Stepper::decode(std::span<const int32_t> tokens, measure::StepTimer* timer) {
    HONE_CHECK_LE(tokens.size(), size_t{sequences()});
    begin_step();
    for (uint32_t sequence = 0; sequence < tokens.size(); ++sequence) {
        add_slice(sequence, tokens.subspan(sequence, 1), true);
    }
    run_step(timer);
}

std::vector<int32_t> random_tokens(base::Random& random, uint32_t vocab, size_t count) {
    std::vector<int32_t> tokens(count);
    for (int32_t& token : tokens) token = static_cast<int32_t>(random.next_below(vocab));
    return tokens;
}

}  // namespace hone::probe
