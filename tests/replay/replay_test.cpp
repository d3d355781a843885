// What examples/replay promises about inputs, mappings and times. YUKHA_INPUTS names other inputs than those that
// tests/make_inputs.py made.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digest.hpp"
#include "encoding.hpp"
#include "journal.hpp"
#include "json_text.hpp"
#include "lines.hpp"
#include "mapper.hpp"
#include "mapping.hpp"
#include "options.hpp"
#include "records.hpp"
#include "time_text.hpp"

using namespace replay;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

namespace {

// A directory that is gone with its test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "yukha-replay-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }
  std::string gz(const std::string& name, std::string_view content) const {
    const std::string path = (path_ / name).string();
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
    return path;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Every row as "line:field|field", every bad one as "line!why", what has none as "line-why".
std::vector<std::string> rows_of(std::string_view content, const RecordOptions& options, std::string* trouble = nullptr,
                                 LineCounts* counts = nullptr) {
  const Folder folder;
  std::string problem;
  const auto reader = open_records(folder.file("x.csv", content), options, problem);
  std::vector<std::string> rows;
  if (reader == nullptr) {
    rows.push_back("no reader: " + problem);
    return rows;
  }
  Record row;
  for (;;) {
    const RecordReader::Next next = reader->next(row, problem);
    if (counts != nullptr) *counts = reader->counts();
    if (next == RecordReader::Next::end) return rows;
    if (next == RecordReader::Next::broken) {
      if (trouble != nullptr) *trouble = problem;
      return rows;
    }
    std::string text = std::to_string(row.line) + (next == RecordReader::Next::bad       ? "!" + problem
                                                   : next == RecordReader::Next::without ? "-" + problem
                                                                                         : ":");
    if (next == RecordReader::Next::record && row.node != nullptr) {
      text += row.node->text;
    } else if (next == RecordReader::Next::record) {
      for (std::size_t i = 0; i < row.fields.size(); ++i) text += (i == 0 ? "" : "|") + std::string(row.fields[i]);
    }
    rows.push_back(std::move(text));
  }
}

std::vector<std::string> rows_of(std::string_view content, char delimiter = ',', std::string* trouble = nullptr) {
  RecordOptions options;
  options.format = Format::csv;
  options.delimiter = delimiter;
  return rows_of(content, options, trouble);
}

using Rows = std::vector<std::string>;

std::string shown(const std::vector<yukha::Member>& members) {
  std::string text;
  for (const yukha::Member& member : members) {
    text += (text.empty() ? "" : ",") + std::string(member.name) + "=" + std::string(member.value);
  }
  return text;
}

// Maps JSON lines and shows the parts of one row.
struct Shown {
  Mapper::Outcome outcome = Mapper::Outcome::unmapped;
  std::string problem, user, device, screen, parameters, content_id, content, referral, type, action;
  std::int64_t unix_ms = 0;
  std::int64_t duration_ms = -1;
  bool critical = false;
};

Shown map_row(const std::string& mapping_text, const std::string& content, const std::string& name = "x.jsonl") {
  const Folder folder;
  const Mapping mapping = read_mapping(mapping_text, "map.json");
  RecordOptions options = mapping.records;
  options.format = format_of(name);
  std::string problem;
  const auto reader = open_records(folder.file(name, content), options, problem);
  REQUIRE_MESSAGE(reader != nullptr, problem);
  Mapper mapper(mapping);
  mapper.begin_input(reader->columns());
  Record row;
  Sentence sentence;
  Shown result;
  REQUIRE(reader->next(row, result.problem) == RecordReader::Next::record);
  result.outcome = mapper.map(row, 1, sentence, result.problem);
  result.user = shown(sentence.user);
  result.device = shown(sentence.device);
  result.screen = sentence.screen;
  result.parameters = shown(sentence.parameters);
  result.content_id = sentence.content_id;
  result.content = shown(sentence.content);
  result.referral = sentence.referral;
  result.type = sentence.action_type;
  result.action = shown(sentence.action);
  result.unix_ms = sentence.unix_ms;
  if (sentence.has_duration) result.duration_ms = sentence.duration_ms;
  result.critical = sentence.critical;
  return result;
}

std::string mapping_with(const std::string& more) {
  return R"({"app_id":"a","time":"now","action":{"type":"T"})" + (more.empty() ? "" : "," + more) + "}";
}

std::string error_of(const std::string& mapping) {
  try {
    read_mapping(mapping, "map.json");
  } catch (const MappingError& error) {
    return error.what();
  }
  return "";
}

std::string encoded(std::string_view text) {
  std::string out;
  append_percent_encoded(text, out);
  return out;
}

}  // namespace

TEST_CASE("CSV is read as RFC 4180 says") {
  CHECK(rows_of("a,b\n1,2\n") == Rows{"2:1|2"});
  CHECK(rows_of("a,b\r\n1,2\r\n3,4") == Rows{"2:1|2", "3:3|4"});
  CHECK(rows_of("a,b\n\"x,\"\"y\"\"\",\"l1\nl2\r\nl3\"\n5,6\n") == Rows{"2:x,\"y\"|l1\nl2\r\nl3", "5:5|6"});
  CHECK(rows_of("a,b\n\"\",\"\"\n,\n") == Rows{"2:|", "3:|"});
  CHECK(rows_of("a\n\"\"\"\"\n") == Rows{"2:\""});
  CHECK(rows_of("\xEF\xBB\xBF"
                "a,b\n1,2\n") == Rows{"2:1|2"});
  CHECK(rows_of("\xEF\xBB\xBF\"a\",b\n1,2\n") == Rows{"2:1|2"});
  CHECK(rows_of("a,b\n\n1,2\n\r\n3,4\n") == Rows{"3:1|2", "5:3|4"});
  CHECK(rows_of("\n\na,b\n1,2\n") == Rows{"4:1|2"});
  CHECK(rows_of("a\tb\n\"x\ty\"\tz\n", '\t') == Rows{"2:x\ty|z"});
  CHECK(rows_of("a,b\n1,5\" screen\n") == Rows{"2:1|5\" screen"});
  CHECK(rows_of(std::string_view("a,b\n1,x\0y\n", 10)) == Rows{std::string("2:1|x\0y", 7)});
}

TEST_CASE("a row that cannot be read is named with its line, and the next one is read") {
  CHECK(rows_of("a,b\n1\n3,4\n") == Rows{"2!the row has 1 columns where there should be 2", "3:3|4"});
  CHECK(rows_of("a,b\n1,2,3\n3,4\n") == Rows{"2!the row has 3 columns where there should be 2", "3:3|4"});
  CHECK(rows_of("a,b\n1,\"x\"y\n3,4\n") ==
        Rows{"2!text stands between the closing quote of column 2 and the delimiter", "3:3|4"});
  CHECK(rows_of("a,b\n1,2\n3,\"4\n") ==
        Rows{"2:1|2", "3!a quote is opened in column 2 and not closed to the end of the input"});
  CHECK(rows_of("") == Rows{"no reader: the input is empty; a header line with the names of the columns is missing"});
  std::string trouble;
  CHECK(rows_of("\xFF\xFE", ',', &trouble).size() == 1);
  const std::string again = "; the row took 2 lines, and those behind this one are read again";
  CHECK(rows_of("a,b\n1,\"2\n3,\"4\n5,6\n") ==
        Rows{"2!text stands between the closing quote of column 2 and the delimiter" + again,
             "3!a quote is opened in column 2 and not closed to the end of the input" + again, "4:5|6"});
  CHECK(rows_of("a,b\n\"1\n2\"\n3,4\n") == Rows{"2!the row has 1 columns where there should be 2" + again,
                                                "3!the row has 1 columns where there should be 2", "4:3|4"});
}

TEST_CASE("a quote that is never closed takes no other row along, and every line is in one count") {
  RecordOptions options;
  options.format = Format::csv;
  options.row_lines_max = 3;
  LineCounts counts;
  Rows rows = rows_of("a,b\n1,2\n\n\"3,4\n5,6\n7,8\n9,10\n\"x\ny\",z\n", options, nullptr, &counts);
  const std::string again = "; the row took 4 lines, and those behind this one are read again";
  CHECK(rows == Rows{"2:1|2", "4!a quote is opened in column 1 and not closed within 3 lines" + again, "5:5|6", "6:7|8",
                     "7:9|10", "8:x\ny|z"});
  CHECK(counts.lines == 9);
  CHECK(counts.header == 1);
  CHECK(counts.blank == 1);
  CHECK(counts.further == 1);
  // Half of the lines open a quote: each is read by itself, in time that grows with the input.
  std::string many = "a,b\n";
  for (int i = 0; i < 20'000; ++i) many += i % 2 == 0 ? "1,\"2\n" : "3,4\n";
  options.row_lines_max = 200;
  rows = rows_of(many, options, nullptr, &counts);
  CHECK(rows.size() == 20'000);
  CHECK(counts.lines == 20'001);
}

TEST_CASE("quoting is another character's, or nobody's, as in a TSV") {
  RecordOptions options;
  options.format = Format::tsv;
  CHECK(rows_of("a\tb\n1\t\"Rome\" the series\n2\t\"Giliap\n3\tFoo\n", options) ==
        Rows{"2:1|\"Rome\" the series", "3:2|\"Giliap", "4:3|Foo"});
  options.quote = '"';
  CHECK(rows_of("a\tb\n1\t\"x\ty\"\n", options) == Rows{"2:1|x\ty"});
  options.format = Format::csv;
  options.quote = '\'';
  CHECK(rows_of("a,b\n'it''s, so',\"x\"\n", options) == Rows{"2:it's, so|\"x\""});
  options.quote = '\0';
  CHECK(rows_of("a,b\n\"1,2\"\n", options) == Rows{"2:\"1|2\""});
  options.format = Format::lines;
  CHECK(rows_of("a, \"b\n\nc\r\n", options) == Rows{"1:a, \"b", "3:c"});
}

TEST_CASE("an input may be in any encoding, and what is no text in it is counted") {
  const Folder folder;
  const auto read = [&](const std::string& encoding, std::string_view bytes) {
    RecordOptions options;
    options.format = Format::lines;
    options.encoding = encoding;
    std::string problem;
    const auto reader = open_records(folder.file("x", bytes), options, problem);
    if (reader == nullptr) return problem;
    std::string text;
    Record row;
    while (reader->next(row, problem) == RecordReader::Next::record) {
      text += std::string(row.fields[0]) + (row.repaired > 0 ? "!" + std::to_string(row.repaired) : "") + "|";
    }
    return text;
  };
  CHECK(read("latin1", "M\xFCller\nCaf\xE9") == "Müller|Café|");
  CHECK(read("cp1252", "\x80\x93x\x94 \x81") == "€“x” \xEF\xBF\xBD!1|");
  CHECK(read("utf-16", std::string_view("\xFF\xFE"
                                        "a\0\xAC\x20\n\0b\0",
                                        10)) == "a€|b|");
  CHECK(read("", std::string_view("\xFF\xFE"
                                  "a\0\n\0b\0",
                                  8)) == "a|b|");
  CHECK(read("", std::string_view("\xFE\xFF\0a\0\n\0b", 8)) == "a|b|");
  CHECK(read("utf-16le", std::string_view("a\0\0\xD8"
                                          "b\0",
                                          6)) ==
        "a\xEF\xBF\xBD"
        "b!1|");
  CHECK(read("euc-kr", "\xC7\xD1\xB1\xDB\n\xC7") == "한글|\xEF\xBF\xBD!1|");
  CHECK(read("cp949", "\x8C\x63") == "똠|");
  CHECK(read("shift_jis", "\x93\xFA\x96\x7B") == "日本|");
  CHECK(read("", "ok\n\xC3(\xE2\x82 \xF0\x9F\x98\nend") == "ok|\xEF\xBF\xBD(\xEF\xBF\xBD \xEF\xBF\xBD!3|end|");
  CHECK(read("utf-8", "\xED\xA0\x80\xC0\x80\xF5") ==
        "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD!6|");
  CHECK(read("utf-7x", "").find("iconv --list") != std::string::npos);
  CHECK(read("latin1//IGNORE", "").find("iconv --list") != std::string::npos);
  // A character that lies across two pieces of the file, each of 256 KiB.
  for (const std::size_t before : {262'142, 262'143, 262'144}) {
    const std::string fill(before, 'f');
    CHECK(read("euc-kr", fill + "\xC7\xD1") == fill + "한|");
  }
}

TEST_CASE("rows may be in a document, in arrays of arrays, and see what is around them") {
  const auto read = [](const std::string& rows, std::string_view content, Format format = Format::json,
                       LineCounts* counts = nullptr) {
    RecordOptions options;
    options.format = format;
    std::string problem;
    if (!rows.empty()) REQUIRE(read_row_path(rows, options.rows, problem));
    std::string trouble;
    Rows result = rows_of(content, options, &trouble, counts);
    if (!trouble.empty()) result.push_back("broken: " + trouble);
    return result;
  };
  CHECK(read("[]", "[{\"a\":1}, {\"a\":\"]}\\\"\"}\n,\n 7]") ==
        Rows{"1:{\"a\":1}", "1:{\"a\":\"]}\\\"\"}", "3!not a JSON object"});
  CHECK(read("", " [ {} ]") == Rows{"1:{}"});
  CHECK(read("", "{\"a\":1}\n{\"a\":2}\n") == Rows{"1:{\"a\":1}", "2:{\"a\":2}"});
  CHECK(read("d.statuses[]",
             "{\"x\":[1,{\"statuses\":[{}]}],\n\"d\":{\"n\":2,\"statuses\":[\n{\"a\":1},\n{\"a\":2}],\"z\":3},\"y\":{}"
             "}") == Rows{"3:{\"a\":1}", "4:{\"a\":2}"});
  // Pages that follow each other, and an empty one.
  CHECK(read("s[]", "{\"s\":[{\"a\":1}]}\n{\"s\":[]}{\"s\":[{\"a\":2}]}") == Rows{"1:{\"a\":1}", "2:{\"a\":2}"});
  CHECK(read("items[].r[]",
             "{\"items\":[{\"r\":[{\"a\":1},{\"a\":2}]},{},{\"r\":null},{\"r\":3},{\"r\":[{\"a\":4}]}]}") ==
        Rows{"1:{\"a\":1}", "1:{\"a\":2}", "1-\"rows\" asks for a member \"r\", and here is none",
             "1-\"rows\" asks for a member \"r\", and it is null", "1!\"rows\" leads to something that is no array",
             "1:{\"a\":4}"});
  CHECK(read("r[]", "{\"r\":[{\"a\":1}]}\n{\"r\":[{\"a\":2}]}\n", Format::jsonl) == Rows{"1:{\"a\":1}", "2:{\"a\":2}"});
  // A document that is not like the others is told, and the same in lines.
  const std::string odd =
      "{\"t\":[],\"u\":1}\n{\"s\":[{\"a\":1}]}\n{}\n{\"s\":null}\n7\n\"x\"\n{\"s\":{\"x\":1}}\n{\"s\":[]}\n[{\"a\":0}]"
      "\nnull\n"
      "{\"r\":2,\"s\":[{\"a\":2}]}\n";
  const Rows told{"1-\"rows\" asks for a member \"s\", and here are t, u",
                  "2:{\"a\":1}",
                  "3-\"rows\" asks for a member \"s\", and here is none",
                  "4-\"rows\" asks for a member \"s\", and it is null",
                  "5-\"rows\" asks for a member \"s\", and here is no object",
                  "6-\"rows\" asks for a member \"s\", and here is no object",
                  "7!\"rows\" leads to something that is no array",
                  "9-\"rows\" asks for a member \"s\", and here is no object",
                  "10-\"rows\" asks for a member \"s\", and here is no object",
                  "11:{\"a\":2}"};
  LineCounts counts;
  CHECK(read("s[]", odd, Format::json, &counts) == told);
  CHECK(counts.without_rows == 8);
  CHECK(read("s[]", odd, Format::jsonl, &counts) == told);
  CHECK(counts.without_rows == 8);
  const std::string deep = "{\"d\":{\"x\":1}}\n{\"d\":7}\n{\"d\":null}\n{\"d\":{\"s\":[{}]},\"e\":1}\n";
  const Rows deep_told{"1-\"rows\" asks for a member \"s\", and here is x",
                       "2-\"rows\" asks for a member \"s\", and here is no object",
                       "3-\"rows\" asks for a member \"d\", and it is null", "4:{}"};
  CHECK(read("d.s[]", deep) == deep_told);
  CHECK(read("d.s[]", deep, Format::jsonl) == deep_told);
  CHECK(read("[]", "[{}]\n{}\n7\n[]\n[{}]") == Rows{"1:{}", "2!\"rows\" leads to something that is no array",
                                                    "3!\"rows\" leads to something that is no array", "5:{}"});
  CHECK(read("[]", "[{}]\n{\"a\":\"") == Rows{"1:{}", "broken: line 2: the document ends too early"});
  CHECK(read("s[]", "{\"t\":1 \"u\":2}") == Rows{"broken: line 1: a comma or } is missing"});
  // It is read as it comes, so the first array of one name is read, and the others are told.
  CHECK(read("d.s[]",
             "{\"d\":{\"s\":[{\"a\":1}],\n\"s\":[{}],\"s\":[]},\n\"d\":{\"s\":[{}]}}\n{\"d\":{\"s\":[{\"a\":2}]}}") ==
        Rows{"1:{\"a\":1}", "2!the member \"s\" stands twice in one document, and only the rows of the first are read",
             "2!the member \"s\" stands twice in one document, and only the rows of the first are read",
             "3!the member \"d\" stands twice in one document, and only the rows of the first are read",
             "4:{\"a\":2}"});
  CHECK(read("s[]", "{\"s\":[{\"a\":1},\n{\"a\":") ==
        Rows{"1:{\"a\":1}", "broken: line 2: the document ends in the middle of a row"});
  CHECK(read("[]", "[{\"a\":1}{\"a\":2}]") ==
        Rows{"1:{\"a\":1}", "broken: line 1: a comma or ] is missing between the rows"});
  CHECK(read("[]", "[{\"a\":tru},{\"a\":2}]")[0] == "1!not JSON: not a value at byte 6");
  CHECK(read("[]", "[{\"a\":\"" + std::string(Lines::record_bytes_max, 'x') + "\"},{\"a\":2}]") ==
        Rows{"1!the row has 16777224 bytes, and one may have 16 MiB", "1:{\"a\":2}"});
  // A document where lines were meant is told in one sentence.
  CHECK(read("", "[\n{\"a\":1}\n]", Format::jsonl)[0].find("no reader: this is one JSON document") == 0);
  CHECK(read("", "{\n\"statuses\": [\n{\"a\":1}]}")[0].find("no reader: this is one JSON document") == 0);
  CHECK(read("", "{\"a\":\n{\"b\":2}\n", Format::jsonl).size() == 2);  // a damaged line is no document

  RowPath path;
  std::string problem;
  for (const char* const bad : {"", "a", "a[0]", "a[", "[]a", "a..b[]", "#[]", "a[][]b"}) {
    CHECK_MESSAGE(!read_row_path(bad, path, problem), bad);
  }
  const Shown shown = map_row(R"({"app_id":"a","time":"now","rows":"p[].r[]","user":{"id":"{who}"},
      "content":{"id":"{^id}","shop":"{^^shop}"},"action":{"type":"T"}})",
                              R"({"shop":"s","p":[{"r":[{"who":"w"}],"id":"i"}]})");
  CHECK(shown.user == "id=w");
  CHECK(shown.content_id == "i");
  CHECK(shown.content == "shop=s");
}

TEST_CASE("a field is captured, looked up, or something else when there is none") {
  const auto value = [](const std::string& field, const std::string& row, const std::string& show = "{f}",
                        const std::string& more = "") {
    return map_row(mapping_with(more + "\"fields\":{\"f\":" + field + "},\"referral\":\"" + show + "\""), row).referral;
  };
  const std::string log = R"--({"value":"{l}","capture":"^(?P<ip>\\S+) \"(?P<verb>\\S+) (?P<path>\\S+)"})--";
  const std::string row = R"({"l":"192.0.2.1 \"GET /a/b?c=1 HTTP/1.1\""})";
  CHECK(value(log, row, "{f.verb} {f.path} {f.ip}") == "GET /a/b?c=1 192.0.2.1");
  CHECK(value(log, R"({"l":"-"})", "{f.verb}") == "");
  CHECK(value(R"({"value":"{l}","capture":"[0-9]+"})", R"({"l":"a12b3"})") == "12");
  CHECK(value(R"--({"value":"{l}","capture":"a([0-9])([0-9])"})--", R"({"l":"a12b3"})", "{f}{f[2]}") == "12");
  CHECK(value(R"({"value":"{l}","capture":"x(y)?"})", R"({"l":"x"})", "[{f[1]}]") == "");
  CHECK(value(R"({"value":"{l}","lookup":{"de":"Germany"}})", R"({"l":"de"})") == "Germany");
  CHECK(value(R"({"value":"{l}","lookup":{"de":"Germany"}})", R"({"l":"kr"})") == "kr");
  CHECK(value(R"({"value":"{l}","lookup":{"de":"Germany"},"default":"other {l}"})", R"({"l":"kr"})") == "other kr");
  CHECK(value(R"({"value":"{l}","default":"none"})", R"({"l":null})") == "none");
  CHECK(value(R"({"value":"{l}","null":["-","N/A"],"default":"none"})", R"({"l":"N/A"})") == "none");
  CHECK(value(R"({"value":"{l}","decimal":","})", R"({"l":"1.234,50"})") == "1234.50");
  CHECK(value(R"(["{a}","{l}"])", R"({"l":"x"})") == "x");
  CHECK(map_row(mapping_with(R"("fields":{"l":{"value":"{l}","decimal":","},"m":"<{l}>"},"referral":"{m}")"),
                R"({"l":"1,5"})")
            .referral == "<1.5>");
  CHECK(value("\"{l}\"", R"({"l":"\\N"})", "{f}{l}", R"("null":"\\N",)") == "");
  CHECK(map_row(mapping_with(R"("null":["NULL"],"user":{"id":"{u}"},"content":{"*":"c"})"),
                R"({"u":"NULL","c":{"a":"NULL","b":"x"}})")
            .content == "b=x");
  const Shown damaged = map_row(R"({"app_id":"a","fields":{"f":{"value":"{l}","capture":"^([0-9]+) "}},
      "time":{"value":"{f}","unit":"s"},"action":{"type":"T"}})",
                                R"({"l":"x 1"})");
  CHECK(damaged.problem == "the time is missing; the field \"f\" does not match its pattern");

  CHECK(error_of(mapping_with(R"--("fields":{"f":{"value":"{l}","capture":"(?P<a>x)"}},"referral":"{f.b}")--")) ==
        "map.json: referral: the field \"f\" captures no \"b\", but a");
  CHECK_FALSE(error_of(mapping_with(R"("fields":{"f":{"capture":"x"}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("fields":{"f":{"value":"{l}","capture":"("}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("fields":{"f":{"value":"{l}","decimal":";"}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("fields":{"f":{"value":"{l}","lookup":["x"]}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("fields":["f"])")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("encoding":"latin9000")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("rows":"a")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("quote":"ab")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("delimiter":"\"")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("row_lines_max":0)")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("too_long":"shrink")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("referral":"{*}")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("skip":{"column":"*","empty":true})")).empty());
}

TEST_CASE("the whole row becomes members, and a path keeps its slashes") {
  const std::string map =
      R"({"app_id":"a","time":"now","null":"-","action":{"type":"T","*":{"from":"*","except":["k"]}}})";
  CHECK(map_row(map, R"({"k":1,"userName":"u","o":{"x":1},"e":"","n":"-"})").action == "user_name=u,o_x=1");
  CHECK(map_row(map, "k,userName,e,n\n1,u,,-\n", "x.csv").action == "user_name=u");
  CHECK(map_row(map, "k,a b,a_b\n1,2,3\n", "x.csv").problem ==
        "two members of the row become action.a_b; use prefix or except");

  const auto screen = [](const std::string& location, const std::string& row) {
    return map_row(mapping_with("\"location\":\"" + location + "\""), row).screen;
  };
  CHECK(screen("https://x{+p}?v=1", R"({"p":"/a b/%20c%zz?q=ü"})") == "https://x/a%20b/%20c%25zz?q=%C3%BC&v=1");
  CHECK(screen("https://x{+p}?v=1", R"({"p":"/a"})") == "https://x/a?v=1");
  CHECK(screen("https://x/{p}", R"({"p":"/a"})") == "https://x/%2Fa");
}

TEST_CASE("a column that no row has is told with the nearest name") {
  const Mapping mapping = read_mapping(
      mapping_with(
          R"("user":{"id":"{usr}"},"content":{"id":"{d.titel}","x":"{zzz.y}","n":"{n}"},"skip":{"column":"q","exists":true})"),
      "m");
  const Folder folder;
  std::string problem;
  RecordOptions options;
  options.format = Format::jsonl;
  const auto reader = open_records(
      folder.file("x", "{\"h\":1}\n{\"user\":1,\"d\":{\"title\":2,\"other\":3},\"n\":null}\n"), options, problem);
  Mapper mapper(mapping);
  mapper.begin_input(nullptr);
  Record row;
  Sentence sentence;
  while (reader->next(row, problem) == RecordReader::Next::record) mapper.map(row, 1, sentence, problem);
  CHECK(mapper.never_found() == std::vector<std::string>{"no row has a column \"usr\"; did you mean \"user\"?",
                                                         "no row has a column \"zzz\"",
                                                         "no row has \"d.titel\"; did you mean \"title\"?"});
  CHECK(nearest_name("usrid", {"user_id", "item"}) == "user_id");
  CHECK(nearest_name("ts", {"item", "what"}) == "");
}

TEST_CASE("what is too long for a sentence is named, and cut where the mapping says so") {
  const std::string map =
      R"({"app_id":"a","time":"now","too_long":"cut","content":{"id":"i","text":"{t}"},"action":{"type":"T"}})";
  const Folder folder;
  const Mapping mapping = read_mapping(map, "m");
  std::string problem;
  RecordOptions options;
  options.format = Format::jsonl;
  const auto reader =
      open_records(folder.file("x", "{\"t\":\"short\"}\n{\"t\":\"" + std::string(20'000, 'x') +
                                        std::string(10'000, 'n') + "ü" + "é" + std::string(9'000, 'z') + "\"}\n"),
                   options, problem);
  Mapper mapper(mapping);
  mapper.begin_input(nullptr);
  Record row;
  Sentence sentence;
  REQUIRE(reader->next(row, problem) == RecordReader::Next::record);
  REQUIRE(mapper.map(row, 1, sentence, problem) == Mapper::Outcome::mapped);
  CHECK(sentence.cut.empty());
  REQUIRE(reader->next(row, problem) == RecordReader::Next::record);
  REQUIRE(mapper.map(row, 2, sentence, problem) == Mapper::Outcome::mapped);
  CHECK(sentence.cut == "content.text");
  REQUIRE(sentence.content.size() == 1);
  CHECK(sentence.content[0].value.size() <= 31'000);
  CHECK(sentence.content[0].value.size() > 30'900);
  CHECK(is_utf8(sentence.content[0].value));
  std::string name;
  CHECK(longest_member(sentence, name) == sentence.content[0].value);
  CHECK(name == "content.text");
}

TEST_CASE("a mapping of megabytes and one of many columns are refused at once") {
  CHECK(error_of(mapping_with("\"comment\":\"" + std::string(10'000'000, 'x') + "\"")).find("at most 1 MiB") !=
        std::string::npos);
  std::string lookup;
  for (int i = 0; i < 5'001; ++i) lookup += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"x\"";
  CHECK(error_of(mapping_with("\"fields\":{\"f\":{\"value\":\"{l}\",\"lookup\":{" + lookup + "}}}"))
            .find("at most 5,000 members") != std::string::npos);
  std::string columns;
  for (int i = 0; i < 5'002; ++i) columns += "{c" + std::to_string(i) + "}";
  CHECK(error_of(mapping_with("\"referral\":\"" + columns + "\"")).find("at most 5,000 columns") != std::string::npos);
  CHECK_FALSE(error_of(std::string(500'000, '[')).empty());
  std::string rules;
  for (int i = 0; i < 101; ++i) rules += (i == 0 ? "" : ",") + std::string(R"({"column":"k","matches":".{900}"})");
  CHECK(error_of(mapping_with("\"skip\":[" + rules + "]")).find("at most 100") != std::string::npos);
}

TEST_CASE("a mapping that doubles a text again and again ends at a limit") {
  std::string fields = R"("f0":"{t}{t}")";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "{f" + std::to_string(i - 1) + "}";
    fields += ",\"f" + std::to_string(i) + "\":\"" + before + before + "\"";
  }
  const Shown shown =
      map_row(mapping_with("\"fields\":{" + fields + "},\"referral\":\"{f59}\""), R"({"t":"0123456789"})");
  CHECK(shown.outcome == Mapper::Outcome::unmapped);
  CHECK(shown.problem == "the mapping makes more than 64 MiB of text of this row");
}

TEST_CASE("a row longer than the limit is one bad row, not the end") {
  const std::string huge(Lines::record_bytes_max + 10, 'x');
  const Rows rows = rows_of("a\n" + huge + "\nsmall\n");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == "2!the line has 16777227 bytes, and a row may have 16 MiB");
  CHECK(rows[1] == "3:small");
}

TEST_CASE("rows are the same wherever a piece of the file ends") {
  // Rows around the 256 KiB of a piece, quoted and not, with a line end inside.
  for (const std::size_t before : {262'130, 262'136, 262'140, 262'141, 262'142, 262'143, 262'144, 262'145}) {
    const std::string fill(before - 4, 'f');
    const Rows rows = rows_of("a,b\n" + fill + ",\"q\"\"\r\nr\",\n" + "x,\"y\"\n");
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] ==
          "2!the row has 3 columns where there should be 2; the row took 2 lines, and those behind this one "
          "are read again");
    CHECK(rows[1] == "3:r\"|");
    CHECK(rows[2] == "4:x|y");
  }
}

TEST_CASE("gzip is told by its bytes, joined members and a cut end included") {
  const Folder folder;
  RecordOptions options;
  options.format = Format::csv;
  std::string problem;
  const std::string path = folder.gz("a.csv.gz", "a,b\n1,2\n");
  const std::string both = folder.file("b.csv.gz", content_of(path) + content_of(folder.gz("c.gz", "3,4\n")));
  auto reader = open_records(both, options, problem);
  Record row;
  REQUIRE(reader->next(row, problem) == RecordReader::Next::record);
  REQUIRE(reader->next(row, problem) == RecordReader::Next::record);
  CHECK(row.fields[1] == "4");
  CHECK(reader->next(row, problem) == RecordReader::Next::end);

  std::string rows = "a,b\n";
  for (int i = 0; i < 50'000; ++i) rows += std::to_string(i * 7919) + ",x\n";
  const std::string whole = content_of(folder.gz("d.gz", rows));
  reader = open_records(folder.file("e.csv.gz", whole.substr(0, whole.size() / 2)), options, problem);
  RecordReader::Next last = RecordReader::Next::record;
  while (last == RecordReader::Next::record || last == RecordReader::Next::bad) last = reader->next(row, problem);
  CHECK(last == RecordReader::Next::broken);
  CHECK(open_records(folder.path() + "/none.csv", options, problem) == nullptr);
}

TEST_CASE("the file's name tells the format") {
  CHECK(format_of("a/b.csv") == Format::csv);
  CHECK(format_of("a/b.CSV.gz") == Format::csv);
  CHECK(format_of("b.tsv.gz") == Format::tsv);
  CHECK(format_of("b.jsonl") == Format::jsonl);
  CHECK(format_of("b.ndjson.gz") == Format::jsonl);
  CHECK(format_of("a.csv/b") == Format::unknown);
  CHECK(format_of("b.json") == Format::json);
  CHECK(format_of("access.log.gz") == Format::lines);
  CHECK(format_of("b.gz") == Format::unknown);
}

TEST_CASE("JSON keeps numbers as they are written and says where it is wrong") {
  JsonText json;
  std::string problem;
  const std::string text = R"({"a":23000213512143300,"b":-16.061126916390077,"c":1e400,"d":-0,"e":38.900700,)"
                           R"("f":"\u00e9\ud83d\ude00\ud800x\u0000","g":[1, {"h" : "a b"}],"a":18446744073709551617})";
  REQUIRE(json.parse(text, problem));
  const auto value = [&](std::string_view name) { return std::string(json.member(json.root(), name)->text); };
  CHECK(value("a") == "18446744073709551617");  // the last one counts
  CHECK(value("b") == "-16.061126916390077");
  CHECK(value("c") == "1e400");
  CHECK(value("d") == "-0");
  CHECK(value("e") == "38.900700");
  CHECK(value("f") == std::string("\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBDx\0", 11));
  std::string compact;
  append_compact(json.member(json.root(), "g")->text, compact);
  CHECK(compact == R"([1,{"h":"a b"}])");
  CHECK(json.lone_surrogates() == 1);
  REQUIRE(json.has_repeated());
  CHECK(json.repeated_in(json.root())->name == "a");
  CHECK_FALSE(json.parse("{\"a\":1,}", problem));
  CHECK(problem == "a member's name in quotes is missing at byte 8");
  CHECK_FALSE(json.parse(std::string(100'000, '['), problem));
  CHECK_FALSE(json.parse("", problem));
}

TEST_CASE("of a member that stands twice the last counts, wherever it is asked for") {
  JsonText json;
  std::string problem;
  std::string text =
      R"({"a":{"x":[1,{"n":1,"n":"\"\u0001\ud800"}],"y":1,"y":[2]},"b":1,"a":3,"c":{"x":1},"a":{"z":1}})";
  REQUIRE(json.parse(text, problem));
  std::string names;
  for (const auto* one = json.first(json.root()); one != nullptr; one = json.next(*one)) names += one->name;
  CHECK(names == "abc");
  CHECK(json.member(json.root(), "a")->text == R"({"z":1})");
  CHECK(json.repeated_in(json.root())->name == "a");
  CHECK(json.repeated_in(*json.member(json.root(), "c")) == nullptr);
  std::string written;
  json.append_compact(json.root(), written);
  CHECK(written == R"({"a":{"z":1},"b":1,"c":{"x":1}})");
  text = R"({ "o": {"e\n":"\"\u0001\ud800/", "n":1.50, "n": [true, null, -0]}, "p":{} })";
  REQUIRE(json.parse(text, problem));
  CHECK(json.repeated_in(json.root())->name == "n");
  CHECK(json.repeated_in(json.root(), json.member(json.root(), "o")) == nullptr);
  written.clear();
  json.append_compact(json.root(), written);
  CHECK(written == "{\"o\":{\"e\\u000a\":\"\\\"\\u0001\xEF\xBF\xBD/\",\"n\":[true,null,-0]},\"p\":{}}");
  REQUIRE(json.parse(R"({ "a" : [ 1 ] })", problem));
  CHECK_FALSE(json.has_repeated());
  CHECK(json.lone_surrogates() == 0);
  // Of thousands of members, in time that grows with their number.
  text = "{";
  for (int i = 0; i < 300'000; ++i)
    text += (i == 0 ? "\"" : ",\"") + std::to_string(i % 200'000) + "\":" + std::to_string(i);
  text += "}";
  REQUIRE(json.parse(text, problem));
  CHECK(json.has_repeated());
  int count = 0;
  for (const auto* one = json.first(json.root()); one != nullptr; one = json.next(*one)) ++count;
  CHECK(count == 200'000);
  CHECK(json.member(json.root(), "99999")->text == "299999");
  CHECK(json.member(json.root(), "100000")->text == "100000");
}

TEST_CASE("JSON: what others must accept is accepted, what they must refuse is refused") {
  const char* const told = std::getenv("YUKHA_INPUTS");
  const std::string inputs = told != nullptr ? told : YUKHA_MADE_INPUTS;
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(inputs + "/nasty/JSONTestSuite")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".json" || name.size() < 2 || name[1] != '_' || name[0] == 'i') continue;
    JsonText json;
    std::string problem;
    const std::string text = content_of(entry.path().string());
    CHECK_MESSAGE(json.parse(text, problem) == (name[0] == 'y'), name);
    ++seen;
  }
  CHECK(seen >= 283);
}

TEST_CASE("time: units since 1970 are exact to the millisecond, rounded down") {
  const auto read = [](std::string_view unit, std::string_view text) -> std::int64_t {
    TimeFormat format;
    REQUIRE(format.add_unit(unit));
    ClockChange change = ClockChange::none;
    std::int64_t ms = -1;
    std::string problem;
    return format.read(text, ms, change, problem) ? ms : INT64_MIN;
  };
  CHECK(read("s", "1465413032") == 1465413032000);
  CHECK(read("s", "1465413032.9999") == 1465413032999);
  CHECK(read("s", "1465413032.5") == 1465413032500);
  CHECK(read("s", "-1") == -1000);
  CHECK(read("s", "-0.0001") == -1);
  CHECK(read("ms", "1465413032123") == 1465413032123);
  CHECK(read("ms", "1465413032123.9") == 1465413032123);
  CHECK(read("us", "1465413032123999") == 1465413032123);
  CHECK(read("us", "-1") == -1);
  CHECK(read("us", "-1000") == -1);
  CHECK(read("ns", "1465413032123999999") == 1465413032123);
  CHECK(read("ns", "5") == 0);
  CHECK(read("s", "1.46541303212E+9") == 1465413032120);
  CHECK(read("s", "1465413032123e-3") == 1465413032123);
  CHECK(read("s", "-1e-9") == -1);
  CHECK(read("us", "1.465413032123e15") == 1465413032123);
  CHECK(read("s", "0.00000000000000000000000000000000000001e45") == 10'000'000'000);
  for (const char* const bad : {"", "-", ".", "1.", ".5", "1e", "e9", "1e+", "1e999", "1e40", "0x10", " 1", "1 ", "+1",
                                "nan", "99999999999999999999"}) {
    CHECK_MESSAGE(read("s", bad) == INT64_MIN, bad);
  }
  TimeFormat format;
  CHECK_FALSE(format.add_unit("seconds"));
}

TEST_CASE("time: RFC 3339") {
  const auto read = [](std::string_view text, std::string_view zone = {}) -> std::int64_t {
    TimeFormat format;
    REQUIRE(format.add_unit("rfc3339"));
    std::string problem;
    if (!zone.empty()) REQUIRE(format.set_zone(zone, problem));
    ClockChange change = ClockChange::none;
    std::int64_t ms = -1;
    return format.read(text, ms, change, problem) ? ms : INT64_MIN;
  };
  CHECK(read("1970-01-01T00:00:00Z") == 0);
  CHECK(read("2026-05-22T03:52:00.123Z") == 1779421920123);
  CHECK(read("2026-05-22 09:52:00.1239999+06:00") == 1779421920123);
  CHECK(read("2026-05-21t22:52:00.123-05:00") == 1779421920123);
  CHECK(read("2016-12-31T23:59:60Z") == 1483228800000);
  CHECK(read("2024-02-29T00:00:00Z") == 1709164800000);
  CHECK(read("0001-01-01T00:00:00Z") == -62135596800000);
  CHECK(read("9999-12-31T23:59:59.999Z") == 253402300799999);
  CHECK(read("2026-05-22T03:52:00") == INT64_MIN);
  CHECK(read("2026-05-22T03:52:00", "+06:00") == 1779421920000 - 6 * 3'600'000);
  for (const char* const bad :
       {"2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-32T00:00:00Z",
        "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00Zx", "2023-01-01",
        "23-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2023-01-01T00:00:00+25:00", ""}) {
    CHECK_MESSAGE(read(bad) == INT64_MIN, bad);
  }
}

TEST_CASE("time: patterns") {
  const auto read = [](std::vector<std::string> patterns, std::string_view text,
                       std::string_view zone = "UTC") -> std::int64_t {
    TimeFormat format;
    std::string problem;
    for (std::string& pattern : patterns) REQUIRE(format.add_pattern(std::move(pattern), problem));
    REQUIRE(format.set_zone(zone, problem));
    ClockChange change = ClockChange::none;
    std::int64_t ms = -1;
    return format.read(text, ms, change, problem) ? ms : INT64_MIN;
  };
  CHECK(read({"%Y-%m-%d %H:%M:%S.%f"}, "2023-02-01 16:16:51.497000") == 1675268211497);
  CHECK(read({"%Y-%m-%d %H:%M:%S.%f"}, "2023-02-01 16:16:51") == INT64_MIN);
  CHECK(read({"%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S"}, "2023-02-01 16:16:51") == 1675268211000);
  CHECK(read({"%Y-%m-%d %H:%M:%S"}, "2023-02-01 16:16:51", "-05:30") == 1675268211000 + 19'800'000);
  CHECK(read({"%Y-%m-%d %H:%M:%S %z"}, "2023-02-01 16:16:51 +0600", "-05:30") == 1675268211000 - 6 * 3'600'000);
  CHECK(read({"%y.%m.%d"}, "13.07.13") == 1373673600000);
  CHECK(read({"%y.%m.%d"}, "70.01.01") == 0);
  CHECK(read({"%d/%b/%Y:%H:%M:%S %z"}, "10/Oct/2000:13:55:36 -0700") == 971211336000);
  CHECK(read({"%A, %d %B %Y %I:%M %p"}, "Tuesday, 10 October 2000 01:05 PM") == 971183100000);
  CHECK(read({"%I %p"}, "12 AM") == 0);
  CHECK(read({"%I %p"}, "13 PM") == INT64_MIN);
  CHECK(read({"%Y-%j"}, "2024-366") == 1735603200000 - 0);
  CHECK(read({"%Y-%j"}, "2023-366") == INT64_MIN);
  CHECK(read({"%s.%f"}, "1465413032.250") == 1465413032250);
  CHECK(read({"%F %T"}, "2023-02-30 00:00:00") == INT64_MIN);
  CHECK(read({"%d.%m.%Y"}, "1.2.2023") == 1675209600000);
  TimeFormat format;
  std::string problem;
  CHECK_FALSE(format.add_pattern("%Q", problem));
  CHECK_FALSE(format.add_pattern("%Y%", problem));
  CHECK_FALSE(format.add_pattern("", problem));
  CHECK(format.set_zone("Asia/Seoul", problem));
  CHECK_FALSE(format.set_zone("+6x", problem));
  CHECK_FALSE(format.set_zone("Europe/Nowhere", problem));
  CHECK_FALSE(format.set_zone("../../etc/passwd", problem));
  CHECK(problem.find("tz database") != std::string::npos);
}

TEST_CASE("time: places have their clocks set forward and back, and that is told") {
  TimeFormat format;
  std::string problem;
  REQUIRE(format.add_pattern("%Y-%m-%d %H:%M", problem));
  REQUIRE(format.set_zone("Europe/Berlin", problem));
  ClockChange change = ClockChange::none;
  const auto read = [&](std::string_view text) {
    std::int64_t ms = -1;
    return format.read(text, ms, change, problem) ? ms : INT64_MIN;
  };
  CHECK(read("2024-01-15 12:00") == 1705316400000);  // +01:00
  CHECK(read("2024-07-15 12:00") == 1721037600000);  // +02:00
  CHECK(change == ClockChange::none);
  CHECK(read("2024-10-27 02:30") == 1729989000000);  // the first of the two, at +02:00
  CHECK(change == ClockChange::twice);
  CHECK(read("2024-10-27 03:30") == 1729996200000);
  CHECK(change == ClockChange::none);
  CHECK(read("2024-03-31 02:30") == 1711848600000);  // as if at +01:00
  CHECK(change == ClockChange::skipped);
}

TEST_CASE("time: a sheet's days, among texts and with a decimal comma") {
  TimeFormat format;
  std::string problem;
  REQUIRE(format.add_pattern("%m/%d/%Y %I:%M %p", problem));
  REQUIRE(format.add_unit("excel"));
  REQUIRE(format.set_zone("UTC", problem));
  ClockChange change = ClockChange::none;
  const auto read = [&](std::string_view text) {
    std::int64_t ms = -1;
    return format.read(text, ms, change, problem) ? ms : INT64_MIN;
  };
  CHECK(read("1/2/2024 3:04 PM") == 1704207840000);
  CHECK(read("44197.5") == 1609502400000);
  CHECK(read("45292.336805555555") == 1704096300000);  // 2024-01-01 08:05
  CHECK(read("25569") == 0);
  CHECK(read("61") == -2203891200000);  // 1900-03-01
  CHECK(read("60") == INT64_MIN);
  CHECK(read("-1") == INT64_MIN);
  CHECK(read("2958466") == INT64_MIN);
  CHECK(read("44197,5") == INT64_MIN);
  format.set_decimal_comma();
  CHECK(read("44197,5") == 1609502400000);
  CHECK(with_decimal_point("-1.234.567,89") == "-1234567.89");
  CHECK(with_decimal_point("1 234") == "1234");
  CHECK(with_decimal_point("1,2,3") == "1,2,3");
  CHECK(with_decimal_point("12:30") == "12:30");
}

TEST_CASE("a template takes values as they are written and leaves out what is empty") {
  const std::string row =
      R"({"id":23000213512143300,"f":38.900700,"t":true,"n":null,"s":"a b","e":"","o":{"p":[1,{"q":"x"}]},)"
      R"("a.b":"dot","inner":"{\"level\": 3, \"deep\": [10, 20]}","it's":"q"})";
  const auto value = [&](const std::string& text) {
    return map_row(mapping_with("\"referral\":" + text), row).referral;
  };
  CHECK(value(R"("{id}")") == "23000213512143300");
  CHECK(value(R"("{f}")") == "38.900700");
  CHECK(value(R"("{t}")") == "true");
  CHECK(value(R"("{n}")") == "");
  CHECK(value(R"("x{n}y{e}")") == "");
  CHECK(value(R"("x{n}y{s}")") == "xya b");
  CHECK(value(R"("{o}")") == R"({"p":[1,{"q":"x"}]})");
  CHECK(value(R"("{o.p[1].q}")") == "x");
  CHECK(value(R"("{o.p[7].q}")") == "");
  CHECK(value(R"("{o.x.y}")") == "");
  CHECK(value(R"("{'a.b'}")") == "dot");
  CHECK(value(R"("{'it''s'}")") == "q");
  CHECK(value(R"("{inner.level}/{inner.deep[1]}")") == "3/20");
  CHECK(value(R"("{#}")") == "1");
  CHECK(value(R"("{{{s}}}")") == "{a b}");
  CHECK(value(R"(["{n}","{e}","{s}","never"])") == "a b");
  CHECK(value(R"(["{n}","constant"])") == "constant");
}

TEST_CASE("a location is encoded, and empty parameters are left out") {
  const auto screen = [](const std::string& location, const std::string& row) {
    return map_row(mapping_with("\"location\":\"" + location + "\""), row).screen;
  };
  const std::string two = "app://deskdrop/?region={r}&country={c}";
  CHECK(screen(two, R"({"r":"NY","c":"US"})") == "app://deskdrop/?region=NY&country=US");
  CHECK(screen(two, R"({"r":"?","c":"S\u00e3o Paulo&+"})") ==
        "app://deskdrop/?region=%3F&country=S%C3%A3o%20Paulo%26%2B");
  CHECK(screen(two, R"({"r":"","c":"US"})") == "app://deskdrop/?country=US");
  CHECK(screen(two, R"({"r":null})") == "app://deskdrop/");
  CHECK(screen("app://w/level/{l}", R"({"l":"a/b"})") == "app://w/level/a%2Fb");
  CHECK(screen("app://w/level/{l}", R"({"l":""})") == "");
  CHECK(screen("app://w/?v=1&a={l}-{m}#top{l}", R"({"l":"x"})") == "app://w/?v=1&a=x-#topx");
  CHECK(screen("app://w/?v=1&a={l}#top{l}", R"({})") == "app://w/?v=1");
  CHECK(screen("{u}", R"({"u":"http://x/?a=b c"})") == "http://x/?a=b c");  // the library repairs it
  CHECK(screen("FEED {l}", R"({"l":"a b"})") == "FEED a b");                // the library encodes it
  const Shown shown = map_row(mapping_with(R"("location":{"screen":"FEED","y":"{y}","z":"{z}"})"), R"({"y":3})");
  CHECK(shown.screen == "FEED");
  CHECK(shown.parameters == "y=3");
  CHECK(encoded("AZaz09-._~") == "AZaz09-._~");
  CHECK(encoded(std::string_view("\0\x7f\xff", 3)) == "%00%7F%FF");
}

TEST_CASE("every member of an object can become a member of the part") {
  const auto action = [](const std::string& star, const std::string& row) {
    const Shown shown = map_row(R"({"app_id":"a","time":"now","action":{"type":"T","*":)" + star + "}}", row);
    return shown.outcome == Mapper::Outcome::mapped ? shown.action : "unmapped: " + shown.problem;
  };
  CHECK(action(R"("d")", R"({"d":{"a":1.50,"b":null,"c":"","d":[1, 2],"e":{"f":false,"g":{"h":"i"}}}})") ==
        "a=1.50,d=[1,2],e_f=false,e_g_h=i");
  CHECK(action(R"({"from":"{d}","nested":"json","prefix":"p_","except":["a"]})",
               R"({"d":{"a":1,"1st":2,"e":{"f": 1}}})") == "p_1st=2,p_e={\"f\":1}");
  CHECK(action(R"("d")", R"({"d":{"userName":1,"HTTP code":2,"1st":3,"_x":4,"\uc720\uc800":5,"":6}})") ==
        "user_name=1,http_code=2,x_1st=3,x_x=4");
  CHECK(action(R"("d")", R"({"d":{"gr\u00f6\u00dfe":1,"\uc720\uc800":{"id":2},"o":{"\u540d":3,"b":4}}})") ==
        "gr__e=1,o_b=4");
  CHECK(action(R"({"from":"d","prefix":"p"})", R"({"d":{"\uc720\uc800":1,"a":2}})") == "pa=2");
  CHECK(action(R"("d")", R"({"d":"{\"a\": 14.912280701754385}"})") == "a=14.912280701754385");
  CHECK(action(R"("d")", R"({"d":""})") == "");
  CHECK(action(R"("d")", R"({})") == "");
  CHECK(action(R"("d.x")", R"({"d":{"x":{"y":1}}})") == "y=1");
  CHECK(action(R"(["d","e"])", R"({"d":{"x":1},"e":{"y":2}})") == "x=1,y=2");
  CHECK(action(R"("d")", R"({"d":{"a b":1,"a_b":2}})") ==
        "unmapped: two members of the row become action.a_b; use prefix or except");
  CHECK(action(R"("d")", R"({"d":{"a":1,"b":{"x":1,"x":2},"a":3}})") == "a=3,b_x=2");
  CHECK(action(R"("d")", R"({"d":[1]})") == "unmapped: column d should hold a JSON object");
  CHECK(action(R"("d")", R"({"d":"{\"a\":"})").substr(0, 35) == "unmapped: column d holds no JSON: e");
  CHECK(action(R"("d")", R"({"d":{")" + std::string(65, 'a') + R"(":1,"b":2}})") == "b=2");
}

TEST_CASE("rules: skip and critical") {
  const auto outcome = [](const std::string& rule, const std::string& row) {
    return map_row(mapping_with("\"skip\":" + rule), row).outcome == Mapper::Outcome::skipped;
  };
  CHECK(outcome(R"({"column":"_h_","exists":true})", R"({"_h_":1})"));
  CHECK(outcome(R"({"column":"_h_","exists":true})", R"({"_h_":null})"));
  CHECK_FALSE(outcome(R"({"column":"_h_","exists":true})", R"({"a":1})"));
  CHECK(outcome(R"({"column":"_h_","exists":false})", R"({"a":1})"));
  CHECK(outcome(R"({"column":"k","equals":["PING","PONG"]})", R"({"k":"PONG"})"));
  CHECK_FALSE(outcome(R"({"column":"k","equals":"PING"})", R"({"k":"PINGS"})"));
  CHECK(outcome(R"({"column":"{k.v[0]}","matches":"^a+$"})", R"({"k":{"v":["aaa"]}})"));
  CHECK(outcome(R"({"column":"k","empty":true})", R"({"k":""})"));
  CHECK_FALSE(outcome(R"({"column":"k","exists":true,"empty":true})", R"({})"));
  CHECK(outcome(R"([{"column":"x","equals":"1"},{"column":"y","equals":"2"}])", R"({"y":2})"));
  CHECK(map_row(mapping_with(R"("critical":{"column":"k","matches":"BUY"})"), R"({"k":"BUY_NOW"})").critical);
  // A recursive matcher would end its stack here.
  CHECK_FALSE(outcome(R"({"column":"k","matches":"(a|b)*c"})", R"({"k":")" + std::string(50'000, 'a') + R"("})"));
  CHECK(outcome(R"({"column":"k","matches":"^\\d+$"})", R"({"k":"123"})"));
  CHECK(error_of(mapping_with(R"("skip":{"column":"k","matches":"(a)\\1"})")).find("references back") !=
        std::string::npos);
  // Nested repeats: a matcher that goes back would take for ever, one that unrolls them all memory.
  CHECK_FALSE(outcome(R"({"column":"k","matches":"^(a+)+$"})", R"({"k":")" + std::string(100'000, 'a') + R"(b"})"));
  CHECK(error_of(mapping_with(R"("skip":{"column":"k","matches":"((a{100}){100}){100}"})"))
            .find("not a regular expression") != std::string::npos);
}

TEST_CASE("durations and times of a row") {
  const std::string map = R"({"app_id":"a","time":{"value":"{t}","unit":"s"},
      "action":{"type":"{k}","duration_ms":{"value":"{d}","unit":"s"}}})";
  const auto row = [&](const std::string& text) { return map_row(map, text); };
  CHECK(row(R"({"t":"1.5","k":"READ","d":"2.25"})").unix_ms == 1500);
  CHECK(row(R"({"t":"1.5","k":"READ","d":"2.25"})").duration_ms == 2250);
  CHECK(row(R"({"t":"1.5","k":"READ"})").duration_ms == -1);
  CHECK(row(R"({"k":"READ"})").problem == "the time is missing");
  CHECK(row(R"({"t":"soon","k":"READ"})").problem == "the time \"soon\" is not a number of the unit the mapping names");
  CHECK(row(R"({"t":1})").problem == "action.type is empty");
  CHECK(row(R"({"t":1,"k":"READ","d":-1})").problem == "action.duration_ms is negative");
  CHECK(row(R"({"t":1,"k":"READ","d":"x"})").outcome == Mapper::Outcome::unmapped);
}

TEST_CASE("a mapping that cannot be used is refused with the place named") {
  CHECK(error_of("{").substr(0, 19) == "map.json: not JSON:");
  CHECK(error_of("[]") == "map.json: a mapping is a JSON object");
  CHECK(error_of("{}") == "map.json: \"app_id\" is missing");
  CHECK(error_of(R"({"app_id":"a","app_id":"b"})") == "map.json: \"app_id\" stands twice in one object");
  CHECK(error_of(R"({"app_id":"a","time":"now"})") == "map.json: \"action\" is missing");
  CHECK(error_of(R"({"app_id":"a","action":{"type":"x"}})").find("\"time\" is missing") != std::string::npos);
  CHECK(error_of(R"({"app_id":"a","time":{"value":"{t}"},"action":{"type":"x"}})") ==
        "map.json: time: needs either \"unit\" or \"format\"");
  CHECK(error_of(R"({"app_id":"a","time":{"value":"{t}","unit":"h"},"action":{"type":"x"}})") ==
        "map.json: time.unit: must be s, ms, us, ns, excel, excel1904 or rfc3339");
  CHECK(error_of(R"({"app_id":"a","time":{"value":"{t}","unit":"s","zone":"+01:00"},"action":{"type":"x"}})") ==
        "map.json: time.zone: a number since 1970 is always UTC");
  CHECK(error_of(mapping_with(R"("user":{"Id":"{x}"})")) ==
        "map.json: user.Id: a member's name is [a-z][a-z0-9_]{0,63}");
  CHECK(error_of(mapping_with(R"("device":{"seq":"{x}"})")) ==
        "map.json: device.seq: only the library writes this member");
  CHECK(error_of(mapping_with(R"("user":{"id":5})")) == "map.json: user.id: must be a text in quotes");
  CHECK(error_of(mapping_with(R"("user":"{x}")")) == "map.json: user: must be an object of members");
  CHECK(error_of(mapping_with(R"("where":"{x}")")).find("unknown member \"where\"") != std::string::npos);
  for (const char* const bad :
       {"{", "}", "{}", "{a", "{a.}", "{a[}", "{a[x]}", "{a[1}", "{a]}x{", "{'a}", "{'a'b}", ""}) {
    CHECK_MESSAGE(!error_of(mapping_with("\"referral\":\"" + std::string(bad) + "\"")).empty(), bad);
  }
  CHECK_FALSE(error_of(mapping_with(R"("skip":{"column":"x","matches":"("})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("skip":{"column":"x"})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("skip":[[[]]])")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("referral":[])")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("delimiter":"ab")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("columns":"a")")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("user":{"*":{"prefix":"x"}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("user":{"*":{"from":"x","prefix":"X"}})")).empty());
  CHECK_FALSE(error_of(mapping_with(R"("user":{"*":"#"})")).find("must") == 0);
  CHECK(error_of(mapping_with("")).empty());
  CHECK(error_of(mapping_with(R"("quote":"")")).empty());
  CHECK(error_of(mapping_with(R"("quote":",")")).empty());  // only the format tells what stands between the columns
  CHECK(error_of(mapping_with(R"("format":"csv","quote":",")")) ==
        "map.json: the quote is the delimiter as well; \"quote\": \"\" switches quoting off");
  CHECK(error_of(mapping_with(R"("format":"tsv","quote":"\t")")).find("the quote is the delimiter") !=
        std::string::npos);
  CHECK(error_of(mapping_with(R"("quote":";","delimiter":";")")).find("the quote is the delimiter") !=
        std::string::npos);
  CHECK(error_of(mapping_with(R"("format":"lines","quote":",")")).empty());
  CHECK(error_of(mapping_with(R"("format":"csv","rows":"a[]")")) ==
        "map.json: \"rows\" is for JSON, and this input is none");
  CHECK(error_of(mapping_with(R"("columns":["a","b","a"])")) == "map.json: columns: two have the name \"a\"");
}

TEST_CASE("a column the input does not have is told before the first row") {
  const Mapping mapping = read_mapping(mapping_with(R"("referral":"{x}","skip":{"column":"y","exists":true})"), "m");
  Mapper mapper(mapping);
  const std::vector<std::string> without{"a", "X"};
  CHECK_THROWS_WITH_AS(mapper.begin_input(&without),
                       "the mapping asks for a column \"x\", and the input has a, X; did you mean \"X\"?",
                       MappingError);
  const std::vector<std::string> enough{"x"};  // a column only a rule asks for may be missing
  CHECK_NOTHROW(mapper.begin_input(&enough));
}

TEST_CASE("of two columns with one name the last counts, in a template and in the whole row") {
  const Shown shown =
      map_row(R"({"app_id":"a","time":"now","referral":"{x}","action":{"type":"T","*":{"from":"*","except":["y"]}}})",
              "x,y,x,z\n1,2,3,4\n", "x.csv");
  CHECK(shown.referral == "3");
  CHECK(shown.action == "x=3,z=4");
  const Mapping mapping = read_mapping(mapping_with(""), "m");
  Mapper mapper(mapping);
  const std::vector<std::string> columns{"x", "y", "x", "z", "x", "y"};
  mapper.begin_input(&columns);
  CHECK(mapper.repeated_columns() == std::vector<std::string>{"x", "y"});
  const std::vector<std::string> others{"x", "y"};
  mapper.begin_input(&others);
  CHECK(mapper.repeated_columns().empty());
}

TEST_CASE("a file without a header line has the columns the mapping names") {
  const Shown shown = map_row(R"({"app_id":"a","columns":["t","k"],"delimiter":";","time":{"value":"{t}","unit":"ms"},
                                  "action":{"type":"{k}"}})",
                              "5;GO\n", "x.csv");
  CHECK(shown.type == "GO");
  CHECK(shown.unix_ms == 5);
}

TEST_CASE("the mappings map a row of their input") {
  const std::string maps = std::string(YUKHA_REPLAY_DIR) + "/maps/";
  Shown shown = map_row(
      content_of(maps + "deskdrop.json"),
      "timestamp,eventType,contentId,personId,sessionId,userAgent,userRegion,userCountry\n"
      "1465412560,COMMENT CREATED,8890720798209849691,-1032019229384696495,3621737643587579081,\"M (K, x)\",NY,US\n",
      "x.csv");
  CHECK(shown.outcome == Mapper::Outcome::mapped);
  CHECK(shown.user == "id=-1032019229384696495,session=3621737643587579081");
  CHECK(shown.device == "user_agent=M (K, x)");
  CHECK(shown.screen == "app://deskdrop/?region=NY&country=US");
  CHECK(shown.content_id == "8890720798209849691");
  CHECK(shown.type == "COMMENT CREATED");
  CHECK(shown.unix_ms == 1465412560000);

  shown = map_row(
      content_of(maps + "waves.json"),
      "row\tsession_id\ttimestamp\tevent_name\tevent_data\tapp_version\tindex\n"
      "2\t23000213512143300\t2023-02-01 16:16:51.497000\tCUSTOM.1\t\"{\"\"level\"\": 1, \"\"slider\"\": "
      "\"\"OFFSET\"\", \"\"wave\"\": \"\"left\"\", \"\"end_val\"\": -16.44736842105263, \"\"x\"\": null}\"\t0\t2\n",
      "x.tsv");
  CHECK(shown.outcome == Mapper::Outcome::mapped);
  CHECK(shown.user == "id=23000213512143300");
  CHECK(shown.screen == "app://waves/level/1");
  CHECK(shown.content_id == "slider/OFFSET/left");
  CHECK(shown.content == "slider=OFFSET,wave=left");
  CHECK(shown.action == "row=2,index=2,level=1,slider=OFFSET,wave=left,end_val=-16.44736842105263");
  CHECK(shown.unix_ms == 1675268211497);

  const std::string usagov = content_of(maps + "usagov.json");
  CHECK(map_row(usagov, R"({"_heartbeat_": 1331923249})").outcome == Mapper::Outcome::skipped);
  shown = map_row(
      usagov,
      R"({"a":"UA","c":"US","nk":1,"tz":"America\/New_York","cy":"Mc Lean","r":"direct","u":"http:\/\/x\/","t":1331923247})");
  CHECK(shown.user == "new=1");
  CHECK(shown.screen == "app://usagov/?country=US&city=Mc%20Lean&tz=America%2FNew_York");
  CHECK(shown.content_id == "http://x/");
  CHECK(shown.referral == "direct");
  CHECK(shown.device == "user_agent=UA");
}

TEST_CASE("a journal comes back as it was written") {
  const Folder folder;
  Journal journal;
  journal.input = "in\xFFput.csv";
  journal.input_sha256 = sha256_of_text("abc");
  journal.map_sha256 = "m";
  journal.began.accepted = 18446744073709551615ULL;
  journal.began.refused_invalid = 3;
  std::string problem;
  const std::string path = journal_path(folder.path());
  Journal read;
  CHECK(read_journal(path, read, problem) == JournalRead::none);
  REQUIRE(write_journal(path, journal, problem));
  REQUIRE(read_journal(path, read, problem) == JournalRead::found);
  CHECK(read.began.accepted == journal.began.accepted);
  CHECK(read.began.refused_invalid == 3);
  CHECK_FALSE(read.finished);
  CHECK(read.input_sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  folder.file("replay.json", "{\"format\":1}");
  CHECK(read_journal(path, read, problem) == JournalRead::unreadable);
  folder.file("replay.json", "");
  CHECK(read_journal(path, read, problem) == JournalRead::unreadable);
  CHECK_FALSE(write_journal(folder.path() + "/none/replay.json", journal, problem));
}

TEST_CASE("the command line") {
  const auto read = [](std::vector<const char*> words, Options& options) {
    words.insert(words.begin(), "yukha-replay");
    std::string problem;
    return read_options(static_cast<int>(words.size()), words.data(), options, problem) ? "" : problem;
  };
  Options options;
  CHECK(read({"--endpoint", "http://127.0.0.1:1", "--key=a:b:QUJD", "--queue", "q", "--map", "m", "--rate", "2.5",
              "--resume", "--deadline", "3", "--json", "in.csv", "-"},
             options)
            .empty());
  CHECK(options.keys.at(0).id == "a:b");
  CHECK(options.keys.at(0).secret_base64 == "QUJD");
  CHECK(options.rows_per_second == 2.5);
  CHECK(options.resume);
  CHECK(options.json);
  CHECK(options.deadline_s == 3.0);
  CHECK(options.input_paths == std::vector<std::string>{"in.csv", "-"});
  Options other;
  CHECK(read({"in.csv"}, other) == "--endpoint URL is missing");
  CHECK(read({"--rate", "fast"}, other).find("--rate needs a number") == 0);
  CHECK(read({"--key", "abc"}, other) == "--key is KEYID:BASE64");
  const Folder folder;
  Options dry;
  CHECK(read({"--dry-run", "3", "--map", "m", "--strict", "--limit", "9", "--complaints", "0", "x"}, dry).empty());
  CHECK(dry.dry_run == 3U);
  CHECK(dry.row_limit == 9U);
  CHECK(dry.strict);
  Options keyed;
  const std::string keys = folder.file("keys", "# this year's\n\na:QUJD\r\nb:c:REVG\n");
  CHECK(read({"--key-file", keys.c_str(), "--help"}, keyed).empty());
  REQUIRE(keyed.keys.size() == 2);
  CHECK(keyed.keys[0].secret_base64 == "QUJD");
  CHECK(keyed.keys[1].id == "b:c");
  const std::string no_keys = folder.file("no-keys", "a:QUJD\nsecret\n");
  CHECK(read({"--key-file", no_keys.c_str()}, keyed) == no_keys + ":2: a line of a key file is KEYID:BASE64");
  CHECK(read({"--key-file", "/nowhere"}, other) == "/nowhere cannot be opened: No such file or directory");
  const std::string directory = folder.path();
  CHECK(read({"--key-file", directory.c_str()}, other) == directory + " cannot be read: Is a directory");
  const std::string nothing = folder.file("nothing", "# none yet\n");
  CHECK(read({"--key-file", nothing.c_str()}, other) == nothing + " has no key in it");
  Options twice;
  CHECK(read({"--dry-run", "1", "--map", "m", "-", "x", "-"}, twice) ==
        "stdin is named twice among the inputs, and can be read only once");
  CHECK(read({"--colour"}, other) == "unknown option --colour");
  CHECK(read({"--map"}, other) == "--map needs a value");
  CHECK(read({"--help"}, other).empty());
}

TEST_CASE("the README says what --help says") {
  CHECK(content_of(std::string(YUKHA_REPLAY_DIR) + "/README.md").find(help_text) != std::string::npos);
}
