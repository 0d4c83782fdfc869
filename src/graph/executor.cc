#include "graph/executor.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "graph/node_runner.h"
#include "graph/packed_weights.h"
#include "graph/screen.h"
#include "tensor/buffer.h"

namespace hone::graph {

struct Executor::State {
    Plan plan;
    PackedWeights weights;
    tensor::Buffer workspace;
    tensor::Buffer scratch;
    std::vector<std::atomic<uint32_t>> tasks;
    SplitAttention split_attention;
    StepContext step;
    machine::ThreadTeam* team = nullptr;
    ScreenMeter screen_meter;

    State(Plan p, PackedWeights w, machine::ThreadTeam& t)
        : plan(std::move(p)), weights(std::move(w)), tasks(plan.nodes.size()), team(&t) {}

    void begin(const StepInput& input);
    void run_all(measure::StepTimer* timer, NodeHook hook);
    std::span<const float> logits();
};

namespace {

void check_input(const Plan& plan, const StepInput& input) {
    HONE_CHECK_GT(input.tokens.size(), size_t{0});
    HONE_CHECK_LE(input.tokens.size(), size_t{plan.options.tokens_max});
    HONE_CHECK_LE(input.output_rows.size(), size_t{plan.options.outputs_max});
    size_t covered = 0;
    for (const StepSlice& slice : input.slices) {
        HONE_CHECK_EQ(size_t{slice.first_token}, covered);
        covered += slice.n_tokens;
    }
    HONE_CHECK_EQ(covered, input.tokens.size());
    for (const uint32_t row : input.output_rows) HONE_CHECK_LT(size_t{row}, input.tokens.size());
    for (const int32_t token : input.tokens) {
        HONE_CHECK(token >= 0 && static_cast<uint32_t>(token) < plan.tokens_end);
    }
}

}  // namespace

void Executor::State::begin(const StepInput& input) {
    check_input(plan, input);
    step.plan = &plan;
    step.weights = &weights;
    step.binding = &plan.binding_for(static_cast<uint32_t>(input.tokens.size()));
    step.input = &input;
    step.workspace = workspace.data();
    step.scratch = scratch.data();
    step.tasks = tasks.data();
    step.split_attention = &split_attention;
    step.threads = team->threads();
    step.screened = plan.options.screen_head && input.logits_margin &&
                    input.output_rows.size() == 1 && screen_meter.wants_screen();
    for (auto& counter : tasks) counter.store(0, std::memory_order_relaxed);
}

void Executor::State::run_all(measure::StepTimer* timer, NodeHook hook) {
    const uint32_t n_nodes = static_cast<uint32_t>(plan.nodes.size());
    if (timer != nullptr) timer->begin_step();
    team->run([&](int thread) {
        for (uint32_t n = 0; n < n_nodes; ++n) {
            if (timer != nullptr) timer->mark_start(n, thread);
            run_node(step, n, thread);
            if (hook.after != nullptr) hook.after(hook.context, n, thread);
            if (timer != nullptr) timer->mark_compute_end(n, thread);
            if (!step.binding->nodes[n].barrier) continue;
            team->barrier();
            if (timer != nullptr) timer->mark_barrier_end(n, thread);
        }
    });
    if (timer != nullptr) timer->end_step();
    // The head is the last node, and counted its tiles where other nodes hand out tasks.
    if (!step.screened) return;
    const size_t tiles = weights.segments(n_nodes - 1)[0].tiles();
    screen_meter.add(tasks.back().load(std::memory_order_relaxed), tiles);
}

// Logits leave as dense rows; only a vocabulary that is not a multiple of 16 has padding to remove.
std::span<const float> Executor::State::logits() {
    const size_t rows = step.input->output_rows.size();
    if (rows == 0) return {};
    auto* data = reinterpret_cast<float*>(step.memory(plan.graph.output, 0));
    const size_t vocab = plan.vocab;
    const size_t stride = padded_width(vocab);
    for (size_t r = 1; stride != vocab && r < rows; ++r) {
        std::memmove(data + r * vocab, data + r * stride, vocab * sizeof(float));
    }
    return {data, rows * vocab};
}

Executor::Executor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executor::~Executor() = default;

base::Result<std::unique_ptr<Executor>> Executor::create(Plan plan, const WeightSource& weights,
                                                         machine::ThreadTeam& team,
                                                         const WeightMemory& memory) {
    HONE_CHECK_EQ(plan.options.threads, team.threads());
    HONE_TRY(PackedWeights packed, PackedWeights::pack(plan, weights, team, memory));
    auto state = std::make_unique<State>(std::move(plan), std::move(packed), team);
    size_t bytes = 64;
    for (const Binding& binding : state->plan.bindings) bytes = std::max(bytes, binding.bytes);
    HONE_TRY(state->workspace, tensor::Buffer::allocate(bytes));
    state->step.scratch_stride = node_scratch_bytes(state->plan);
    HONE_TRY(state->scratch, tensor::Buffer::allocate(state->step.scratch_stride *
                                                      static_cast<size_t>(team.threads())));
    HONE_TRY(state->split_attention, SplitAttention::create(state->plan, team.threads()));
    return std::unique_ptr<Executor>(new Executor(std::move(state)));
}

std::span<const float> Executor::run(const StepInput& input, measure::StepTimer* timer,
                                     NodeHook hook) {
    state_->begin(input);
    state_->run_all(timer, hook);
    const std::span<const float> logits = state_->logits();
    state_->step.input = nullptr;
    return logits;
}

double Executor::time_node(uint32_t node, const StepInput& input, int repeats, size_t hot_bytes_max,
                           const base::Clock& clock) {
    HONE_CHECK_LT(size_t{node}, state_->plan.nodes.size());
    State& state = *state_;
    state.begin(input);
    state.step.hot_bytes_max = hot_bytes_max;
    const int64_t start_ns = clock.now_ns();
    state.team->run([&](int thread) {
        for (int i = 0; i < repeats; ++i) {
            run_node(state.step, node, thread);
            state.team->barrier();
            // The task counter of attention nodes starts over; the next barrier publishes it.
            if (thread == 0) state.tasks[node].store(0, std::memory_order_relaxed);
            if (state.plan.nodes[node].node.kind == OpKind::attend ||
                state.plan.nodes[node].node.kind == OpKind::rope_store) {
                state.team->barrier();
            }
        }
    });
    const double total_ns = static_cast<double>(clock.now_ns() - start_ns);
    state.step.hot_bytes_max = 0;
    state.step.input = nullptr;
    return total_ns;
}

const Plan& Executor::plan() const {
    return state_->plan;
}
uint32_t Executor::tokens_max() const {
    return state_->plan.options.tokens_max;
}
uint32_t Executor::outputs_max() const {
    return state_->plan.options.outputs_max;
}
uint32_t Executor::vocab() const {
    return state_->plan.vocab;
}
machine::ThreadTeam& Executor::team() {
    return *state_->team;
}

std::vector<std::span<const std::byte>> Executor::packed_weights(uint32_t node) const {
    HONE_CHECK_LT(size_t{node}, state_->plan.nodes.size());
    std::vector<std::span<const std::byte>> spans;
    for (const kernels::PackedMatrix& matrix : state_->weights.segments(node)) {
        spans.emplace_back(matrix.data, matrix.bytes());
    }
    return spans;
}

std::optional<LinearInput> Executor::linear_input(uint32_t node, int thread) const {
    const StepContext& step = state_->step;
    HONE_CHECK(step.input != nullptr);
    HONE_CHECK_LT(size_t{node}, state_->plan.nodes.size());
    const PlanNode& n = state_->plan.nodes[node];
    if (n.segments.empty()) return std::nullopt;
    const Value& x = state_->plan.graph.values[n.node.inputs[0]];
    if (x.type != ElementType::f32) return std::nullopt;
    return LinearInput{step.f32(n.node.inputs[0], thread), step.rows(x), x.width(),
                       padded_width(x.width())};
}

ExecutorMemory Executor::memory() const {
    return {state_->weights.bytes(), state_->workspace.size() + state_->scratch.size(),
            state_->weights.mapped()};
}

}  // namespace hone::graph
