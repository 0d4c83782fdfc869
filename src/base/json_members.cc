#include "base/json_members.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"

namespace hone::base {
namespace {

// Of what the JSON library says: it repeats the text that it met.
constexpr size_t kReasonMax = 160;

// Builds a value from the library's events, except the members of one object. A handler answers
// false to stop.
class MemberReader {
  public:
    MemberReader(const JsonLimits& limits, std::span<const std::string_view> path,
                 const TakeMember& take)
        : limits_(limits), path_(path), take_(take) {}

    bool null() { return leaf(nullptr); }
    bool boolean(bool value) { return leaf(value); }
    bool number_integer(int64_t value) { return leaf(value); }
    bool number_unsigned(uint64_t value) { return leaf(value); }
    bool number_float(double value, const std::string&) { return leaf(value); }
    bool string(std::string& value) { return leaf(std::move(value)); }
    bool binary(std::vector<uint8_t>&) { return false; }

    bool start_object(size_t) { return open(Json::object()); }
    bool start_array(size_t) { return open(Json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& text) {
        Frame& top = frames_.back();
        top.key = std::move(text);
        if (++top.keys <= limits_.keys_max || takes(top)) return true;
        return stop(ErrorCode::exhausted,
                    fmt::format("an object has more than {} keys", limits_.keys_max));
    }

    bool parse_error(size_t, const std::string&, const std::exception& error) {
        return stop(ErrorCode::corrupt, "not valid JSON: " + printable(error.what(), kReasonMax));
    }

    Result<Json> finish() {
        if (error_) return tl::unexpected<Error>(std::move(*error_));
        return std::move(root_);
    }

  private:
    struct Frame {
        Json* node;  // nullptr: inside a value that is left out
        // How many of the path's keys lead here; none: another way.
        std::optional<size_t> matched;
        std::string key = {};
        size_t keys = 0;
    };

    bool takes(const Frame& frame) const {
        return frame.node != nullptr && frame.matched == path_.size();
    }

    // Where a value comes to lie; nullptr where it is left out.
    Json* put(Json value) {
        if (frames_.empty()) return &(root_ = std::move(value));
        const Frame& top = frames_.back();
        if (top.node == nullptr || takes(top)) return nullptr;
        if (top.node->is_array()) return &top.node->emplace_back(std::move(value));
        return &((*top.node)[top.key] = std::move(value));
    }

    bool leaf(Json value) {
        if (!frames_.empty() && takes(frames_.back())) {
            take_(frames_.back().key, value);
        } else {
            put(std::move(value));
        }
        return true;
    }

    bool open(Json value) {
        if (frames_.size() >= limits_.depth_max) {
            return stop(ErrorCode::exhausted,
                        fmt::format("JSON is nested deeper than {}", limits_.depth_max));
        }
        std::optional<size_t> matched;
        if (value.is_object()) {
            if (frames_.empty()) {
                matched = 0;
            } else if (const Frame& top = frames_.back(); top.matched &&
                                                          *top.matched < path_.size() &&
                                                          top.key == path_[*top.matched]) {
                matched = *top.matched + 1;
            }
        }
        frames_.push_back({put(std::move(value)), matched});
        return true;
    }

    bool close() {
        frames_.pop_back();
        return true;
    }

    bool stop(ErrorCode code, std::string message) {
        error_ = Error{code, std::move(message)};
        return false;
    }

    const JsonLimits& limits_;
    std::span<const std::string_view> path_;
    const TakeMember& take_;
    Json root_;
    std::vector<Frame> frames_;  // of the open brackets, the outermost first
    std::optional<Error> error_;
};

}  // namespace

Result<Json> parse_json_members(std::string_view text, const JsonLimits& limits,
                                std::span<const std::string_view> path, const TakeMember& take) {
    if (text.size() > limits.bytes_max) {
        return fail(ErrorCode::exhausted, "JSON of {} bytes is over the limit of {}", text.size(),
                    limits.bytes_max);
    }
    MemberReader reader(limits, path, take);
    Json::sax_parse(text.begin(), text.end(), &reader);
    return reader.finish();
}

}  // namespace hone::base
