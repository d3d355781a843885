// Judges one line: is it a sentence of src/send/CONTRACT.md?
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace collector {

constexpr std::size_t kSentenceBytesMax = 32 * 1024;  // CONTRACT.md, "The sentence"

using SentenceId = std::array<unsigned char, 16>;
std::string text_of(const SentenceId& id);

// What the endpoint needs to know of a sentence.
struct SentenceFacts {
  SentenceId id{};
  bool is_ledger = false;       // action.type is yukha_ledger
  std::string clock_offset_ms;  // the device's own, for this sentence; empty when it has none
};

struct Refusal {
  // "size", "utf8", "json", "duplicate", "schema" or "order": the names tests/vectors uses.
  std::string check;
  std::string detail;
  std::string id;  // as written, when it could be read

  std::string reason() const { return check + ": " + detail; }
};

// A hand-written reader of the usual shape: compact JSON, members in any order inside a part. It accepts only what is
// surely a sentence; what it does not accept may still be one (white space, escapes in names), and the schema decides.
// Threads: any. Blocks: never.
std::optional<SentenceFacts> read_usual_sentence(std::string_view line);

// The judge of everything the quick reader does not accept: valijson with the schema of tests/vectors, and the checks
// no schema can make.
class SchemaJudge {
 public:
  SchemaJudge();
  ~SchemaJudge();
  SchemaJudge(const SchemaJudge&) = delete;
  SchemaJudge& operator=(const SchemaJudge&) = delete;

  // Fills `facts` when there is no refusal.
  // Threads: any. Blocks: while another line is judged.
  std::optional<Refusal> refusal_of(std::string_view line, SentenceFacts* facts) const;

 private:
  struct Schema;
  std::unique_ptr<Schema> schema_;
};

// Both of them: quick first, the schema for the rest.
class SentenceJudge {
 public:
  std::optional<Refusal> refusal_of(std::string_view line, SentenceFacts* facts) const;

 private:
  SchemaJudge schema_judge_;
};

// `line` must be a sentence. The line as it goes into the lake, with its newline.
void append_lake_line(std::string_view line, std::string_view clock_offset_ms, std::string_view received_at,
                      std::string* out);

}  // namespace collector
