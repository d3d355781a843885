// Makes a sentence of a row, as the mapping says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <yukha/event.hpp>

#include "json_text.hpp"
#include "mapping.hpp"
#include "records.hpp"

namespace replay {

// The six parts of one row, ready to be tracked. All text is borrowed from the row and its mapper.
struct Sentence {
  bool has_time = false;
  std::int64_t unix_ms = 0;
  std::vector<yukha::Member> user;
  std::vector<yukha::Member> device;
  std::string_view screen;
  std::vector<yukha::Member> parameters;
  std::string_view content_id;
  std::vector<yukha::Member> content;
  std::string_view referral;
  std::string_view action_type;
  bool has_duration = false;
  std::int64_t duration_ms = 0;
  std::vector<yukha::Member> action;
  bool critical = false;
  ClockChange clock_change = ClockChange::none;
  std::string_view cut;       // the member that was too long for a sentence, and was cut
  std::string_view left_out;  // the first member that "*" could not take, and why; empty when there is none
  // Of the JSON that columns hold as text, as in Record.
  const JsonText::Node* repeated = nullptr;
  std::uint64_t lone_surrogates = 0;

  void clear();
};

// The longest text of a sentence, as user.name, content.id or location, and its length.
std::string_view longest_member(const Sentence& sentence, std::string& name);

// Which of `names` was meant by one that is not there; empty when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& names);

// Text made for one row: taken piece by piece, given back all at once, so that a row costs no allocation. A mapping
// that doubles a text again and again ends at a limit: take() throws TooMuchText.
struct TooMuchText {};
// A row and a mapping that take more steps together than any useful ones do.
struct TooMuchWork {};
class Scratch {
 public:
  static constexpr std::size_t bytes_max = std::size_t{64} * 1024 * 1024;  // four of the longest rows

  void clear();
  char* take(std::size_t bytes);
  std::string_view keep(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::size_t> sizes_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
  std::size_t taken_ = 0;
};

class Mapper {
 public:
  // The mapping must outlive the mapper.
  explicit Mapper(const Mapping& mapping);

  // Before the rows of an input: its columns, null where every row names its own. Throws MappingError when the mapping
  // asks for a column that is not there.
  void begin_input(const std::vector<std::string>* columns);
  // The names that more than one of these columns has. The last counts, as it does in JSON.
  const std::vector<std::string>& repeated_columns() const { return repeated_columns_; }

  enum class Outcome { mapped, skipped, unmapped };
  // Fills `sentence`, valid until the next row; `problem` says why a row is unmapped. `number` is the row's own,
  // from 1.
  Outcome map(const Record& row, std::uint64_t number, Sentence& sentence, std::string& problem);

  // What the mapping asks for and no row had, each with the name that was perhaps meant.
  std::vector<std::string> never_found() const;
  // The members that "*" could not take, each with the number of rows that had it.
  std::vector<std::string> left_out() const;

 private:
  struct Cell {
    bool present = false;
    std::string_view text;
    const JsonText::Node* node = nullptr;  // within the row's own JSON
    bool parsed = false;                   // `json` holds what `text` says
    JsonText json;
  };
  struct Found {
    const JsonText* json = nullptr;
    const JsonText::Node* node = nullptr;
  };
  // Whether there ever was one, and until then the names that stood there instead.
  struct Watch {
    bool found = false;
    std::size_t looked_at = 0;
    std::vector<std::string> others;
  };

  struct LeftOut {
    const char* why = "";
    std::uint64_t rows = 0;
    std::string first;  // row number
    std::string last;
  };

  Outcome make(Sentence& sentence);
  void load(const Record& row);
  void load_json(const Record& row);
  void compute(const Field& field);
  bool is_null(std::string_view text) const;
  void watch_others(Watch& watch, const JsonText& json, const JsonText::Node& object);
  Found follow(const Reference& reference);
  bool exists(const Reference& reference);
  std::string_view value(const Reference& reference);
  std::string_view text_of(const JsonText& json, const JsonText::Node& node);
  bool join(const Template& text, bool percent_encoded, std::string_view& result);
  std::string_view first_of(const Alternatives& alternatives);
  bool url(const Location& location, std::string_view& result);
  bool holds(const Rule& rule);
  void members(const PartRule& part, const char* part_name, std::vector<yukha::Member>& result);
  void flatten(const Flatten& rule, const char* part_name, std::vector<yukha::Member>& result);
  void flatten_columns(const Flatten& rule, const char* part_name, std::vector<yukha::Member>& result);
  void flatten_object(const Flatten& rule, const JsonText& json, const JsonText::Node& object, std::string& path,
                      const char* part_name, std::vector<yukha::Member>& result);
  void add_member(const std::string& name, std::string_view member, std::string_view text, const char* part_name,
                  std::vector<yukha::Member>& result);
  void leave_out(std::string_view member, const char* part_name, const char* why);
  void cut(Sentence& sentence);
  void time(Sentence& sentence);
  void duration(Sentence& sentence);
  void fail(std::string what);

  const Mapping& mapping_;
  const std::vector<std::string>* columns_ = nullptr;  // CSV, TSV, lines; otherwise every row names its own
  std::vector<std::size_t> fields_;                    // for each slot, its field in a CSV or TSV row
  std::vector<bool> counts_;                           // for each column, whether it is the last of its name
  std::vector<std::string> repeated_columns_;
  std::vector<Cell> cells_;             // for each slot
  std::vector<Watch> watched_columns_;  // for each slot
  std::vector<Watch> watched_paths_;    // for each of Columns::watched()
  const Record* row_ = nullptr;
  const JsonText::Node* repeated_ = nullptr;
  std::uint64_t lone_surrogates_ = 0;
  std::string_view left_out_;
  std::map<std::string, LeftOut> all_left_out_;  // by the member and its part
  std::string unmatched_;                        // the field whose pattern did not match
  std::string number_;
  Scratch scratch_;
  std::string buffer_;
  std::vector<std::string_view> groups_;
  // So long that a run waits for one row: by a pattern whose parts are many, or by far elements, again and again.
  void spend(std::uint64_t steps) const {
    constexpr std::uint64_t steps_max = 1'000'000'000;
    if ((steps_ += steps) > steps_max) throw TooMuchWork{};
  }

  std::string problem_;
  mutable std::uint64_t steps_ = 0;  // of this row
};

// `name` as a member's name: lower case, words of camelCase parted, every other character an underscore.
std::string member_name_of(std::string_view name, bool is_beginning);

// RFC 3986: all but letters, digits and -._~ becomes %XX.
void append_percent_encoded(std::string_view text, std::string& out);
// RFC 6570's {+name}: what has a meaning in a URL stays, as do %XX that are there already.
void append_reserved(std::string_view text, std::string& out);

}  // namespace replay
