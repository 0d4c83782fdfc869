#include "formats/safetensors_header.h"

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "base/text.h"
#include "formats/safetensors.h"

namespace hone::formats {
namespace {

using base::ErrorCode;

constexpr std::string_view kMetadata = "__metadata__";
// Of what the JSON library says: it repeats the text that it met.
constexpr size_t kReasonMax = 160;

// The library's events, taken one level after the other. A handler answers false to stop.
class HeaderReader {
  public:
    bool null() { return wrong("null"); }
    bool boolean(bool) { return wrong("a bool"); }
    bool number_integer(int64_t) { return wrong("a negative number"); }
    bool number_float(double, const std::string&) { return wrong("a fraction"); }
    bool binary(std::vector<uint8_t>&) { return wrong("bytes"); }

    bool number_unsigned(uint64_t value) {
        if (level_ != Level::numbers) return wrong("a number");
        std::vector<uint64_t>& numbers = field_ == "shape" ? *shape_ : *offsets_;
        const size_t count_max = field_ == "shape" ? kSafetensorsRankMax : 2;
        if (numbers.size() == count_max) {
            return stop(ErrorCode::corrupt,
                        where() + ": more than " + std::to_string(count_max) + " numbers");
        }
        numbers.push_back(value);
        return true;
    }

    bool string(std::string& text) {
        if (level_ == Level::metadata) {
            if (header_.metadata.size() == kSafetensorsTensorsMax) return too_many("metadata");
            header_.metadata.emplace_back(key_, std::move(text));
            return true;
        }
        if (level_ != Level::fields || field_ != "dtype") return wrong("a string");
        if (dtype_) return twice();
        dtype_ = std::move(text);
        return true;
    }

    bool start_object(size_t) {
        if (level_ == Level::outside) {
            level_ = Level::names;
            return true;
        }
        if (level_ != Level::names) return wrong("an object");
        if (key_ == kMetadata) {
            if (has_metadata_) return twice();
            has_metadata_ = true;
            level_ = Level::metadata;
            return true;
        }
        if (header_.tensors.size() == kSafetensorsTensorsMax) return too_many("tensors");
        if (key_.empty() || key_.size() > kSafetensorsNameBytesMax) {
            return stop(ErrorCode::corrupt, "a name of " + std::to_string(key_.size()) + " bytes");
        }
        level_ = Level::fields;
        field_.clear();
        dtype_.reset();
        shape_.reset();
        offsets_.reset();
        return true;
    }

    bool key(std::string& text) {
        std::string& place = level_ == Level::fields ? field_ : key_;
        place = std::move(text);
        return true;
    }

    bool end_object() {
        if (level_ == Level::fields && !finish_tensor()) return false;
        level_ = level_ == Level::names ? Level::outside : Level::names;
        return true;
    }

    bool start_array(size_t) {
        if (level_ != Level::fields || (field_ != "shape" && field_ != "data_offsets")) {
            return wrong("an array");
        }
        auto& numbers = field_ == "shape" ? shape_ : offsets_;
        if (numbers) return twice();
        numbers.emplace();
        level_ = Level::numbers;
        return true;
    }

    bool end_array() {
        level_ = Level::fields;
        return true;
    }

    bool parse_error(size_t at, const std::string&, const std::exception& error) {
        return stop(ErrorCode::corrupt, "not valid JSON at byte " + std::to_string(at) + ": " +
                                            base::printable(error.what(), kReasonMax));
    }

    base::Result<SafetensorsHeader> take() {
        if (error_) return tl::unexpected<base::Error>(std::move(*error_));
        return std::move(header_);
    }

  private:
    enum class Level { outside, names, metadata, fields, numbers };

    std::string where() const {
        if (level_ == Level::outside || key_.empty()) return "the header";
        std::string text = "'" + base::printable(key_) + "'";
        const bool inside = level_ == Level::fields || level_ == Level::numbers;
        return inside && !field_.empty() ? text + ", '" + base::printable(field_) + "'" : text;
    }
    bool stop(ErrorCode code, std::string message) {
        if (!error_) error_ = base::Error{code, std::move(message)};
        return false;
    }
    bool wrong(const char* kind) {
        return stop(ErrorCode::corrupt, where() + ": " + kind + " has no place there");
    }
    bool twice() { return stop(ErrorCode::corrupt, where() + ": appears twice"); }
    bool too_many(const char* what) {
        return stop(ErrorCode::exhausted, std::string(what) + ": more than the " +
                                              std::to_string(kSafetensorsTensorsMax) +
                                              " that Hone accepts");
    }

    bool finish_tensor() {
        field_.clear();
        if (!dtype_ || !shape_ || !offsets_ || offsets_->size() != 2) {
            return stop(ErrorCode::corrupt, where() + ": lacks its dtype, shape or data_offsets");
        }
        header_.tensors.push_back(
            {key_, std::move(*dtype_), std::move(*shape_), offsets_->at(0), offsets_->at(1)});
        return true;
    }

    SafetensorsHeader header_;
    std::optional<base::Error> error_;
    Level level_ = Level::outside;
    std::string key_;    // of a tensor or of an entry of the metadata
    std::string field_;  // of the tensor
    bool has_metadata_ = false;
    std::optional<std::string> dtype_;
    std::optional<std::vector<uint64_t>> shape_;
    std::optional<std::vector<uint64_t>> offsets_;
};

// The first name that stands twice.
template <class Items, class NameOf>
std::optional<std::string> repeated(const Items& items, NameOf name_of) {
    std::vector<std::string_view> names;
    names.reserve(items.size());
    for (const auto& item : items) names.push_back(name_of(item));
    std::sort(names.begin(), names.end());
    const auto same = std::adjacent_find(names.begin(), names.end());
    return same == names.end() ? std::nullopt : std::optional<std::string>(*same);
}

}  // namespace

base::Result<SafetensorsHeader> parse_safetensors_header(std::string_view json) {
    if (json.empty() || json.front() != '{') {
        return base::fail(ErrorCode::corrupt, "it does not begin with '{{'");
    }
    HeaderReader reader;
    base::Json::sax_parse(json.begin(), json.end(), &reader);
    HONE_TRY(SafetensorsHeader header, reader.take());
    for (const auto& name :
         {repeated(header.tensors,
                   [](const SafetensorsInfo& t) { return std::string_view(t.name); }),
          repeated(header.metadata, [](const auto& m) { return std::string_view(m.first); })}) {
        if (name) {
            return base::fail(ErrorCode::corrupt, "'{}': appears twice", base::printable(*name));
        }
    }
    return header;
}

}  // namespace hone::formats
