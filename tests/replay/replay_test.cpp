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
#include "journal.hpp"
#include "json_text.hpp"
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

// Every row as "line:field|field", every bad one as "line!why".
std::vector<std::string> rows_of(std::string_view content, char delimiter = ',', std::string* trouble = nullptr) {
  const Folder folder;
  RecordOptions options;
  options.format = Format::csv;
  options.delimiter = delimiter;
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
    if (next == RecordReader::Next::end) return rows;
    if (next == RecordReader::Next::broken) {
      if (trouble != nullptr) *trouble = problem;
      return rows;
    }
    std::string text = std::to_string(row.line) + (next == RecordReader::Next::bad ? "!" + problem : ":");
    if (next == RecordReader::Next::record) {
      for (std::size_t i = 0; i < row.fields.size(); ++i) text += (i == 0 ? "" : "|") + std::string(row.fields[i]);
    }
    rows.push_back(std::move(text));
  }
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
  Mapper mapper(mapping, reader->columns());
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
  CHECK(rows_of("a,b\n1,2\n3,\"4\n5,6\n") == Rows{"2:1|2", "3!a quote is opened here and closed nowhere"});
  CHECK(rows_of("") == Rows{"no reader: the input is empty; a header line with the names of the columns is missing"});
  std::string trouble;
  CHECK(rows_of("\xFF\xFE", ',', &trouble).size() == 1);
}

TEST_CASE("a row longer than the limit is one bad row, not the end") {
  const std::string huge(LineSource::record_bytes_max + 10, 'x');
  const Rows rows = rows_of("a\n" + huge + "\nsmall\n");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == "2!the row is longer than 16 MiB");
  CHECK(rows[1] == "3:small");
}

TEST_CASE("rows are the same wherever a piece of the file ends") {
  // Rows around the 256 KiB of a piece, quoted and not, with a line end inside.
  for (const std::size_t before : {262'130, 262'136, 262'140, 262'141, 262'142, 262'143, 262'144, 262'145}) {
    const std::string fill(before - 4, 'f');
    const Rows rows = rows_of("a,b\n" + fill + ",\"q\"\"\r\nr\",\n" + "x,\"y\"\n");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == "2!the row has 3 columns where there should be 2");
    CHECK(rows[1] == "4:x|y");
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
  CHECK_FALSE(json.parse("{\"a\":1,}", problem));
  CHECK(problem == "a member's name in quotes is missing at byte 8");
  CHECK_FALSE(json.parse(std::string(100'000, '['), problem));
  CHECK_FALSE(json.parse("", problem));
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
    REQUIRE(format.set_unit(unit));
    std::int64_t ms = -1;
    std::string problem;
    return format.read(text, ms, problem) ? ms : INT64_MIN;
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
  for (const char* const bad :
       {"", "-", ".", "1.", ".5", "1e9", "0x10", " 1", "1 ", "+1", "nan", "99999999999999999999"}) {
    CHECK_MESSAGE(read("s", bad) == INT64_MIN, bad);
  }
  TimeFormat format;
  CHECK_FALSE(format.set_unit("seconds"));
}

TEST_CASE("time: RFC 3339") {
  const auto read = [](std::string_view text, std::string_view zone = {}) -> std::int64_t {
    TimeFormat format;
    REQUIRE(format.set_unit("rfc3339"));
    if (!zone.empty()) REQUIRE(format.set_zone(zone));
    std::int64_t ms = -1;
    std::string problem;
    return format.read(text, ms, problem) ? ms : INT64_MIN;
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
    REQUIRE(format.set_zone(zone));
    std::int64_t ms = -1;
    return format.read(text, ms, problem) ? ms : INT64_MIN;
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
  CHECK_FALSE(format.set_zone("Asia/Seoul"));
  CHECK_FALSE(format.set_zone("+6x"));
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
        "user_name=1,http_code=2,x_1st=3,x_x=4,x__=5,x_=6");
  CHECK(action(R"("d")", R"({"d":"{\"a\": 14.912280701754385}"})") == "a=14.912280701754385");
  CHECK(action(R"("d")", R"({"d":""})") == "");
  CHECK(action(R"("d")", R"({})") == "");
  CHECK(action(R"("d.x")", R"({"d":{"x":{"y":1}}})") == "y=1");
  CHECK(action(R"(["d","e"])", R"({"d":{"x":1},"e":{"y":2}})") == "x=1,y=2");
  CHECK(action(R"("d")", R"({"d":{"a b":1,"a_b":2}})") ==
        "unmapped: two members of the row become action.a_b; use prefix or except");
  CHECK(action(R"("d")", R"({"d":{"a":1,"a":2}})").substr(0, 9) == "unmapped:");
  CHECK(action(R"("d")", R"({"d":[1]})") == "unmapped: column d should hold a JSON object");
  CHECK(action(R"("d")", R"({"d":"{\"a\":"})").substr(0, 35) == "unmapped: column d holds no JSON: e");
  CHECK(action(R"("d")", R"({"d":{")" + std::string(65, 'a') + R"(":1}})").substr(0, 9) == "unmapped:");
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
  CHECK(error_of(mapping_with(R"("skip":{"column":"k","matches":"\\d+"})")).find("write [0-9]") != std::string::npos);
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
        "map.json: time.unit: must be s, ms, us, ns or rfc3339");
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
}

TEST_CASE("a column the input does not have is told before the first row") {
  const Mapping mapping = read_mapping(mapping_with(R"("referral":"{x}","skip":{"column":"y","exists":true})"), "m");
  const std::vector<std::string> without{"a", "b"};
  CHECK_THROWS_WITH_AS(Mapper(mapping, &without), "the mapping asks for a column \"x\", and the input has a, b",
                       MappingError);
  const std::vector<std::string> twice{"x", "x"};
  CHECK_THROWS_AS(Mapper(mapping, &twice), MappingError);
  const std::vector<std::string> enough{"x"};  // a column only a rule asks for may be missing
  CHECK_NOTHROW(Mapper(mapping, &enough));
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
              "--resume", "--deadline", "3", "--json", "in.csv"},
             options)
            .empty());
  CHECK(options.keys.at(0).id == "a:b");
  CHECK(options.keys.at(0).secret_base64 == "QUJD");
  CHECK(options.rows_per_second == 2.5);
  CHECK(options.resume);
  CHECK(options.json);
  CHECK(options.deadline_s == 3.0);
  CHECK(options.input_path == "in.csv");
  Options other;
  CHECK(read({"in.csv"}, other) == "--endpoint URL is missing");
  CHECK(read({"--rate", "fast"}, other).find("--rate needs a number") == 0);
  CHECK(read({"--key", "abc"}, other) == "--key is KEYID:BASE64");
  CHECK(read({"--colour"}, other) == "unknown option --colour");
  CHECK(read({"--map"}, other) == "--map needs a value");
  CHECK(read({"--help"}, other).empty());
}

TEST_CASE("the README says what --help says") {
  CHECK(content_of(std::string(YUKHA_REPLAY_DIR) + "/README.md").find(help_text) != std::string::npos);
}
