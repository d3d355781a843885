#include "system/json.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace yukha::system {
namespace {

constexpr std::size_t levels_max = 8;
constexpr std::size_t values_max = 10'000;

// What nlohmann_json calls while it reads; false ends the reading.
class TreeBuilder {
 public:
  explicit TreeBuilder(Json& root) : open_{&root} { root.kind = Json::Kind::array; }

  bool null() { return add(Json::Kind::null, "null"); }
  bool boolean(bool value) { return add(Json::Kind::boolean, value ? "true" : "false"); }
  bool number_integer(std::int64_t value) { return add(Json::Kind::number, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) { return add(Json::Kind::number, std::to_string(value)); }
  bool number_float(double, const std::string& text) {
    // The point is the locale's.
    std::string number = text;
    std::replace(number.begin(), number.end(), ',', '.');
    return add(Json::Kind::number, std::move(number));
  }
  bool string(std::string& value) { return add(Json::Kind::string, std::move(value)); }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool key(std::string& value) {
    name_ = std::move(value);
    return true;
  }
  bool start_object(std::size_t) { return begin(Json::Kind::object); }
  bool start_array(std::size_t) { return begin(Json::Kind::array); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool parse_error(std::size_t, const std::string&, const std::exception&) { return false; }

 private:
  bool add(Json::Kind kind, std::string text) {
    if (++values_ > values_max) return false;
    Json value;
    value.kind = kind;
    value.name = std::move(name_);
    value.text = std::move(text);
    name_.clear();
    open_.back()->inside.push_back(std::move(value));
    return true;
  }
  bool begin(Json::Kind kind) {
    if (open_.size() > levels_max || !add(kind, {})) return false;
    open_.push_back(&open_.back()->inside.back());
    return true;
  }
  bool end() {
    open_.pop_back();
    return true;
  }

  std::vector<Json*> open_;  // what is inside of an open one does not move while a later one grows
  std::string name_;
  std::size_t values_ = 0;
};

}  // namespace

const Json& Json::operator[](std::string_view member) const noexcept {
  static const Json none;
  if (kind == Kind::object) {
    for (const Json& one : inside) {
      if (one.name == member) return one;
    }
  }
  return none;
}

std::optional<std::uint64_t> Json::whole() const noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  if (kind != Kind::number) return std::nullopt;
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

Json read_json(std::string_view text) {
  Json root;
  TreeBuilder builder(root);
  if (!nlohmann::json::sax_parse(text.data(), text.data() + text.size(), &builder) || root.inside.size() != 1)
    return {};
  return std::move(root.inside.front());
}

}  // namespace yukha::system
