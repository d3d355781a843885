// The replay's inputs: CSV, TSV and JSON lines, plain or gzip, and its own reader of JSON.
#include "records.hpp"

#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "json_text.hpp"

using namespace yukha;
using fuzz::promise;
using replay::JsonText;

namespace {

const test::TempDirectory& folder() {
  static const test::TempDirectory directory;
  return directory;
}

// Numbers stay text here and become doubles there; all else must be the same. Of two members with one name the last
// counts for both.
void compare(const JsonText& ours, const JsonText::Node& node, const nlohmann::json& theirs) {
  using Kind = JsonText::Kind;
  switch (node.kind) {
    case Kind::null:
      return promise(theirs.is_null(), "null is null");
    case Kind::boolean:
      return promise(theirs.is_boolean() && node.text == theirs.dump(), "a boolean is the same");
    case Kind::number:
      return promise(theirs.is_number() && nlohmann::json::parse(node.text) == theirs, "a number is the same");
    case Kind::string:
      return promise(theirs.is_string() && node.text == theirs.get_ref<const std::string&>(), "a string is the same");
    case Kind::array: {
      promise(theirs.is_array(), "an array is an array");
      std::size_t count = 0;
      for (const auto* one = ours.first(node); one != nullptr; one = ours.next(*one)) {
        promise(count < theirs.size() && ours.element(node, count) == one, "an element has its place");
        compare(ours, *one, theirs[count++]);
      }
      return promise(count == theirs.size(), "an array has all its elements");
    }
    case Kind::object: {
      promise(theirs.is_object(), "an object is an object");
      for (const auto* one = ours.first(node); one != nullptr; one = ours.next(*one)) {
        promise(theirs.contains(std::string(one->name)), "a member has its name");
      }
      for (const auto& [name, value] : theirs.items()) {
        const auto* one = ours.member(node, name);
        promise(one != nullptr, "a member is found by its name");
        compare(ours, *one, value);
      }
    }
  }
}

std::size_t depth_of(std::string_view json) {
  std::size_t depth = 0;
  std::size_t most = 0;
  for (const char c : json) {
    if (c == '[' || c == '{') most = std::max(most, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return most;
}

void check_json(std::string_view text) {
  JsonText ours;
  std::string problem;
  const bool read = ours.parse(text, problem);
  promise(read || !problem.empty(), "what cannot be read says why");
  // A NUL ends nlohmann's text early, and it takes a byte order mark away.
  const bool odd = text.find('\0') != std::string_view::npos || text.substr(0, 3) == "\xEF\xBB\xBF";
  const auto theirs = nlohmann::json::parse(odd ? "" : text, nullptr, false);
  if (!theirs.is_discarded() && depth_of(text) <= 200) {
    promise(read, "what is JSON is read");
  }
  if (!read) return;
  std::string compact;
  replay::append_compact(text, compact);
  promise(compact.size() <= text.size(), "without white space it is no longer");
  JsonText again;
  promise(again.parse(compact, problem), "without white space it is JSON still");
  std::string written;
  ours.append_compact(ours.root(), written);
  promise(again.parse(written, problem), "what the nodes say is JSON");
  promise(!again.has_repeated() && again.lone_surrogates() == 0, "what the nodes say has no member twice");
  if (theirs.is_discarded()) return;  // lone surrogates, invalid UTF-8, numbers beyond a double
  compare(ours, ours.root(), theirs);
  promise(nlohmann::json::parse(compact) == theirs, "without white space it says the same");
  promise(nlohmann::json::parse(written) == theirs, "what the nodes say is the same");
}

std::string in_quotes(std::string_view field) {
  std::string text = "\"";
  for (const char c : field) text.append(c == '"' ? 2 : 1, c);
  return text + "\"";
}

std::vector<std::vector<std::string>> rows_of(const std::string& path, const replay::RecordOptions& options,
                                              std::size_t size) {
  std::vector<std::vector<std::string>> rows;
  std::string problem;
  const auto reader = replay::open_records(path, options, problem);
  promise(reader != nullptr || !problem.empty(), "what cannot be opened says why");
  if (reader == nullptr) return rows;
  replay::Record row;
  std::uint64_t line = 0;
  for (std::size_t calls = 0;; ++calls) {
    promise(calls <= size + 1, "an input comes to an end");
    problem.clear();
    const auto next = reader->next(row, problem);
    if (next == replay::RecordReader::Next::end) {
      const replay::LineCounts counts = reader->counts();
      promise(counts.lines == 0 || counts.lines == counts.header + counts.blank + counts.further + calls,
              "every line of an input is in one count");
      break;
    }
    promise(next == replay::RecordReader::Next::record || !problem.empty(), "a row that cannot be read says why");
    if (next == replay::RecordReader::Next::broken) break;
    promise(row.line > line || options.format == replay::Format::json, "rows are numbered by their lines");
    line = row.line;
    if (next != replay::RecordReader::Next::record) continue;
    if (reader->columns() == nullptr) {
      promise(row.node->kind == JsonText::Kind::object, "a row of JSON is an object");
      continue;
    }
    promise(row.fields.size() == reader->columns()->size(), "a row has all its columns");
    rows.emplace_back(row.fields.begin(), row.fields.end());
  }
  return rows;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t which = input.below(12);
  replay::RecordOptions options;
  options.format = which % 4 == 0 ? replay::Format::csv : which % 4 == 1 ? replay::Format::tsv : replay::Format::jsonl;
  if (which >= 4 && which < 8) options.columns = {"a", "b"};
  if (which == 8 || which == 9) {
    options.format = replay::Format::json;
    std::string problem;
    promise(replay::read_row_path(which == 8 ? "[]" : "a[].b[]", options.rows, problem), "a way to rows is read");
  } else if (which >= 10) {
    options.format = which == 10 ? replay::Format::csv : replay::Format::lines;
    options.encoding = which == 10 ? "euc-kr" : "utf-16";
  }
  const std::string_view bytes = input.rest();
  if (which == 3 || which == 7) {
    check_json(bytes);
    return 0;
  }
  const std::string path = folder() / "input";
  test::write_file(path, bytes);
  // A gzip member of these sizes can hold a thousand times as much.
  const auto rows = rows_of(path, options, 1100 * bytes.size() + 1);
  if (rows.empty()) return 0;

  // The same rows, written with every quote there can be, read as the same rows.
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text.push_back(options.format == replay::Format::tsv ? '\t' : ',');
      text += in_quotes(row[i]);
    }
    text += '\n';
  }
  options.format = options.format == replay::Format::lines ? replay::Format::csv : options.format;
  options.encoding = "utf-8";
  options.columns.assign(rows[0].size(), "x");
  options.quote = '"';
  options.row_lines_max = bytes.size() + 2;
  test::write_file(path, text);
  promise(rows_of(path, options, text.size()) == rows, "rows that are written are read as they were");
  return 0;
}
